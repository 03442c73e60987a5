"""Whose voice it is (`label --speakers`): two people who talk side by side, with the sound of one.

python -m benchmarks.speakers CLIP [CLIP ...] [--window 2 --window 4] [--partners 3]

Each CLIP shows one person who talks, and is SPEAKER=FILE or a file (then it is a speaker of its
own); its first eight seconds are taken. Composites are made in a temporary folder: every speaker
beside some of the others, on the left and on the right in turn. The sound is the speaker's own,
taken in turns (first the one's, then the other's), 1.5 s late, or a third person's who is not in
view; with the last two nobody speaks. Intervals are 95 %, bootstrapped over the speakers whose
sound it is.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.progress import track
from rich.table import Table

from emotion_core import cli
from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from emotion_core.labelling.step import LabelStep
    from emotion_core.labelling.windows import Piece

FPS = 25
RATE = 16_000
HEIGHT = 288
LATE_S = 1.5
LONGEST_S = 8.0
_KINDS = ("own", "turns", "late", "off-screen")
_HOP_S = 1.0
_LEAST_SHARE = 0.9  # of a window, of which the last one may have less
_MIXED_S = 0.3  # both speak in a window where the first one's turn ends so far inside it


@dataclass(frozen=True)
class Talk:
    """A clip of one person who talks.

    Attributes:
        speaker: who.
        frames: uint8 (n, 288, width, 3), RGB, 25 a second.
        sound: float32 (samples,), mono, 16 kHz, as long as the pictures.
    """

    speaker: str
    frames: np.ndarray
    sound: np.ndarray


@dataclass(frozen=True)
class Composite:
    """Two people side by side.

    Attributes:
        kind: of sound, one of ``_KINDS``.
        speaker: whose sound it is, or begins with.
        left, right: who is seen; the shorter clip is shown again.
        sound: float32 (samples,), 16 kHz.
        turns_s: when the other side begins to speak; None: never.
        side: who speaks first, 0 left, 1 right; None: nobody in view.
    """

    kind: str
    speaker: str
    left: Talk
    right: Talk
    sound: np.ndarray
    side: int | None
    turns_s: float | None = None

    def truth(self, start_s: float, end_s: float) -> int | None:
        """Which side speaks for most of a window."""
        if self.side is None or self.turns_s is None or (start_s + end_s) / 2 < self.turns_s:
            return self.side
        return 1 - self.side


def read(clip: str) -> Talk:
    """SPEAKER=FILE, or a file."""
    from emotion_core.media.decode import decode
    from emotion_core.media.types import DecodePlan
    from emotion_core.recipes.specs import VideoSpec

    speaker, _, path = clip.rpartition("=")
    spec = VideoSpec(sampling="fps", fps=FPS, max_frames=100_000, max_side=640)
    media = decode(path, DecodePlan(spec, RATE, "pyav", end_s=LONGEST_S))
    count = min(len(media.frames), int(len(media.audio) * FPS / RATE))
    if count < FPS:
        raise UsageError(f"{path}: a clip of a second or more with picture and sound")
    size = media.frames.shape[1:3]
    frames = np.stack([_scaled(frame, size[1] * HEIGHT // size[0]) for frame in media.frames])
    return Talk(speaker or Path(path).stem, frames[:count], media.audio[: count * RATE // FPS])


def _scaled(frame: np.ndarray, width: int) -> np.ndarray:
    from emotion_core.media.upright import resize

    return resize(frame, (width // 2 * 2, HEIGHT))


def composites(talks: Sequence[Talk], partners: int) -> Iterator[Composite]:
    """Every speaker beside some of the others, with every kind of sound."""
    for number, talk in enumerate(talks):
        others = [other for other in talks if other.speaker != talk.speaker]
        first = number * partners
        for place in range(min(partners, len(others))):
            other = others[(first + place) % len(others)]
            side = (number + place) % 2
            seen = (talk, other) if side == 0 else (other, talk)
            yield Composite("own", talk.speaker, *seen, talk.sound, side)
            both = np.concatenate([talk.sound, other.sound])
            turn_s = len(talk.sound) / RATE
            yield Composite("turns", talk.speaker, *_again(seen, side), both, side, turn_s)
            late = np.pad(talk.sound, (round(LATE_S * RATE), 0))[: len(talk.sound)]
            yield Composite("late", talk.speaker, *seen, late, None)
            absent = [third for third in others if third.speaker != other.speaker]
            if absent:
                third = absent[(first + place) % len(absent)]
                yield Composite("off-screen", third.speaker, *seen, third.sound, None)


def _again(seen: tuple[Talk, Talk], side: int) -> tuple[Talk, Talk]:
    """Both from their beginning when the other one's turn comes."""
    lengths = [len(seen[place].frames) for place in (side, 1 - side)]
    left, right = (
        Talk(
            talk.speaker,
            np.concatenate([_looped(talk.frames, length) for length in lengths]),
            talk.sound,
        )
        for talk in seen
    )
    return left, right


def _looped(frames: np.ndarray, count: int) -> np.ndarray:
    return frames[np.arange(count) % len(frames)]


def write(made: Composite, path: Path) -> Path:
    """The composite as a file: MPEG-4 and 16-bit samples in Matroska."""
    import av

    count = len(made.sound) * FPS // RATE
    pictures = np.concatenate(
        [_looped(made.left.frames, count), _looped(made.right.frames, count)], axis=2
    )
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mpeg4", rate=FPS, options={"qscale": "3"})
        picture.width, picture.height, picture.pix_fmt = pictures.shape[2], HEIGHT, "yuv420p"
        picture.codec_context.qmin, picture.codec_context.qmax = 2, 3
        voice = out.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for number, rgb in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(picture.encode(frame))
            part = made.sound[number * RATE // FPS : (number + 1) * RATE // FPS]
            samples = (part.clip(-1, 1) * 32767).astype(np.int16)[None]
            heard = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            heard.sample_rate, heard.pts = RATE, number * RATE // FPS
            heard.time_base = Fraction(1, RATE)
            out.mux(voice.encode(heard))
        out.mux(picture.encode(None))
        out.mux(voice.encode(None))
    return path


@dataclass(frozen=True)
class Given:
    """What became of the sound of one window.

    Attributes:
        kind, speaker: of the composite.
        given: it went to a track.
        right: ... to one on the side that speaks.
    """

    kind: str
    speaker: str
    given: bool
    right: bool


def judge(
    made: Composite, start_s: float, end_s: float, box: Sequence[float] | None
) -> Given | None:
    """What became of the sound of a window; None where both people speak in it.

    Args:
        made: the composite.
        start_s, end_s: the window.
        box: of the face that the sound was given to, fractions of the picture; None: nobody's.
    """
    turns_s = made.turns_s
    if turns_s is not None and start_s + _MIXED_S < turns_s < end_s - _MIXED_S:
        return None
    side = None
    if box is not None:
        left = made.left.frames.shape[2]
        side = int((box[0] + box[2]) / 2 > left / (left + made.right.frames.shape[2]))
    right = side is not None and side == made.truth(start_s, end_s)
    return Given(made.kind, made.speaker, side is not None, right)


def measure(
    talks: Sequence[Talk], lengths_s: Sequence[float], partners: int
) -> dict[float, list[Given]]:
    """What becomes of every window with speech, one a second, for each length of windows."""
    from emotion_core.labelling.how import Labelling
    from emotion_core.labelling.step import LabelOptions
    from emotion_core.labelling.windows import Windowing

    options = LabelOptions(Windowing(4.0, _HOP_S), speakers=True)
    step = Labelling(("voice", "face"), options).step()
    found: dict[float, list[Given]] = {length: [] for length in lengths_s}
    with tempfile.TemporaryDirectory() as folder:
        for made in track(list(composites(talks, partners)), "composites"):
            pieces = _pieces(step, write(made, Path(folder) / "composite.mkv"))
            for length in lengths_s:
                found[length] += _judged(made, pieces, length)
    step.decoder.close()
    return found


def _pieces(step: LabelStep, path: Path) -> list[Piece]:
    """The video as the ensemble would get it, in pieces of a second: no model has to answer."""
    from emotion_core.clips.clip import Clip, manifest_table
    from emotion_core.clips.work import ClipWork
    from emotion_core.labelling.seen import Seen

    (row,) = manifest_table([Clip(str(path), 0, "")]).to_pylist()
    return list(step._pieces(ClipWork(row), Seen()))


def _judged(made: Composite, pieces: Sequence[Piece], length_s: float) -> Iterator[Given]:
    from emotion_core.labelling.speakers import voice_of
    from emotion_core.labelling.voices import has_voice
    from emotion_core.labelling.windows import Windowing, windows

    for window in windows(pieces, Windowing(length_s, _HOP_S)):
        whole = window.end_s - window.start_s >= _LEAST_SHARE * length_s
        if not whole or len(window.track_ids()) < 2 or not has_voice(window):
            continue
        track_id = voice_of(window).track_id
        boxes = [seen.box for seen in window.observations if seen.track_id == track_id]
        given = judge(made, window.start_s, window.end_s, boxes[0] if boxes else None)
        if given is not None:
            yield given


def _share(hits: Sequence[bool], speakers: Sequence[str]) -> str:
    """``83 % [71, 92]``."""
    from emotion_core.evaluation.metrics.intervals import bootstrap_intervals

    if not hits:
        return "-"
    said = np.array([0 if hit else 1 for hit in hits])
    clips = [str(number) for number in range(len(said))]
    ends = bootstrap_intervals(np.zeros(len(said), int), said, 2, list(speakers), clips).war
    return f"{np.mean(hits):.0%} [{ends[0]:.0%}, {ends[1]:.0%}]".replace("%", " %")


def main(
    clips: Annotated[list[str], typer.Argument(help="SPEAKER=FILE or FILE.")],
    window: Annotated[list[float] | None, typer.Option(help="Seconds. Repeatable.")] = None,
    partners: Annotated[int, typer.Option(min=1, help="Others beside each speaker.")] = 3,
) -> None:
    """Print right, wrong and nobody by length of the window and kind of sound."""
    talks = [read(clip) for clip in clips]
    if len({talk.speaker for talk in talks}) < 3:
        raise UsageError("clips of three speakers at least")
    table = Table(title=f"{len(talks)} clips of {len({t.speaker for t in talks})} speakers")
    for heading in ("window", "sound", "windows", "right", "wrong", "nobody",
                    "right of those given", "given"):  # fmt: skip
        table.add_column(heading, justify="right")
    found = measure(talks, window or (1.0, 2.0, 3.0, 4.0), partners)
    for length, kind in itertools.product(found, _KINDS):
        mine = [each for each in found[length] if each.kind == kind]
        given = [each for each in mine if each.given]
        table.add_row(
            f"{length:g} s", kind, str(len(mine)),
            str(sum(each.right for each in given)), str(sum(not each.right for each in given)),
            str(len(mine) - len(given)),
            _share([e.right for e in given], [e.speaker for e in given]),
            _share([e.given for e in mine], [e.speaker for e in mine]),
        )  # fmt: skip
    cli.console.print(table)


if __name__ == "__main__":
    cli.run(main)
