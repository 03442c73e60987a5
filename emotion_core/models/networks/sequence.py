"""Recurrent encoders of sound."""

import torch
from torch import Tensor, nn

from emotion_core.models.networks.masking import apply_where, chosen, mean_where, statistics_kept

POOLS = ("last", "mean")


def real_steps(length: Tensor, steps: int) -> Tensor:
    """Which steps of sequences padded in front are real: int64 (b,) -> bool (b, steps)."""
    return torch.arange(steps, device=length.device) >= steps - length[:, None]


def to_front(sequence: Tensor, length: Tensor) -> Tensor:
    """Move the padding of each row from the front to the end, and drop what no row needs.

    Args:
        sequence: float (b, t, c); the last ``length`` steps of a row are real, the others zero.
        length: int64 (b,), at least 1.

    Returns:
        Float (b, longest, c); the first ``length`` steps of a row are real.
    """
    steps = sequence.shape[1]
    place = torch.arange(int(length.max()), device=sequence.device)
    source = (place + (steps - length)[:, None]) % steps
    return sequence.gather(1, source[:, :, None].expand(-1, -1, sequence.shape[2]))


def reverse_real(sequence: Tensor, length: Tensor) -> Tensor:
    """Each row's first ``length`` steps in reverse, the padding behind them where it was."""
    place = torch.arange(sequence.shape[1], device=sequence.device)
    source = torch.where(place < length[:, None], length[:, None] - 1 - place, place)
    return sequence.gather(1, source[:, :, None].expand_as(sequence))


class MaskedBLSTM(nn.Module):
    """A bidirectional LSTM layer whose real steps never see padding.

    With the padding at the end, a forward LSTM reaches it last; the backward one is a forward LSTM
    over the reversed real steps. That is what packed sequences give, at a quarter of their time on
    a CPU (training, 32 clips of 73 to 200 steps, one thread: 64 ms against 234 ms).

    Args:
        inputs, hidden: widths; the answer is ``2 * hidden`` wide.
    """

    def __init__(self, inputs: int, hidden: int):
        super().__init__()
        self.forwards = nn.LSTM(inputs, hidden, batch_first=True)
        self.backwards = nn.LSTM(inputs, hidden, batch_first=True)

    def forward(self, sequence: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, inputs) padded at the end, int64 (b,) -> float (b, t, 2 * hidden)."""
        ahead, _ = self.forwards(sequence)
        back, _ = self.backwards(reverse_real(sequence, length))
        return torch.cat([ahead, reverse_real(back, length)], dim=2)


class AudioBLSTM(nn.Module):
    """BLSTM -> dropout -> BLSTM -> dense: one vector a clip, whatever the padding.

    Args:
        coefficients: width of the feature matrix.
        hidden: units of each direction of both layers.
        out: width of the dense layer.
        dropout: after the first layer.
        pool: ``last`` (the last state of each direction) or ``mean`` (over all real steps).
    """

    def __init__(
        self,
        coefficients: int,
        hidden: int = 64,
        out: int = 128,
        dropout: float = 0.5,
        pool: str = "last",
    ):
        super().__init__()
        self.hidden, self.pool = hidden, chosen("pooling", pool, POOLS)
        self.first = MaskedBLSTM(coefficients, hidden)
        self.second = MaskedBLSTM(2 * hidden, hidden)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(2 * hidden, out)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, coefficients) padded in front, int64 (b,) -> float (b, out)."""
        length = length.clamp(min=1)  # a silent clip is one step of zeros, masked by the caller
        steps = self.dropout(self.first(to_front(audio, length), length))
        steps = self.second(steps, length)
        summary = self._mean(steps, length) if self.pool == "mean" else self._last(steps, length)
        return torch.relu(self.dense(summary))

    def _last(self, steps: Tensor, length: Tensor) -> Tensor:
        """The last state of each direction: at the clip's end, and at its start."""
        ahead = steps[torch.arange(len(steps), device=steps.device), length - 1, : self.hidden]
        return torch.cat([ahead, steps[:, 0, self.hidden :]], dim=1)

    def _mean(self, steps: Tensor, length: Tensor) -> Tensor:
        real = torch.arange(steps.shape[1], device=steps.device) < length[:, None]
        return mean_where(steps, real)


class AudioLSTM(nn.Module):
    """LSTM layers in one direction: one hidden state a clip, whatever the padding.

    Args:
        coefficients: width of the feature matrix.
        hidden: units of each layer, and width of the answer.
        layers: how many.
        dropout: between layers.
        pool: ``last`` (the last hidden state) or ``mean`` (of all real steps).
    """

    def __init__(
        self,
        coefficients: int,
        hidden: int,
        layers: int = 1,
        dropout: float = 0.0,
        pool: str = "last",
    ):
        super().__init__()
        self.pool = chosen("pooling", pool, POOLS)
        self.lstm = nn.LSTM(
            coefficients, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0
        )

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, coefficients) padded in front, int64 (b,) -> float (b, hidden)."""
        length = length.clamp(min=1)
        steps, _ = self.lstm(to_front(audio, length))
        if self.pool == "mean":
            places = torch.arange(steps.shape[1], device=steps.device)
            return mean_where(steps, places < length[:, None])
        return steps[torch.arange(len(steps), device=steps.device), length - 1]


class AudioMean(nn.Module):
    """Mean feature vector of a clip -> dense: no order in time at all.

    Features that are not scaled within the clip (their mean over the clip would be zero) come in
    ranges of their own, so they are normalised over all frames of a training batch, and by running
    statistics afterwards.

    Args:
        coefficients: width of the feature matrix.
        out: width of the dense layer.
        dropout: before it.
    """

    def __init__(self, coefficients: int, out: int = 128, dropout: float = 0.5):
        super().__init__()
        self.norm = nn.BatchNorm1d(coefficients)
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(coefficients, out)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, t, coefficients) padded in front, int64 (b,) -> float (b, out)."""
        real = real_steps(length, audio.shape[1])
        if int(real.sum()) > 1:  # of one frame there are no statistics
            frames = apply_where(self.norm, real.flatten(), audio.flatten(0, 1))
        else:
            with statistics_kept(self):
                frames = self.norm(audio.flatten(0, 1))
        mean = mean_where(frames.view_as(audio), real)
        return torch.relu(self.dense(self.dropout(mean)))
