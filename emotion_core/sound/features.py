"""Sound -> feature matrix with librosa: the reference that every other path must match.

Only parts of librosa are called whose import is short. ``librosa.feature`` and ``librosa.effects``
give the same to the last bit, but each worker would load scikit-learn and pandas for them, and
compile what looks for pitches: another second before its first clip.
"""

from functools import lru_cache

import numpy as np

from emotion_core.errors import ClipError, UsageError
from emotion_core.recipes.specs import AudioSpec

KINDS = ("mfcc", "logmel", "mfcc+logmel")  # and ``encoder``: ``sound.encoder``
SCALES = ("standardise", "minmax", "none")

# Sound whose loudest sample is below this (-80 dB of full scale) is silence, not speech.
SILENCE = 1e-4

# Deviations below this (decibel, or its cosine transform) are the rounding of the arithmetic, not
# sound: a constant coefficient becomes 0 instead of amplified noise.
_LEAST_DEVIATION = 1e-2

_TRIM_FRAME, _TRIM_HOP = 2048, 512  # samples, librosa's


def is_silent(audio: np.ndarray) -> bool:
    """Whether float (samples,) in [-1, 1] hold nothing to learn or to judge from."""
    return not len(audio) or bool(np.abs(audio).max() < SILENCE)


def audio_features(audio: np.ndarray, spec: AudioSpec) -> np.ndarray:
    """Features of one clip.

    MFCC are librosa's: Slaney mel bands, decibel limited to 80 below the clip's maximum,
    orthonormal DCT-II. ``logmel`` stops at the decibel. ``mfcc+logmel`` has the MFCC first.

    Args:
        audio: float32 (samples,), mono, in [-1, 1], at ``spec.sample_rate``.
        spec: the recipe's settings. A clip shorter than one window of ``n_fft`` samples is
            lengthened to one with silence.

    Returns:
        float32 (frames, coefficients); (0, coefficients) without sound, also where ``prepare``
        leaves none. One frame per hop, or the last ``spec.max_frames`` of them.

    Raises:
        UsageError: unknown ``spec.kind``.
        ClipError: the sound holds NaN or infinite samples.
    """
    check(spec)
    samples = prepare(audio, spec)
    if not len(samples):
        return np.zeros((0, spec.coefficients), dtype=np.float32)
    import librosa
    from scipy.fft import dct

    power = np.abs(librosa.stft(samples, n_fft=spec.n_fft, hop_length=spec.hop_length)) ** 2
    bands = _mel_bands(spec.sample_rate, spec.n_fft, spec.n_mels)
    decibel = librosa.power_to_db(np.einsum("ft,mf->mt", power, bands, optimize=True))
    parts = []
    if "mfcc" in spec.kind:
        parts.append(dct(decibel, axis=0, norm="ortho")[: spec.n_mfcc])
    if "logmel" in spec.kind:
        parts.append(decibel)
    return finish(np.concatenate(parts).T, spec)


def check(spec: AudioSpec) -> None:
    """Refuse settings that no path can compute."""
    if spec.kind not in KINDS:
        raise UsageError(f"no audio features {spec.kind!r}: choose one of {', '.join(KINDS)}")
    if spec.scale not in SCALES:
        raise UsageError(f"no scale {spec.scale!r} of sound: choose one of {', '.join(SCALES)}")
    if "mfcc" in spec.kind and spec.n_mfcc > spec.n_mels:
        raise UsageError(
            f"n_mfcc {spec.n_mfcc} needs at least as many mel bands, not {spec.n_mels}"
        )


def prepare(audio: np.ndarray, spec: AudioSpec) -> np.ndarray:
    """Take away what is too deep, trim silence at both ends, and lengthen to one window.

    Args:
        audio: float32 (samples,).
        spec: the recipe's settings.

    Returns:
        float32 (samples,), at least ``spec.n_fft`` of them; none where there were none, or where
        all that there was was too deep.

    Raises:
        ClipError: NaN or infinite samples, which a damaged file of floats can hold.
    """
    samples = np.asarray(audio, dtype=np.float32)
    if not np.isfinite(samples).all():
        raise ClipError("audio", "the sound holds NaN or infinite samples")
    if spec.highpass_hz is not None and len(samples):
        samples = _without_depths(samples, spec.highpass_hz, spec.sample_rate)
        samples = samples[:0] if is_silent(samples) else samples
    if not len(samples):
        return samples
    if spec.trim_db is not None:
        samples = _trimmed(samples, spec.trim_db)
    return np.pad(samples, (0, max(0, spec.n_fft - len(samples))))


@lru_cache(maxsize=8)
def _mel_bands(sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """What each band takes of each frequency, float32 (n_mels, n_fft / 2 + 1), to be read only."""
    import librosa

    bands = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels)
    bands.setflags(write=False)
    return bands


def _trimmed(samples: np.ndarray, below_db: float) -> np.ndarray:
    """Float32 (samples,) from the first to the last frame that is loud (``librosa.effects.trim``).

    Args:
        samples: float32 (samples,), at least one.
        below_db: a frame is loud if it lies less than this below the loudest one.
    """
    import librosa

    frames = librosa.util.frame(
        np.pad(samples, _TRIM_FRAME // 2), frame_length=_TRIM_FRAME, hop_length=_TRIM_HOP
    )
    level = np.sqrt(np.mean(np.square(frames), axis=0))
    loud = np.flatnonzero(librosa.amplitude_to_db(level, ref=np.max, top_db=None) > -below_db)
    return samples[loud[0] * _TRIM_HOP : (loud[-1] + 1) * _TRIM_HOP] if len(loud) else samples[:0]


def _without_depths(samples: np.ndarray, hz: float, sample_rate: int) -> np.ndarray:
    """Float32 (samples,), filtered forwards and backwards: nothing is shifted in time.

    At 100 Hz 48 dB are taken off a hum of 50 Hz and 36 dB off one of 60 Hz. For some 20 ms at
    either end it is less, because nobody knows how the hum went on there.
    """
    from scipy.signal import butter, sosfiltfilt

    band = butter(4, hz, "highpass", fs=sample_rate, output="sos")
    beyond = min(len(samples) - 1, sample_rate // 10)
    return sosfiltfilt(band, samples.astype(np.float64), padlen=beyond).astype(np.float32)


def finish(matrix: np.ndarray, spec: AudioSpec) -> np.ndarray:
    """Scale and cut, as the recipe says: (frames, coefficients) -> float32."""
    if spec.scale == "standardise":
        matrix = standardise(matrix)
    elif spec.scale == "minmax":
        matrix = minmax(matrix)
    if spec.max_frames is not None:
        matrix = matrix[max(0, len(matrix) - spec.max_frames) :]
    return np.ascontiguousarray(matrix, dtype=np.float32)


def standardise(matrix: np.ndarray) -> np.ndarray:
    """Each column of (frames, coefficients) to mean 0 and deviation 1; constant columns to 0."""
    exact = matrix.astype(np.float64)
    deviation = np.maximum(exact.std(axis=0), _LEAST_DEVIATION)
    return ((exact - exact.mean(axis=0)) / deviation).astype(np.float32)


def minmax(matrix: np.ndarray) -> np.ndarray:
    """Each column of (frames, coefficients) to [0, 1]; constant columns to 0."""
    exact = matrix.astype(np.float64)
    lowest = exact.min(axis=0)
    extent = np.maximum(exact.max(axis=0) - lowest, _LEAST_DEVIATION)
    return ((exact - lowest) / extent).astype(np.float32)
