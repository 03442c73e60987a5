"""Which library makes audio features, and in which batches."""

from collections.abc import Callable

import numpy as np

from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.features import audio_features

BACKENDS = ("librosa", "torchaudio")


def batch_features(
    spec: AudioSpec, backend: str, device: str
) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    """The function from float32 waveforms (samples,) to matrices (frames, coefficients).

    A pretrained encoder is its own backend. The other kinds are made by ``backend``.

    Raises:
        UsageError: settings that nobody can compute, or an encoder that cannot be had.
    """
    if spec.encoded:
        from emotion_core.sound.encoder import SpeechEncoder

        return SpeechEncoder(spec, device)
    if backend == "torchaudio":
        from emotion_core.sound.gpu import BatchedAudioFeatures

        return BatchedAudioFeatures(spec, device)
    return lambda sounds: [audio_features(sound, spec) for sound in sounds]
