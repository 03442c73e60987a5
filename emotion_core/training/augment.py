"""Small random changes of training clips.

Each clip has a generator of its own: the same clip in the same epoch is changed in the same way,
whichever worker has it.
"""

from dataclasses import replace

import numpy as np

from emotion_core.models.samples import Sample

TIME_MASKS, TIME_SHARE = 2, 0.2  # each mask hides up to this share of the frames
BAND_MASKS, BAND_SHARE = 2, 0.2  # and this share of the coefficients
SPEED = 0.2  # up to this much slower or faster
NOISE = 0.3  # deviation, as a share of each coefficient's own
GAIN = 0.2  # deviation of the logarithm of a coefficient's range: voices and rooms differ there
BRIGHTNESS, CONTRAST = 0.2, 0.2
SHIFT = 1 / 12  # of the picture's side


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """A changed copy of ``sample``; the label stays."""
    audio = None if sample.audio is None else augment_audio(sample.audio, rng)
    faces = augment_faces(sample.faces, rng) if sample.faces else sample.faces
    return replace(sample, audio=audio, faces=faces)


def augment_audio(matrix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another speed, other ranges of the coefficients, noise, masks over time and coefficients.

    Masks are those of SpecAugment (Park et al. 2019); hidden values become the clip's mean.

    Args:
        matrix: float32 (frames, coefficients).
        rng: decides everything.

    Returns:
        float32 (about as many frames, coefficients).
    """
    matrix = change_speed(matrix, rng.uniform(1 - SPEED, 1 + SPEED))
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
    gain = np.exp(rng.normal(0, GAIN, matrix.shape[1])).astype(np.float32)
    matrix = mean + gain * (matrix - mean)
    noise = rng.normal(0, NOISE * rng.uniform(), matrix.shape)
    matrix = matrix + (noise * deviation).astype(np.float32)
    frames, coefficients = matrix.shape
    for start, end in _spans(frames, TIME_MASKS, TIME_SHARE, rng):
        matrix[start:end] = mean
    for start, end in _spans(coefficients, BAND_MASKS, BAND_SHARE, rng):
        matrix[:, start:end] = mean[start:end]
    return matrix


def change_speed(matrix: np.ndarray, factor: float) -> np.ndarray:
    """Frames read at ``factor`` times their speed, between frames by linear interpolation."""
    frames = len(matrix)
    place = np.linspace(0, frames - 1, max(1, round(frames / factor)))
    before = np.floor(place).astype(np.int64)
    after = np.minimum(before + 1, frames - 1)
    share = (place - before)[:, None].astype(np.float32)
    return matrix[before] * (1 - share) + matrix[after] * share


def _spans(
    length: int, count: int, share: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    widths = rng.integers(0, int(length * share) + 1, count)
    starts = [int(rng.integers(0, length - width + 1)) for width in widths]
    return [(start, start + int(width)) for start, width in zip(starts, widths, strict=True)]


def augment_faces(
    faces: tuple[np.ndarray | None, ...], rng: np.random.Generator
) -> tuple[np.ndarray | None, ...]:
    """Mirrored or not, moved a little, another brightness and contrast: alike in all pictures.

    Args:
        faces: uint8 (size, size, 3) or (size, size) each, None without a face.
        rng: decides everything.
    """
    mirror = rng.random() < 0.5
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2)
    gain = rng.uniform(1 - CONTRAST, 1 + CONTRAST)
    offset = 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)

    def change(face: np.ndarray | None) -> np.ndarray | None:
        if face is None:
            return None
        face = face[:, ::-1] if mirror else face
        moved = _move(face, round(dy * len(face)), round(dx * len(face)))
        mean = moved.mean()
        return np.clip((moved - mean) * gain + mean + offset, 0, 255).astype(np.uint8)

    return tuple(change(face) for face in faces)


def _move(face: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shifted by whole pixels; what comes in at the border repeats the border."""
    rows = np.clip(np.arange(face.shape[0]) - down, 0, face.shape[0] - 1)
    columns = np.clip(np.arange(face.shape[1]) - right, 0, face.shape[1] - 1)
    return face[rows][:, columns]
