"""Random changes of a log-mel spectrogram that stand for changes of the sound itself.

A spectrogram in decibel can be louder, tilted, noisier, and faster or slower as if its sound were:
so features need not be made anew, and none of it costs a waveform.
"""

import numpy as np

from emotion_core.recipes.specs import AudioSpec

GAIN_DB = 8.0  # louder or softer by up to this much
TILT_DB = 6.0  # between the lowest and the highest band
SPEED = 0.15  # up to this much slower or faster, deeper or higher with it
NOISE_DB = (15.0, 60.0)  # below the loudest value
NOISE_SHARE = 0.5  # of the clips
# Hum, as of mains or a fan: SAVEE's recordings have 43 dB more than RAVDESS's in the lowest of 80
# bands and 10 to 20 dB more in those up to 700 Hz.
HUM_SHARE = 0.3  # of the clips
HUM_DB = (-40.0, 5.0)  # at its deepest, against the loudest value
HUM_FALL_DB = (6.0, 18.0)  # an octave
HUM_HERTZ = 50.0  # the deepest
TIME_MASKS, TIME_SHARE = 2, 0.12  # SpecAugment (Park et al. 2019)
BAND_MASKS, BAND_SHARE = 2, 0.15
_DB = np.float32(10 / np.log(10))  # decibel in one unit of the natural logarithm


def augment_decibel(matrix: np.ndarray, rng: np.random.Generator, spec: AudioSpec) -> np.ndarray:
    """Another speed, level, tilt, noise and hum; masks over time and bands hold the clip's mean.

    Args:
        matrix: float32 (frames, bands), decibel.
        rng: decides everything.
        spec: which bands these are.

    Returns:
        float32 (about as many frames, bands).
    """
    matrix = played_at(matrix, rng.uniform(1 - SPEED, 1 + SPEED), spec)
    slope = np.linspace(-0.5, 0.5, matrix.shape[1], dtype=np.float32)
    matrix = matrix + np.float32(rng.uniform(-GAIN_DB, GAIN_DB))
    matrix += np.float32(rng.uniform(-TILT_DB, TILT_DB)) * slope
    if rng.random() < NOISE_SHARE:
        level = matrix.max() - np.float32(rng.uniform(*NOISE_DB))
        colour = np.float32(2 * rng.uniform(-TILT_DB, TILT_DB)) * slope
        # the power of one band of noise is random too, exponentially distributed
        power = rng.standard_exponential(matrix.shape, np.float32) + np.float32(1e-3)
        noise = (level + colour) / _DB + np.log(power)
        matrix = _DB * np.logaddexp(matrix / _DB, noise)
    if rng.random() < HUM_SHARE:
        matrix = _DB * np.logaddexp(matrix / _DB, hum(matrix.max(), rng, spec) / _DB)
    mean = matrix.mean()
    for start, end in spans(len(matrix), TIME_MASKS, TIME_SHARE, rng):
        matrix[start:end] = mean
    for start, end in spans(matrix.shape[1], BAND_MASKS, BAND_SHARE, rng):
        matrix[:, start:end] = mean
    return matrix


def hum(loudest: np.float32, rng: np.random.Generator, spec: AudioSpec) -> np.ndarray:
    """A steady deep sound, float32 (bands,), decibel: it falls with every octave.

    Args:
        loudest: value of the clip.
        rng: decides how loud it is and how fast it falls.
        spec: which bands these are.
    """
    octaves = np.log2(np.maximum(band_hertz(spec), HUM_HERTZ) / HUM_HERTZ)
    fall = rng.uniform(*HUM_FALL_DB)
    return (loudest + rng.uniform(*HUM_DB) - fall * octaves).astype(np.float32)


def band_hertz(spec: AudioSpec) -> np.ndarray:
    """The middle of every band, Hz, float64 (n_mels,)."""
    import librosa

    return librosa.mel_frequencies(spec.n_mels + 2, fmax=spec.sample_rate / 2)[1:-1]


def played_at(matrix: np.ndarray, speed: float, spec: AudioSpec) -> np.ndarray:
    """The spectrogram of the same sound played at ``speed``, pitch and all.

    Args:
        matrix: float (frames, bands), log-mel as ``sound.features`` makes it.
        speed: above 1 is faster and higher.
        spec: ``n_mels`` and ``sample_rate`` decide which frequency a band stands for.

    Returns:
        float (frames / speed, bands), linear between frames and between bands.
    """
    hertz = band_hertz(spec)
    bands = np.interp(hertz / speed, hertz, np.arange(spec.n_mels))
    frames = np.linspace(0, len(matrix) - 1, max(1, round(len(matrix) / speed)))
    return between(between(matrix, frames).T, bands).T


def between(matrix: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Rows at fractional places, by linear interpolation.

    Args:
        matrix: float32 (rows, columns).
        places: float (n,), from 0 to ``rows - 1``.
    """
    before = np.floor(places).astype(np.int64)
    after = np.minimum(before + 1, len(matrix) - 1)
    share = (places - before)[:, None].astype(np.float32)
    return matrix[before] * (1 - share) + matrix[after] * share


def spans(length: int, count: int, share: float, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Start and end of ``count`` stretches to hide, each up to ``share`` of the length."""
    widths = rng.integers(0, int(length * share) + 1, count)
    starts = [int(rng.integers(0, length - width + 1)) for width in widths]
    return [(start, start + int(width)) for start, width in zip(starts, widths, strict=True)]
