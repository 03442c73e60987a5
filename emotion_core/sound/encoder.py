"""Sound -> what a pretrained speech encoder makes of it (Whisper, wav2vec2, HuBERT, WavLM, ...)."""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.features import prepare
from emotion_core.sound.padding import stack_front
from emotion_core.sound.pretrained import load_encoder, resolve
from emotion_core.sound.upper import stop_at

# What Whisper hears at once. Longer sound is encoded in pieces of equal length, so that memory,
# which rises with the square of the length, has a bound for the others too.
MOST_S = 30.0


# a clip's place in the batch, and a speed
Heard = tuple[int, float]


def at_speed(samples: np.ndarray, speed: float, sample_rate: int) -> np.ndarray:
    """The same sound played faster or slower, higher or deeper with it.

    Args:
        samples: float32 (samples,).
        speed: 1 changes nothing.
        sample_rate: Hz.
    """
    if speed == 1:
        return samples
    import librosa

    rate = round(sample_rate * speed)
    return librosa.resample(samples, orig_sr=rate, target_sr=sample_rate, res_type="soxr_hq")


class SpeechEncoder:
    """Hidden states of an encoder, a clip at a time or several of one length together.

    A clip's values depend neither on others nor on padding, for there is none: Whisper, which its
    authors feed with 30 s, gets the clip alone and as many of its positions. On a CPU clips are
    computed one by one; elsewhere those of equal length together, which rounds in another way.
    Layers above the highest one that is asked for are not computed.

    Args:
        spec: the recipe's settings.
        device: where to compute, as torch names it.
        batch_s: at most this many seconds of sound are computed together; None: 0 on a CPU, which
            is one clip, else 120.

    Raises:
        UsageError: as ``resolve``; or the files are damaged.
    """

    def __init__(
        self, spec: AudioSpec, device: str | torch.device = "cpu", batch_s: float | None = None
    ):
        self.spec = resolve(spec)
        self._device = torch.device(device)
        if batch_s is None:
            batch_s = 0.0 if self._device.type == "cpu" else 120.0
        self._batch_samples = int(batch_s * spec.sample_rate)
        self._extractor, model = load_encoder(self.spec)
        stop_at(model, max(self.spec.layers or (0,)))
        self.model = model.to(self._device)
        self._states: Callable[[Any, Tensor], list[Tensor]] = (
            _whisper_states if self.model.config.model_type == "whisper" else _states
        )

    def __call__(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Features of each clip.

        Args:
            clips: float32 (samples,) each, mono, at ``spec.sample_rate``.

        Returns:
            float16 (speeds * steps, layers * width) each, one layer beside the other; (0, layers *
            width) for a clip without sound. Without ``spec.steps`` (speeds * positions, width), the
            speeds taking turns.

        Raises:
            ClipError: one of the clips holds NaN or infinite samples.
        """
        prepared = [prepare(clip, self.spec) for clip in clips]
        ready = {
            (place, speed): self._played(samples, speed)
            for place, samples in enumerate(prepared)
            if len(samples)
            for speed in self.spec.speeds
        }
        found: dict[Heard, np.ndarray] = {}
        for same in self._batches({each: len(samples) for each, samples in ready.items()}):
            matrices = self._encode(np.stack([ready[each] for each in same]))
            found.update(zip(same, matrices, strict=True))
        empty = np.zeros((0, self.spec.coefficients), np.float16)
        return [
            self._joined([found[place, speed] for speed in self.spec.speeds])
            if len(samples)
            else empty
            for place, samples in enumerate(prepared)
        ]

    def _played(self, prepared: np.ndarray, speed: float) -> np.ndarray:
        samples = at_speed(prepared, speed, self.spec.sample_rate)
        return samples if self.spec.steps else samples[-round(MOST_S * self.spec.sample_rate) :]

    def _joined(self, by_speed: list[np.ndarray]) -> np.ndarray:
        """What was heard at each speed, as the rows of one clip."""
        if self.spec.steps:
            return np.concatenate(by_speed)
        # padded in front, cut in front and mixed with another clip, turns stay turns
        turns, _ = stack_front(by_speed)
        return turns.transpose(1, 0, 2).reshape(-1, turns.shape[2])

    def _batches(self, lengths: dict[Heard, int]) -> Iterator[list[Heard]]:
        """What is as long and computed together."""
        for length, same in groupby(sorted(lengths, key=lambda i: lengths[i]), lengths.__getitem__):
            alike = list(same)
            size = max(1, self._batch_samples // length)
            for start in range(0, len(alike), size):
                yield alike[start : start + size]

    @torch.inference_mode()
    def _encode(self, clips: np.ndarray) -> np.ndarray:
        """Float32 (clips, samples) -> float16 (clips, steps or positions, layers * width)."""
        pieces = math.ceil(clips.shape[1] / (MOST_S * self.spec.sample_rate))
        heard = [self._piece(piece) for piece in np.array_split(clips, pieces, axis=1)]
        states = torch.cat(heard, dim=1)
        if self.spec.steps:
            pooled = functional.adaptive_avg_pool1d(states.transpose(1, 2), self.spec.steps)
            states = pooled.transpose(1, 2)
        return states.to(torch.float16).cpu().numpy()

    def _piece(self, clips: np.ndarray) -> Tensor:
        """Float32 (clips, samples) -> chosen layers, float32 (clips, frames, layers * width)."""
        layers = self.spec.layers
        assert layers is not None, "resolved"
        given = self._extractor(
            list(clips),
            sampling_rate=self.spec.sample_rate,
            padding="do_not_pad",
            truncation=False,
            return_tensors="np",
        )
        (name,) = set(given) & {"input_features", "input_values"}
        inputs = torch.from_numpy(np.asarray(given[name], np.float32)).to(self._device)
        states = self._states(self.model, inputs)
        return torch.cat([states[layer] for layer in layers], dim=2)


def _states(model: Any, inputs: Tensor) -> list[Tensor]:
    """Every layer's states, float (b, frames, width) each, the first layer's input before them."""
    return list(model(inputs, output_hidden_states=True).hidden_states)


def _whisper_states(model: Any, inputs: Tensor) -> list[Tensor]:
    """The same of Whisper's encoder, for sound of any length.

    Its own ``forward`` insists on 30 s, padded; this is that without the padding, and with the
    positions of the frames that there are. As there, the last layer's states are normalised.
    """
    frames = functional.gelu(model.conv2(functional.gelu(model.conv1(inputs))))
    steps = frames.transpose(1, 2)
    states = [steps + model.embed_positions.weight[: steps.shape[1]]]
    for layer in model.layers:
        states.append(layer(states[-1], None))
    states[-1] = model.layer_norm(states[-1])
    return states
