"""What a face does for each emotion: movements in units of the distance between the eyes.

The choice of movements follows the action units that Ekman and Friesen's EMFACS lists for the basic
emotions (inner brow raised in sadness, brows lowered and drawn together in anger, and so on).
"""

from dataclasses import astuple, dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Expression:
    """How far each part of a face is from rest; 1.0 is the distance between the eyes.

    Attributes:
        brow_inner, brow_outer: up.
        brow_knit: towards each other.
        eye_open: relative: -1 is shut, 0 rest, 0.5 half as wide again.
        corner_up, corner_out: the corners of the mouth.
        upper_lip: up.
        nose: wrinkled up.
        cheek: up.
        jaw: down (the mouth opens).
        pitch: the face turned down, as a shift of its middle.
        tilt: the head to the side, in degrees.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_knit: float = 0.0
    eye_open: float = 0.0
    corner_up: float = 0.0
    corner_out: float = 0.0
    upper_lip: float = 0.0
    nose: float = 0.0
    cheek: float = 0.0
    jaw: float = 0.0
    pitch: float = 0.0
    tilt: float = 0.0

    def array(self) -> np.ndarray:
        """The fields in their order, float64 (12,)."""
        return np.array(astuple(self))


EXPRESSIONS = {
    "neutral": Expression(),
    "calm": Expression(corner_up=0.03, eye_open=-0.15, brow_outer=0.02, pitch=0.02, tilt=2.0),
    "happy": Expression(
        corner_up=0.13, corner_out=0.11, cheek=0.06, eye_open=-0.15, jaw=0.05, brow_outer=0.03,
        tilt=2.0,
    ),
    "sad": Expression(
        brow_inner=0.11, brow_outer=-0.05, brow_knit=0.03, corner_up=-0.11, eye_open=-0.28,
        pitch=0.08, tilt=4.0,
    ),
    "angry": Expression(
        brow_inner=-0.12, brow_outer=-0.02, brow_knit=0.08, eye_open=0.10, corner_up=-0.04,
        corner_out=-0.05, nose=0.03, jaw=0.03, pitch=0.04,
    ),
    "fearful": Expression(
        brow_inner=0.13, brow_outer=0.08, brow_knit=0.05, eye_open=0.28, corner_up=-0.06,
        corner_out=0.08, jaw=0.07, pitch=-0.04,
    ),
    "disgust": Expression(
        brow_inner=-0.07, brow_outer=-0.03, brow_knit=0.04, nose=0.09, upper_lip=0.08,
        corner_up=-0.05, eye_open=-0.28, cheek=0.05, pitch=-0.03, tilt=-4.0,
    ),
    "surprised": Expression(
        brow_inner=0.16, brow_outer=0.15, eye_open=0.34, jaw=0.20, corner_out=-0.07, pitch=-0.05,
    ),
}  # fmt: skip

FIELDS = tuple(Expression.__dataclass_fields__)


def from_array(values: np.ndarray) -> Expression:
    """The inverse of ``Expression.array``."""
    return Expression(*(float(value) for value in values))


def acted(emotion: str, strength: float, slip: str, slip_share: float) -> Expression:
    """An emotion as somebody acts it: at some strength, with a little of another one in it."""
    wanted, other = EXPRESSIONS[emotion].array(), EXPRESSIONS[slip].array()
    return from_array(strength * ((1 - slip_share) * wanted + slip_share * other))


def with_rest(rest: dict[str, float]) -> Expression:
    """Nothing but a photograph's own corrections."""
    return replace(Expression(), **rest)
