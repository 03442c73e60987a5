"""What the media room gives to the others."""

from dataclasses import dataclass

import numpy as np

from emotion_core.recipes.specs import VideoSpec


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, read from its headers.

    Attributes:
        kind: ``video``, ``audio`` or ``image`` (a file whose only picture is a cover is ``audio``).
        duration_s: seconds; 0.0 for an image.
        width, height: of the picture as it is shown (after rotation), 0 without one.
        fps: mean frame rate, 0.0 without a moving picture.
        has_audio: there is a sound stream.
        pictures_end_s: when the moving picture ends, seconds; 0.0 without one.
    """

    kind: str
    duration_s: float
    width: int
    height: int
    fps: float
    has_audio: bool
    pictures_end_s: float = 0.0


@dataclass(frozen=True)
class DecodePlan:
    """What to take out of a file.

    Attributes:
        video: a recipe's ``VideoSpec`` (its sampling and ``max_side``), or None for no pictures.
        sample_rate: Hz of the sound wanted, or None for no sound.
        decoder: ``auto`` (decord where it is proven equal to PyAV, else PyAV), ``decord`` or
            ``pyav``.
        start_s: where the part of the file starts that is wanted, seconds.
        end_s: where it ends; None means with the file.
        also: more samplings, whose pictures are taken too, scaled as those of ``video``.
        span_s: every sampling is applied to each stretch of this many seconds as if it were a clip
            of its own; None: to the part of the file as a whole.
        short_s: a last stretch that is shorter than this belongs to the one before.
    """

    video: VideoSpec | None
    sample_rate: int | None
    decoder: str = "auto"
    start_s: float = 0.0
    end_s: float | None = None
    also: tuple[VideoSpec, ...] = ()
    span_s: float | None = None
    short_s: float = 0.0


@dataclass(frozen=True)
class Media:
    """What was taken out of a file.

    Attributes:
        info: the headers.
        frames: uint8 (n, height, width, 3), RGB, upright; n = 0 without pictures.
        frame_times_s: float64 (n,), the time of each picture in the file.
        audio: float32 (samples,) in [-1, 1], mono; empty without sound.
        sample_rate: of ``audio``, Hz (0 without sound).
        decoder: which library gave the pictures (``decord``, ``pyav``, ``pillow`` or ``""``).
        warnings: what was wrong but survivable, one short line each
            (``"audio: stops at 2.1 s of 4.0 s"``).
    """

    info: MediaInfo
    frames: np.ndarray
    frame_times_s: np.ndarray
    audio: np.ndarray
    sample_rate: int
    decoder: str
    warnings: tuple[str, ...] = ()
