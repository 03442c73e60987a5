"""A small network that reads a log-mel spectrogram as a picture, then pools over time."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.errors import UsageError
from emotion_core.models.networks.attentive import AttentiveStatistics
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import apply_where, needs_audio
from emotion_core.models.networks.sequence import to_front
from emotion_core.recipes.specs import AudioSpec, VideoSpec

SOUND_WIDTHS = (24, 48, 96, 128)


class _Halved(nn.Module):
    """Two convolutions and a way around them; bands and frames become half as many.

    Frames beyond a clip's end are zero before each convolution, so that they say nothing.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, maps: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Float (b, inputs, bands, frames), int64 (b,) -> the same of the halved picture."""
        length = (length + 1) // 2
        found = functional.relu(self.first_norm(self.first(maps)))
        found = self.second_norm(self.second(_kept(found, length)))
        # every second place, picked here: of less than eight channels, channels last, torch 2.12's
        # own stride writes beyond its memory on processors that have AVX2 at most
        around = self.around(maps[:, :, ::2, ::2])
        return _kept(functional.relu(found + around), length), length


def _kept(maps: Tensor, length: Tensor) -> Tensor:
    """Float (b, channels, bands, frames), zero from each clip's length on."""
    real = torch.arange(maps.shape[3], device=maps.device) < length[:, None]
    return torch.where(real[:, None, None], maps, 0)


class Spectrogram(nn.Module):
    """A log-mel spectrogram to one embedding.

    Args:
        spec: the recipe's, of kind ``logmel``.
        widths: channels of the stem and of each stage; each halves bands and frames.
        hidden: width that a step is projected to; the embedding is twice as wide.
        attention: width of the layer that weighs the steps.
        dropout: of projected steps.

    Raises:
        UsageError: the recipe's sound is not a log-mel spectrogram.
    """

    def __init__(
        self, spec: AudioSpec, widths: Sequence[int], hidden: int, attention: int, dropout: float
    ):
        super().__init__()
        if spec.kind != "logmel":
            raise UsageError(
                f"networks 'voice-small' and 'fusion' read a log-mel spectrogram, not "
                f"{spec.kind!r}: give the recipe an AudioSpec of kind 'logmel' (fusion also takes "
                "'encoder')"
            )
        # one mean and one deviation for all bands: level and tilt are what anger sounds like
        self.norm = nn.BatchNorm1d(1, affine=False)
        self.stem = nn.Conv2d(1, widths[0], 5, 2, 2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        pairs = zip(widths, widths[1:], strict=False)
        self.stages = nn.ModuleList(_Halved(inputs, outputs) for inputs, outputs in pairs)
        bands = spec.n_mels
        for _ in widths:
            bands = (bands + 1) // 2
        self.project = nn.Linear(widths[-1] * bands, hidden)
        self.pool = AttentiveStatistics(hidden, attention)
        self.dropout = nn.Dropout(dropout)
        self.hidden, self.width = hidden, 2 * hidden

    def forward(self, sound: Tensor, length: Tensor, parts: int = 0) -> Tensor:
        """One embedding a clip.

        Args:
            sound: float (k, t, bands), padded in front.
            length: int64 (k,).
            parts: how many equal stretches of each clip to tell of besides.

        Returns:
            Embeddings (k, 2 * hidden), and behind each the mean of the steps of each stretch:
            (k, 2 * hidden + parts * hidden).
        """
        length = length.clamp(min=1)
        # what lies beyond the longest clip would cost time and say nothing
        sound = to_front(sound, length)[:, : int(length.max())]
        real = torch.arange(sound.shape[1], device=sound.device) < length[:, None]
        level = apply_where(self.norm, real.flatten(), sound.flatten(0, 1)[:, None])
        # channels last: a fifth faster on a processor, the same answers
        maps = level.view_as(sound).transpose(1, 2)[:, None]
        maps = maps.contiguous(memory_format=torch.channels_last)
        length = (length + 1) // 2
        maps = _kept(functional.relu(self.stem_norm(self.stem(maps))), length)
        for stage in self.stages:
            maps, length = stage(maps, length)
        steps = self.dropout(self.project(maps.flatten(1, 2).transpose(1, 2)))
        real = torch.arange(steps.shape[1], device=steps.device) < length[:, None]
        found = self.pool(steps, real)
        if not parts:
            return found
        return torch.cat([found, stretches(steps, length, parts).flatten(1)], dim=1)


def stretches(steps: Tensor, length: Tensor, parts: int) -> Tensor:
    """Means over ``parts`` equal stretches of each clip.

    Args:
        steps: float (k, t, width).
        length: int64 (k,), how many of the ``t`` are real.
        parts: any number; a step that two stretches share counts in both.

    Returns:
        Float (k, parts, width).
    """
    number = torch.arange(parts, device=steps.device)[None, :, None]
    start = number * length[:, None, None] / parts
    end = (number + 1) * length[:, None, None] / parts
    place = torch.arange(steps.shape[1], device=steps.device)
    share = (torch.minimum(place + 1, end) - torch.maximum(place, start)).clamp(min=0)
    return (share / share.sum(dim=2, keepdim=True)).to(steps.dtype) @ steps


class VoiceSmall(nn.Module):
    """The network of recipe ``voice-small``.

    Args:
        audio: the recipe's, of kind ``logmel``.
        video: not used.
        n_classes: number of outputs.
        widths: channels of the stem and of each stage; each halves bands and frames.
        hidden: width that a step is projected to.
        attention: width of the layer that weighs the steps.
        dropout: of projected steps, and before the answer.

    Raises:
        UsageError: the recipe's sound is not a log-mel spectrogram.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        widths: Sequence[int] = SOUND_WIDTHS,
        hidden: int = 256,
        attention: int = 64,
        dropout: float = 0.3,
    ):
        super().__init__()
        spec = needs_audio(audio, "voice-small")
        self.sound = Spectrogram(spec, widths, hidden, attention, dropout)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(self.sound.width, n_classes)
        self.hint_width = hidden

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        return self.hinted(batch, 0)[0]

    def hinted(self, batch: Batch, parts: int) -> tuple[Tensor, Tensor]:
        """Logits, and the mean step of each of ``parts`` equal stretches, (b, parts, hidden)."""
        assert batch.audio is not None, "the recipe has sound"
        inputs = (batch.audio, batch.audio_length)
        heard = apply_where(self.sound, batch.has_audio, *inputs, parts=parts)
        heard, steps = heard.split([self.sound.width, parts * self.hint_width], dim=1)
        logits = self.answer(self.dropout(heard)) * batch.has_audio[:, None]
        return logits, steps.unflatten(1, (parts, -1)) if parts else steps
