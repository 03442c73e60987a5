"""An actor's take: the pose of the face for every frame, and the sound that goes with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from emotion_core.recipes.emotions import EMOTIONS
from examples.demo import expression, voice
from examples.demo.actors import FACE_SPREADS, Actor
from examples.demo.expression import FIELDS, from_array
from examples.demo.picture import Pose

FPS = 30

# The cues are noisy on purpose: up to this share of an expression belongs to another emotion.
_MOST_SLIP = 0.35
_ONSET_S = 0.35
_JAW, _EYES = FIELDS.index("jaw"), FIELDS.index("eye_open")


@dataclass(frozen=True)
class Part:
    """A stretch of a take in which one emotion is acted.

    Attributes:
        emotion: canonical.
        strong: acted with strong rather than normal intensity.
        seconds: how long.
    """

    emotion: str
    strong: bool
    seconds: float


@dataclass(frozen=True)
class Take:
    """What the camera and the microphone get.

    Attributes:
        poses: one per frame, 30 a second.
        sound: float32 (samples,), 48 kHz.
    """

    poses: list[Pose]
    sound: np.ndarray


def perform(actor: Actor, parts: Sequence[Part], statement: int, seed: Sequence[int]) -> Take:
    """Act the parts one after the other.

    Args:
        actor: who.
        parts: at least one.
        statement: 1 or 2, what is said.
        seed: equal seeds give equal takes.
    """
    rng = np.random.default_rng(list(seed))
    faces, sounds, mouths = [], [], []
    for part in parts:
        face, prosody = _act(actor, part, rng)
        sound, opened = voice.speak(actor.voice, prosody, statement, part.seconds, rng)
        faces.append(face)
        sounds.append(sound)
        mouths.append(opened)
    times = np.arange(round(sum(part.seconds for part in parts) * FPS)) / FPS
    expressions = _course(faces, [part.seconds for part in parts], times)
    opened = np.concatenate(mouths)
    at = np.minimum((times * voice.ENVELOPE_RATE).astype(int), len(opened) - 1)
    expressions[:, _JAW] = np.clip(expressions[:, _JAW] + 0.10 * opened[at], 0, 0.32)
    expressions[:, _EYES] = np.clip(expressions[:, _EYES] - 0.9 * _blinks(times, rng), -0.95, 0.6)
    return Take(_moving(expressions, times, rng), np.concatenate(sounds))


def _act(actor: Actor, part: Part, rng: np.random.Generator) -> tuple[np.ndarray, voice.Prosody]:
    """This take's expression, float64 (12,), and prosody."""
    index = EMOTIONS.index(part.emotion)
    # face and voice slip independently: two modalities know more than one
    face_slip, voice_slip = (EMOTIONS[i] for i in rng.integers(0, len(EMOTIONS), 2))
    face_share, voice_share = rng.uniform(0, _MOST_SLIP, 2)
    strength = (1.0 if part.strong else 0.75) + 0.15 * float(rng.normal())
    strength = float(np.clip(strength, 0.35, 1.3))
    face = expression.acted(
        part.emotion, strength * actor.expressiveness, face_slip, float(face_share)
    ).array()
    face += actor.face_habits[index] + rng.normal(size=len(FIELDS)) * FACE_SPREADS
    habits = 0.7 * actor.voice_habits[index] + 0.7 * rng.normal(size=actor.voice_habits.shape[1])
    return face, voice.acted(part.emotion, strength, voice_slip, float(voice_share), habits)


def _course(faces: list[np.ndarray], seconds: list[float], times: np.ndarray) -> np.ndarray:
    """Expressions over time, (frames, 12): each grows within a third of a second and fades last."""
    course = np.zeros((len(times), len(FIELDS)))
    last, start = np.zeros(len(FIELDS)), 0.0
    for face, length in zip(faces, seconds, strict=True):
        here = times >= start
        grown = _smooth(np.clip((times[here] - start) / _ONSET_S, 0, 1))[:, None]
        course[here] = last + grown * (face - last)
        last, start = face, start + length
    left = np.clip((start - times) / _ONSET_S, 0, 1)
    return course * (0.6 + 0.4 * _smooth(left))[:, None]


def _smooth(x: np.ndarray) -> np.ndarray:
    return x * x * (3 - 2 * x)


def _blinks(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shut = np.zeros(len(times))
    at = float(rng.uniform(0.2, 2.5))
    while at < times[-1]:
        shut = np.maximum(shut, np.clip(1 - np.abs(times - at) / 0.12, 0, 1))
        at += float(rng.uniform(1.5, 5.0))
    return shut


def _moving(expressions: np.ndarray, times: np.ndarray, rng: np.random.Generator) -> list[Pose]:
    """The head sways, nods and turns a little, each at its own slow rhythm."""

    def slow(amount: float) -> np.ndarray:
        hertz, phase = rng.uniform(0.2, 0.9, 3), rng.uniform(0, 2 * np.pi, 3)
        waves = np.sin(2 * np.pi * hertz * times[:, None] + phase)
        return amount * waves.mean(axis=1)

    x, y, yaw, tilt = slow(0.10), slow(0.06), slow(0.10), slow(3.0)
    poses = []
    for i, values in enumerate(expressions):
        face = from_array(values)
        face = replace(face, tilt=face.tilt + float(tilt[i]))
        poses.append(Pose(face, float(x[i]), float(y[i]), float(yaw[i])))
    return poses
