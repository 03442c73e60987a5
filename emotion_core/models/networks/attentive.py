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


class AttentiveHead(nn.Module):
    """From layers to logits: their mix, a projection of each step, statistics over the steps.

    Args:
        layers: how many lie side by side.
        width: of each.
        hidden: width that a step is projected to.
        attention: width of the layer that weighs the steps.
        dropout: of projected steps, and before the answer.
        n_classes: number of outputs.
    """

    def __init__(self, layers: int, width: int, hidden: int, attention: int, dropout: float,
                 n_classes: int):  # fmt: skip
        super().__init__()
        self.mix = LayerMix(layers, width)
        self.project = nn.Linear(width, hidden)
        self.pool = AttentiveStatistics(hidden, attention)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(2 * hidden, n_classes)

    def forward(self, sound: Tensor, real: Tensor) -> Tensor:
        """Float (b, t, layers * width), bool (b, t) -> (b, n_classes)."""
        real = real | ~real.any(dim=1, keepdim=True)  # a blank row, asked for its gradients
        steps = self.dropout(functional.relu(self.project(self.mix(sound, real))))
        return self.answer(self.dropout(self.pool(steps, real)))


def answer_at_speeds(network: nn.Module, heard: Tensor, real: Tensor) -> Tensor:
    """One answer from sound that was heard at several speeds.

    Each training step takes one at random; else the answer is the mean over all of them.

    Args:
        network: from (k, t, width) and bool (k, t) to (k, n_classes).
        heard: float (b, speeds, t, width).
        real: bool (b, speeds, t).

    Returns:
        Logits, float (b, n_classes); zeros where nothing is real.
    """
    if network.training:
        rows = torch.arange(len(heard), device=heard.device)
        one = torch.randint(heard.shape[1], (len(heard),), device=heard.device)
        heard, real = heard[rows, one], real[rows, one]
        return apply_where(network, real.any(dim=1), heard, real)
    there = real.any(dim=2)
    answers = apply_where(network, there.flatten(), heard.flatten(0, 1), real.flatten(0, 1))
    return mean_answer(answers.unflatten(0, there.shape), there)


class VoiceEncoder(nn.Module):
    """The network of recipe ``voice-encoder``: what stands behind a frozen speech encoder.

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
        if not spec.encoded or not spec.layers or not spec.width or not spec.steps:
            raise UsageError(
                "network 'voice-encoder' hears layers of an encoder: give its recipe an AudioSpec "
                "of kind 'encoder' with layers, their width and a number of steps"
            )
        layers = len(spec.layers)
        self.speeds, self.steps = len(spec.speeds), spec.steps
        self.head = AttentiveHead(layers, spec.width, hidden, attention, dropout, n_classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        assert batch.audio is not None, "the recipe has sound"
        heard, real = self._by_speed(batch.audio, batch.audio_length)
        return answer_at_speeds(self.head, heard, real)

    def _by_speed(self, sound: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Float (b, t, width), int64 (b,) -> (b, speeds, steps, width), bool (b, speeds, steps)."""
        wanted = self.speeds * self.steps
        real = real_steps(length, sound.shape[1])[:, -wanted:]
        sound = sound[:, -wanted:]
        missing = wanted - sound.shape[1]
        sound, real = functional.pad(sound, (0, 0, missing, 0)), functional.pad(real, (missing, 0))
        split = (self.speeds, self.steps)
        return sound.unflatten(1, split), real.unflatten(1, split)
