"""A clip's arrays, and the segments that it is cut into: one way for all jobs."""

from dataclasses import dataclass

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.recipes.specs import Recipe


@dataclass(frozen=True)
class Sample:
    """One clip (or window) as a network wants it, before it is padded.

    Attributes:
        audio: float (frames, coefficients), oldest first, or None without sound.
        faces: uint8 (size, size, 3) RGB or (size, size) grey each, in order of time; None where a
            picture has no face.
        label: class index, -1 where it is not known.
    """

    audio: np.ndarray | None
    faces: tuple[np.ndarray | None, ...] = ()
    label: int = -1


def segment_spans(frames: int, pictures: int, recipe: Recipe) -> list[tuple[slice, slice]]:
    """Where a clip's segments lie (``Recipe.segment_s``): slices of sound frames and pictures.

    The last segment may be shorter; a rest of less than half a segment is left out, but never a
    whole clip. Without ``segment_s`` the clip is one segment.

    Raises:
        UsageError: a recipe whose sound and pictures cannot be cut alike.
    """
    if recipe.segment_s is None:
        return [(slice(0, frames), slice(0, pictures))]
    per_sound, per_pictures = _segment_sizes(recipe)
    # half a segment counts as one; round() would take every other half only
    count = max(1, int(frames / per_sound + 0.5), int(pictures / per_pictures + 0.5))
    return [
        (
            slice(place * per_sound, (place + 1) * per_sound),
            slice(place * per_pictures, (place + 1) * per_pictures),
        )
        for place in range(count)
    ]


def _segment_sizes(recipe: Recipe) -> tuple[int, int]:
    """Sound frames and pictures of one segment."""
    audio, video, segment_s = recipe.audio, recipe.video, recipe.segment_s
    assert segment_s is not None
    if (video and video.sampling != "fps") or (audio and audio.trim_db is not None):
        raise UsageError(
            f"recipe {recipe.name!r} cuts clips into segments of {segment_s} s: that needs "
            "untrimmed sound (trim_db=None) and pictures sampled by fps"
        )
    sound = round(segment_s * audio.sample_rate / audio.hop_length) if audio else 1
    pictures = round(segment_s * video.fps) if video else 1
    return max(1, sound), max(1, pictures)


def segments(sample: Sample, recipe: Recipe) -> list[Sample]:
    """The segments of a clip that a network of ``recipe`` is fed with, at least one."""
    frames = 0 if sample.audio is None else len(sample.audio)
    found = []
    for sound, pictures in segment_spans(frames, len(sample.faces), recipe):
        audio = None if sample.audio is None else sample.audio[sound]
        faces = sample.faces[pictures]
        if (audio is not None and len(audio)) or any(face is not None for face in faces):
            found.append(Sample(audio, faces, sample.label))
    return found or [sample]
