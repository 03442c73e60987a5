"""The demo corpus: which clips there are, what they are called, and how one is made.

Names and folders are RAVDESS's (Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391):
``Actor_AC/01-01-EM-IN-ST-RE-AC.mp4`` with emotion, intensity, statement, repetition and actor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS
from examples.demo.actors import ORDER, Actor, actor
from examples.demo.files import write_clip
from examples.demo.performance import Part, perform
from examples.demo.photos import PHOTOS
from examples.demo.picture import Scene

MAX_REPETITIONS = 8  # as in RAVDESS: 2 intensities, 2 statements, 2 repetitions (neutral: 4)
_TAKE = 2  # the first number of this module's random streams

# (intensity, statement, repetition) in the order in which they are used
_VARIANTS = tuple((i, s, r) for r in (1, 2) for i, s in ((1, 1), (2, 2), (1, 2), (2, 1)))
_NEUTRAL_VARIANTS = tuple((1, s, r) for r in (1, 2) for s in (1, 2))

NOTICE = (
    "Synthetic demo clip of emotion-core: a public-domain photograph, warped, with a synthesised "
    "voice. Not a recording of anybody, and no statement about anybody's feelings."
)


@dataclass(frozen=True)
class DemoClip:
    """One clip of the corpus, by the numbers in its name."""

    emotion: str
    intensity: int
    statement: int
    repetition: int
    actor: int

    @property
    def path(self) -> str:
        """Below the corpus folder."""
        numbers = (
            1, 1, EMOTIONS.index(self.emotion) + 1, self.intensity, self.statement,
            self.repetition, self.actor,
        )  # fmt: skip
        name = "-".join(f"{number:02d}" for number in numbers)
        return f"Actor_{self.actor:02d}/{name}.mp4"


def plan(actors: int, emotions: Sequence[str], repetitions: int) -> list[DemoClip]:
    """The clips of a corpus, actor by actor.

    Args:
        actors: how many, 1 to 24, taken in ``actors.ORDER``.
        emotions: canonical names.
        repetitions: clips per actor and emotion, 1 to 8; neutral has at most 4.

    Raises:
        UsageError: a number out of range, or a word that is no emotion.
    """
    if not 1 <= actors <= len(ORDER):
        raise UsageError(f"--actors {actors}: choose 1 to {len(ORDER)}")
    if not 1 <= repetitions <= MAX_REPETITIONS:
        raise UsageError(f"--repetitions {repetitions}: choose 1 to {MAX_REPETITIONS}")
    for emotion in emotions:
        if emotion not in EMOTIONS:
            raise UsageError(f"no emotion {emotion!r}: choose from {', '.join(EMOTIONS)}")
    return [
        DemoClip(emotion, intensity, statement, repetition, number)
        for number in sorted(ORDER[:actors])
        for emotion in EMOTIONS
        if emotion in emotions
        for intensity, statement, repetition in _variants(emotion)[:repetitions]
    ]


def _variants(emotion: str) -> tuple[tuple[int, int, int], ...]:
    return _NEUTRAL_VARIANTS if emotion == "neutral" else _VARIANTS


def make(clip: DemoClip, seconds: float, seed: int, path: Path) -> None:
    """Act, film and write one clip to ``path``."""
    who = actor(clip.actor, seed)
    stream = (
        seed, _TAKE, clip.actor, EMOTIONS.index(clip.emotion), clip.intensity, clip.statement,
        clip.repetition,
    )  # fmt: skip
    part = Part(clip.emotion, clip.intensity == 2, seconds)
    take = perform(who, [part], clip.statement, stream)
    scene = studio(clip.actor, seed)
    frames = (scene.frame([pose]) for pose in take.poses)
    write_clip(path, frames, take.sound, f"{clip.emotion}, actor {clip.actor}", notice([who]))


@lru_cache(maxsize=4)  # a process makes an actor's clips one after the other
def studio(number: int, seed: int) -> Scene:
    """An actor alone in front of a wall."""
    look = actor(number, seed).look
    return Scene(look.wall, [look])


def notice(actors: Sequence[Actor]) -> str:
    """What a clip says of itself in its metadata."""
    credits = dict.fromkeys(f"{a.look.photo.person}: {a.look.photo.credit}" for a in actors)
    return " ".join([NOTICE, *(f"Photograph of {credit}." for credit in credits)])


def readme() -> str:
    """The text beside the clips that says what they are."""
    photographs = "\n".join(
        f"- {photo.person}. {photo.credit}. Read from the installed file {photo.shipped_in}."
        for photo in PHOTOS
    )
    return f"""SYNTHETIC CLIPS FOR DEMONSTRATION

Everything in this folder was computed by emotion-core (examples/demo). Nothing was recorded.

Faces: two photographs in the public domain, cut out, recoloured, mirrored, reshaped and warped
locally (brows, lids, mouth, jaw) so that a program has something to learn:
{photographs}
The persons shown never acted these clips. No emotion of theirs is claimed, and none of the made-up
"actors" is meant to be them.

Voices: synthesised from pulses, noise and resonances. No words are said and nobody's voice was
used.

corpus/   clips named as RAVDESS (Livingstone & Russo 2018) names its own; the naming is all that is
          taken from it. A label says which movements and which prosody the generator was asked
          for, with deliberate noise.
wild/     clips without labels, some of them broken on purpose.

Figures measured on these clips say that software runs. They say nothing about people.
"""
