"""Small random changes of training clips.

Each clip has a generator of its own: the same clip in the same epoch is changed in the same way,
whichever worker has it.
"""

from dataclasses import replace

import numpy as np

from emotion_core.models.samples import Sample
from emotion_core.recipes.specs import Recipe
from emotion_core.training.augment_faces import augment_faces
from emotion_core.training.augment_sound import augment_decibel, between, spans

TIME_MASKS, TIME_SHARE = 2, 0.2  # each mask hides up to this share of the frames
BAND_MASKS, BAND_SHARE = 2, 0.2  # and this share of the coefficients
SPEED = 0.2  # up to this much slower or faster
NOISE = 0.3  # deviation, as a share of each coefficient's own
GAIN = 0.2  # deviation of the logarithm of a coefficient's range: voices and rooms differ there


def augment(sample: Sample, rng: np.random.Generator, recipe: Recipe) -> Sample:
    """A changed copy of ``sample``; the label stays."""
    audio, spec = sample.audio, recipe.audio
    # an encoder's is left as it is: it was heard at several speeds, whose rows must stay in step
    if audio is not None and spec is not None and not spec.encoded:
        # spectrograms whose level was kept are changed as their sound would be
        raw = spec.kind == "logmel" and spec.scale == "none"
        audio = augment_decibel(audio, rng, spec) if raw else augment_audio(audio, rng)
    faces = augment_faces(sample.faces, rng, recipe.training) if sample.faces else sample.faces
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
    for start, end in spans(frames, TIME_MASKS, TIME_SHARE, rng):
        matrix[start:end] = mean
    for start, end in spans(coefficients, BAND_MASKS, BAND_SHARE, rng):
        matrix[:, start:end] = mean[start:end]
    return matrix


def change_speed(matrix: np.ndarray, factor: float) -> np.ndarray:
    """Frames read at ``factor`` times their speed, between frames by linear interpolation."""
    frames = len(matrix)
    return between(matrix, np.linspace(0, frames - 1, max(1, round(frames / factor))))
