"""Answers from the layers of a pretrained speech encoder: a learned mix, attention over time."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.errors import UsageError
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import (
    apply_where,
    mean_answer,
    needs_audio,
    statistics_kept,
)
from emotion_core.models.networks.sequence import real_steps
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class LayerMix(nn.Module):
    """A weighted mean of layers, the weights learned and adding up to 1.

    As in SUPERB (Yang et al. 2021): which layer knows the emotion is left to the training. Every
    number is standardised over all steps of a training batch first, and by running statistics
    afterwards: the ranges of layers differ by tens, and those within a layer too. Not over the
    steps of a clip, which would take its level away.

    Args:
        layers: how many lie side by side.
        width: of each.
    """

    def __init__(self, layers: int, width: int):
        super().__init__()
        self.layers, self.width = layers, width
        self.norm = nn.BatchNorm1d(layers * width, affine=False)
        self.weights = nn.Parameter(torch.zeros(layers))

    def forward(self, sound: Tensor, real: Tensor) -> Tensor:
        """Float (b, t, layers * width), bool (b, t) -> (b, t, width)."""
        if int(real.sum()) > 1:  # of one step there are no statistics
            states = apply_where(self.norm, real.flatten(), sound.flatten(0, 1))
        else:
            with statistics_kept(self):
                states = self.norm(sound.flatten(0, 1))
        states = states.view(*sound.shape[:2], self.layers, self.width)
        return torch.einsum("btlw,l->btw", states, self.weights.softmax(dim=0))


class AttentiveStatistics(nn.Module):
    """Mean and deviation over time, each step weighted by how much it tells.

    Okabe, Koshinaka and Shinoda 2018, "Attentive statistics pooling for deep speaker embedding".

    Args:
        width: of a step.
        hidden: of the layer that weighs the steps.
    """

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.hidden = nn.Linear(width, hidden)
        # without a bias, which would raise all steps alike
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(self, steps: Tensor, real: Tensor) -> Tensor:
        """Float (b, t, width), bool (b, t) -> (b, 2 * width); at least one real step a row."""
        scores = self.score(torch.tanh(self.hidden(steps))).squeeze(2)
        weights = scores.masked_fill(~real, -torch.inf).softmax(dim=1)[:, :, None]
        steps = torch.where(real[:, :, None], steps, 0)
        mean = (weights * steps).sum(dim=1)
        variance = (weights * (steps - mean[:, None]).square()).sum(dim=1)
        return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)


class MixedLayers(nn.Module):
    """An encoder's layers to one embedding: mixed, projected, pooled over time.

    Args:
        layers: how many lie side by side.
        width: of each.
        hidden: width that a step is projected to; the embedding is twice as wide.
        attention: width of the layer that weighs the steps.
        dropout: of projected steps.
    """

    def __init__(self, layers: int, width: int, hidden: int, attention: int, dropout: float):
        super().__init__()
        self.mix = LayerMix(layers, width)
        self.project = nn.Linear(width, hidden)
        self.pool = AttentiveStatistics(hidden, attention)
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * hidden

    def forward(self, sound: Tensor, real: Tensor) -> Tensor:
        """Float (k, t, layers * width), bool (k, t) -> embeddings (k, 2 * hidden)."""
        real = real | ~real.any(dim=1, keepdim=True)  # a blank row, asked for its gradients
        steps = self.dropout(functional.relu(self.project(self.mix(sound, real))))
        return self.pool(steps, real)


def at_speeds(network: nn.Module, heard: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """What a network makes of each clip at each speed; in training at one, drawn at random.

    Args:
        network: from (k, t, width) and bool (k, t) to (k, out).
        heard: float (b, speeds, t, width).
        real: bool (b, speeds, t).

    Returns:
        Float (b, speeds, out), zeros where nothing is real, and bool (b, speeds), where something
        is. In training ``speeds`` is 1.
    """
    if network.training:
        rows = torch.arange(len(heard), device=heard.device)
        one = torch.randint(heard.shape[1], (len(heard),), device=heard.device)
        heard, real = heard[rows, one][:, None], real[rows, one][:, None]
    there = real.any(dim=2)
    found = apply_where(network, there.flatten(), heard.flatten(0, 1), real.flatten(0, 1))
    return found.unflatten(0, there.shape), there


class EncodedSound(MixedLayers):
    """What ``preprocess`` stored of an encoder's layers, to one embedding a clip and speed.

    Args:
        spec: the recipe's, of kind ``encoder``.
        hidden, attention, dropout: see ``MixedLayers``.

    Raises:
        UsageError: the recipe's sound is not an encoder's.
    """

    def __init__(self, spec: AudioSpec, hidden: int, attention: int, dropout: float):
        if not spec.encoded or not spec.layers or not spec.width or not spec.steps:
            raise UsageError(
                "network 'voice-encoder' hears layers of an encoder: give its recipe an AudioSpec "
                "of kind 'encoder' with layers, their width and a number of steps"
            )
        super().__init__(len(spec.layers), spec.width, hidden, attention, dropout)
        self.speeds, self.steps = len(spec.speeds), spec.steps
        self.as_it_is = min(range(self.speeds), key=lambda i: abs(spec.speeds[i] - 1))

    def heard(self, sound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """See ``at_speeds``: of float (b, t, layers * width), padded in front, and int64 (b,)."""
        return at_speeds(self, *self._by_speed(sound, length))

    def mixed(self, sound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """The mix of layers at the speed nearest to 1: (b, steps, width), bool (b, steps)."""
        sound, real = (each[:, self.as_it_is] for each in self._by_speed(sound, length))
        return self.mix(sound, real), real

    def _by_speed(self, sound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        wanted = self.speeds * self.steps
        real = real_steps(length, sound.shape[1])[:, -wanted:]
        sound = sound[:, -wanted:]
        missing = wanted - sound.shape[1]
        sound, real = functional.pad(sound, (0, 0, missing, 0)), functional.pad(real, (missing, 0))
        split = (self.speeds, self.steps)
        return sound.unflatten(1, split), real.unflatten(1, split)


class VoiceEncoder(nn.Module):
    """The network of recipe ``voice-encoder``: what stands behind a frozen speech encoder.

    The answer is the mean over the speeds that a sound was heard at.

    Args:
        audio: the recipe's, of kind ``encoder``.
        video: not used.
        n_classes: number of outputs.
        hidden: width that a step is projected to.
        attention: width of the layer that weighs the steps.
        dropout: of projected steps, and before the answer.

    Raises:
        UsageError: the recipe's sound is not an encoder's.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        hidden: int = 256,
        attention: int = 64,
        dropout: float = 0.5,
    ):
        super().__init__()
        spec = needs_audio(audio, "voice-encoder")
        self.sound = EncodedSound(spec, hidden, attention, dropout)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(self.sound.width, n_classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        assert batch.audio is not None, "the recipe has sound"
        heard, there = self.sound.heard(batch.audio, batch.audio_length)
        return mean_answer(self.answer(self.dropout(heard)), there)

    def hint(self, batch: Batch) -> Tensor:
        """What a student may guess besides: the mix of layers, float (b, steps, width).

        NaN where a clip has no sound.
        """
        assert batch.audio is not None, "the recipe has sound"
        mixed, real = self.sound.mixed(batch.audio, batch.audio_length)
        return torch.where(real[:, :, None], mixed, torch.nan)
