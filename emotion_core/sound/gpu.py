"""The features of ``features.audio`` for many clips at once with torchaudio, on CPU or CUDA."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
import torchaudio

from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.features import check, finish, prepare

_LEAST_POWER = 1e-10  # librosa's amin
_RANGE_DB = 80.0  # librosa's top_db


class BatchedAudioFeatures:
    """Computes what ``audio_features`` computes, a batch at a time.

    A clip's values depend neither on the other clips of its batch nor on the padding: a window at
    the end of a clip sees zeros either way, and the decibel range is taken from its own frames.
    Agrees with librosa to 1e-3 on standardised features, and to 1e-2 dB on raw ones.

    Args:
        spec: the recipe's settings.
        device: where to compute, as torch names it.
        batch_samples: at most this many samples, padding included, are computed together; bounds
            the memory (about 20 bytes a sample at the default settings).
    """

    def __init__(
        self,
        spec: AudioSpec,
        device: str | torch.device = "cpu",
        batch_samples: int = 16_000 * 60 * 4,
    ):
        check(spec)
        self._spec = spec
        self._device = torch.device(device)
        self._batch_samples = batch_samples
        self._spectrogram = torchaudio.transforms.Spectrogram(
            n_fft=spec.n_fft, hop_length=spec.hop_length, power=2.0, pad_mode="constant"
        ).to(self._device)
        self._mel = torchaudio.functional.melscale_fbanks(
            n_freqs=spec.n_fft // 2 + 1,
            f_min=0.0,
            f_max=spec.sample_rate / 2,
            n_mels=spec.n_mels,
            sample_rate=spec.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        ).to(self._device)
        self._dct = (
            torchaudio.functional.create_dct(spec.n_mfcc, spec.n_mels, norm="ortho").to(
                self._device
            )
            if "mfcc" in spec.kind
            else None
        )

    def __call__(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Features of each clip.

        Args:
            clips: float32 (samples,) each, mono, at ``spec.sample_rate``.

        Returns:
            float32 (frames, coefficients) each; (0, coefficients) for a clip without sound.

        Raises:
            ClipError: one of the clips holds NaN or infinite samples.
        """
        empty = np.zeros((0, self._spec.coefficients), dtype=np.float32)
        results = [empty] * len(clips)
        prepared = (prepare(clip, self._spec) for clip in clips)
        ready = {i: samples for i, samples in enumerate(prepared) if len(samples)}
        for indices in self._batches({i: len(samples) for i, samples in ready.items()}):
            matrices = self._compute([ready[i] for i in indices])
            for index, matrix in zip(indices, matrices, strict=True):
                results[index] = finish(matrix, self._spec)
        return results

    def _batches(self, lengths: dict[int, int]) -> Iterator[list[int]]:
        """Clips of similar length together, so that little of a batch is padding."""
        batch: list[int] = []
        for index in sorted(lengths, key=lambda i: (-lengths[i], i)):
            if batch and (len(batch) + 1) * lengths[batch[0]] > self._batch_samples:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    @torch.inference_mode()
    def _compute(self, clips: list[np.ndarray]) -> list[np.ndarray]:
        lengths = torch.tensor([len(clip) for clip in clips], device=self._device)
        padded = torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(clip) for clip in clips], batch_first=True
        ).to(self._device)
        # (clips, frequencies, frames) -> (clips, frames, bands)
        power = self._spectrogram(padded).transpose(1, 2) @ self._mel
        decibel = 10.0 * torch.log10(power.clamp(min=_LEAST_POWER))
        frames = 1 + lengths // self._spec.hop_length
        padding = torch.arange(decibel.shape[1], device=self._device) >= frames[:, None]
        loudest = decibel.masked_fill(padding[..., None], -torch.inf).amax(dim=(1, 2))
        values = torch.maximum(decibel, (loudest - _RANGE_DB)[:, None, None])
        if self._dct is not None:
            # Relative to the loudest: all bands of a silent clip are equal, and some orders of
            # adding them up leave rounding in coefficients that are 0. Only the first has a sum.
            cosines = (values - loudest[:, None, None]) @ self._dct
            cosines[..., 0] += loudest[:, None] * self._spec.n_mels**0.5
            both = self._spec.kind == "mfcc+logmel"
            values = torch.cat([cosines, values], dim=2) if both else cosines
        table = values.cpu().numpy()
        return [table[i, :count] for i, count in enumerate(frames.tolist())]
