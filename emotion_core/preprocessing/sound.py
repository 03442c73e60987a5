"""Step 3: sound becomes MFCC, log-mel, or what a speech encoder makes of it."""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork
from emotion_core.engine.gpu import check_torch_gpu
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.errors import ClipError
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.backends import batch_features
from emotion_core.sound.features import is_silent

_log = logging.getLogger(__name__)

# A hundredth of the work of decoding.
NEEDS = Needs(cpus=0.5, memory_bytes=50 << 20)
BATCHED_NEEDS = Needs(cpus=0.5, memory_bytes=300 << 20)  # torch
GPU_SHARE = 0.1
# An encoder keeps a CPU busy; what it holds depends on its weights.
ENCODER_NEEDS = Needs(cpus=1, memory_bytes=BATCHED_NEEDS.memory_bytes)
ENCODER_GPU_SHARE = 0.4


def sound_step(spec: AudioSpec | None, backend: str = "librosa") -> DeclaredStep:
    """Audio features, on a GPU where one is in reach.

    That is for ``torchaudio`` and for encoders; librosa has no use for one.
    """
    make = partial(SoundStep, spec, backend)
    if spec is not None and spec.encoded:
        return _encoder_step(spec, make)
    if backend != "torchaudio" or spec is None:
        return DeclaredStep(Variant(make, NEEDS))
    on_gpu = Variant(partial(_on_gpu, make), replace(BATCHED_NEEDS, gpus=GPU_SHARE))
    return DeclaredStep(Variant(make, BATCHED_NEEDS), on_gpu)


def _encoder_step(spec: AudioSpec, make: "Callable[..., SoundStep]") -> DeclaredStep:
    from emotion_core.sound.pretrained import memory_bytes

    held = ENCODER_NEEDS.memory_bytes + memory_bytes(spec)
    needs = replace(ENCODER_NEEDS, memory_bytes=held)
    on_gpu = Variant(partial(_on_gpu, make), replace(needs, cpus=0.5, gpus=ENCODER_GPU_SHARE))
    return DeclaredStep(Variant(make, needs), on_gpu)


def _on_gpu(make: "Callable[..., SoundStep]") -> "SoundStep":
    check_torch_gpu()
    return make("cuda")


class SoundStep:
    """Audio features of each clip; the decoded media is dropped here, being of no further use.

    Args:
        spec: the recipe's audio spec; None: the recipe does not listen.
        backend: ``librosa`` (the reference, clip by clip) or ``torchaudio`` (one batch, on the GPU
            where there is one; agrees with librosa to 1e-3). An encoder is neither: clip by clip on
            a CPU, in batches on a GPU.
        device: ``cpu`` or ``cuda``, for ``torchaudio`` and encoders.
    """

    def __init__(self, spec: AudioSpec | None, backend: str = "librosa", device: str = "cpu"):
        self._features = batch_features(spec, backend, device) if spec else None
        encoded = spec is not None and spec.encoded
        self._batched = device != "cpu" if encoded else backend == "torchaudio"

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        made = self._whole_batch(works) if self._batched else {}

        def finish(work: ClipWork) -> ClipWork:
            matrix = made.get(work.clip["clip_id"])
            if matrix is None and self._features and has_sound(work):
                assert work.media is not None
                (matrix,) = self._features([work.media.audio])
            if matrix is not None and not len(matrix):  # all that there was was too deep
                matrix = None
            return work.with_(audio_features=matrix, media=None)

        return each(works, "audio", finish)

    def _whole_batch(self, works: list[ClipWork]) -> dict[str, np.ndarray]:
        sounding = [work for work in works if has_sound(work)]
        if not sounding or self._features is None:
            return {}
        try:
            matrices = self._features([work.media.audio for work in sounding if work.media])
        except (RuntimeError, ClipError):  # out of GPU memory, a damaged sound: clip by clip then
            _log.warning("a batch of %d sounds failed, going one by one", len(sounding))
            return {}
        return {work.clip["clip_id"]: m for work, m in zip(sounding, matrices, strict=True)}


def has_sound(work: ClipWork) -> bool:
    """The clip is decoded and holds more than silence: labelling hears no silence either."""
    return not work.failed and work.media is not None and not is_silent(work.media.audio)
