"""From a clip's arrays to the tensors of a batch: one way for training, evaluation, labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from emotion_core.errors import UsageError
from emotion_core.models.networks.batch import Batch
from emotion_core.recipes.specs import AudioSpec, Recipe, VideoSpec


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


def make_batch(
    samples: Sequence[Sample], audio: AudioSpec | None, video: VideoSpec | None, frames: int
) -> Batch:
    """Samples as tensors: sound padded in front to ``frames`` (or cut to the last ``frames``).

    Args:
        samples: at least one.
        audio, video: the recipe's; None leaves that modality out.
        frames: length of the sound, as ``audio_length`` gives it.
    """
    sounds = [None if audio is None else sample.audio for sample in samples]
    lengths = [0 if sound is None else min(len(sound), frames) for sound in sounds]
    sound = np.zeros((len(samples), max(frames, 1), audio.coefficients if audio else 1), np.float32)
    for row, (matrix, length) in enumerate(zip(sounds, lengths, strict=True)):
        if matrix is not None and length:
            sound[row, -length:] = matrix[-length:]
    faces, mask = _face_arrays(samples, video)
    return Batch(
        audio=torch.from_numpy(sound) if audio else None,
        audio_length=torch.tensor(lengths, dtype=torch.int64),
        has_audio=torch.tensor([length > 0 for length in lengths]),
        faces=torch.from_numpy(faces).permute(0, 1, 4, 2, 3).float() / 255 if video else None,
        face_mask=torch.from_numpy(mask),
        label=torch.tensor([sample.label for sample in samples], dtype=torch.int64),
    )


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


def _face_arrays(
    samples: Sequence[Sample], video: VideoSpec | None
) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (b, n, size, size, channels) and bool (b, n); n is 0 when nobody has a face."""
    size = video.face_size if video else 1
    channels = 1 if video and video.grey else 3
    seen = video is not None and any(face is not None for s in samples for face in s.faces)
    pictures = max(len(sample.faces) for sample in samples) if seen else 0
    faces = np.zeros((len(samples), pictures, size, size, channels), np.uint8)
    mask = np.zeros((len(samples), pictures), bool)
    for row, sample in enumerate(samples if seen else ()):
        for column, face in enumerate(sample.faces):
            if face is not None:
                faces[row, column] = face.reshape(size, size, channels)
                mask[row, column] = True
    return faces, mask
