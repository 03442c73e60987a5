"""A one-dimensional CNN over sound."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import apply_where, needs_audio
from emotion_core.models.networks.sequence import to_front
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class Conv1DStack(nn.Module):
    """Twelve layers: three times (convolution, max-pooling, dropout), a mean over time, two dense.

    What a clip is padded with is taken out before every layer, so that the answer depends on the
    real frames only.

    Args:
        coefficients: width of the feature matrix.
        n_classes: number of outputs.
        widths: channels of the convolutions.
        kernel: their length, frames.
        dense: width of the dense layer before the answering one.
        dropouts: behind each pooling.
    """

    def __init__(
        self,
        coefficients: int,
        n_classes: int,
        widths: Sequence[int],
        kernel: int,
        dense: int,
        dropouts: Sequence[float],
    ):
        super().__init__()
        inputs = (coefficients, *widths)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, width, kernel, padding="same")
            for before, width in zip(inputs, widths, strict=False)
        )
        self.pools = nn.ModuleList(nn.MaxPool1d(2, ceil_mode=True) for _ in widths)
        self.dropouts = nn.ModuleList(nn.Dropout(each) for each in dropouts)
        self.dense = nn.Linear(2 * inputs[-1], dense)
        self.answer = nn.Linear(dense, n_classes)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, coefficients) padded in front, int64 (b,) -> logits (b, n_classes)."""
        length = length.clamp(min=1)
        steps = to_front(2 * audio - 1, length).transpose(1, 2)
        for convolve, pool, drop in zip(self.convolutions, self.pools, self.dropouts, strict=True):
            steps = functional.relu(convolve(_real_only(steps, length)))
            steps = pool(_real_only(steps, length))
            length = (length + 1) // 2
            steps = drop(steps)
        steps = _real_only(steps, length)
        mean, largest = steps.sum(dim=2) / length[:, None], steps.amax(dim=2)
        hidden = functional.relu(self.dense(torch.cat([mean, largest], dim=1)))
        return self.answer(hidden)


def _real_only(steps: Tensor, length: Tensor) -> Tensor:
    """(b, channels, t) with zeros behind the first ``length`` steps of each row."""
    real = torch.arange(steps.shape[2], device=steps.device) < length[:, None]
    return torch.where(real[:, None], steps, 0)


class AudioCNN1D(nn.Module):
    """The network of recipe ``audio-cnn1d``, after github.com/ariesiitr/Emotion-Detection-2.0.

    Its layers are counted as its authors' library does: three convolutions, three max-poolings,
    three dropouts, one that leaves time out, two dense ones. Theirs leaves time out by taking all
    frames as one vector; this one by their mean and their maximum, because clips differ in length.

    Args:
        audio: the recipe's, scaled to [0, 1].
        video: not used.
        n_classes: number of outputs.
        widths, kernel, dense, dropouts: see ``Conv1DStack``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        widths: Sequence[int] = (256, 128, 128),
        kernel: int = 5,
        dense: int = 128,
        dropouts: Sequence[float] = (0.2, 0.2, 0.3),
    ):
        super().__init__()
        coefficients = needs_audio(audio, "audio-cnn1d").coefficients
        self.layers = Conv1DStack(coefficients, n_classes, widths, kernel, dense, dropouts)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        assert batch.audio is not None, "the recipe has sound"
        return apply_where(self.layers, batch.has_audio, batch.audio, batch.audio_length)
