"""From clips' arrays to the tensors of a batch: one way for training, evaluation, labels."""

from collections.abc import Sequence

import numpy as np
import torch

from emotion_core.models.networks.batch import Batch
from emotion_core.models.samples import Sample
from emotion_core.recipes.specs import AudioSpec, VideoSpec


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
