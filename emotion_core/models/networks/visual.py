"""Encoders of face crops."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emotion_core.models.networks.masking import apply_to_faces, chosen


class FrameVGG(nn.Module):
    """VGG-like network for one face: pairs of 3x3 convolutions, halved after each pair.

    Normalisation is by groups of channels within one picture (Wu & He 2018, "Group
    Normalization"). Batch normalisation would not do here: how many faces a batch has depends on
    the detector, a worker's share may hold one face or none, and statistics would mix people of
    different clips.

    Args:
        channels: 3 for RGB, 1 for grey.
        out: width of the answer.
        widths: channels of each pair of convolutions.
    """

    def __init__(
        self, channels: int = 3, out: int = 128, widths: Sequence[int] = (16, 32, 64, 128)
    ):
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            for inputs in (channels, width):
                layers += [
                    nn.Conv2d(inputs, width, 3, padding=1, bias=False),
                    nn.GroupNorm(min(8, width), width),
                    nn.ReLU(inplace=True),
                ]
            layers.append(nn.MaxPool2d(2))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.dense = nn.Linear(channels, out)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> float (k, out), not negative."""
        maps = self.layers(2 * faces - 1)
        return torch.relu(self.dense(maps.mean(dim=(2, 3))))


def group_norm(channels: int) -> nn.GroupNorm:
    """Normalisation within one picture, in eight groups of channels (see ``FrameVGG``)."""
    return nn.GroupNorm(math.gcd(8, channels), channels)


class FrameResidual(nn.Module):
    """Residual network for one face: torchvision's basic blocks (He et al. 2016).

    Normalisation is by groups, for the reasons given at ``FrameVGG``. A shortcut is halved by mean
    pooling (He et al. 2019, "Bag of Tricks"), not by a stride: a 1x1 convolution that strides over
    fewer than eight channels corrupts memory in its backward pass on CPUs (torch 2.12, oneDNN,
    channels last).

    Args:
        channels: 3 for RGB, 1 for grey.
        out: width of the answer.
        widths: channels of each block; each halves the picture.
    """

    def __init__(
        self, channels: int = 3, out: int = 128, widths: Sequence[int] = (16, 32, 64, 128)
    ):
        from torchvision.models.resnet import BasicBlock  # a second and a half, if never needed

        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, padding=1, bias=False),
            group_norm(widths[0]),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        for inputs, width in zip((widths[0], *widths), widths, strict=False):
            shorter = nn.Sequential(
                nn.AvgPool2d(2, ceil_mode=True),
                nn.Conv2d(inputs, width, 1, bias=False),
                group_norm(width),
            )
            blocks.append(BasicBlock(inputs, width, 2, shorter, norm_layer=group_norm))
        self.blocks = nn.Sequential(*blocks)
        self.dense = nn.Linear(widths[-1], out)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> float (k, out), not negative."""
        maps = self.blocks(self.stem(2 * faces - 1))
        return torch.relu(self.dense(maps.mean(dim=(2, 3))))


FRAMES: dict[str, type[FrameVGG] | type[FrameResidual]] = {
    "vgg": FrameVGG,
    "residual": FrameResidual,
}


class TimeMax(nn.Module):
    """A network applied to every face of a clip, then the largest answer over time.

    Only real faces are computed. A clip without any gives zeros. When a whole batch has none, the
    network still runs, on one blank picture whose answer counts zero times, so that every worker of
    a distributed training has a gradient for the same parameters.

    Args:
        frame: network from (k, channels, size, size) to (k, out).
        out: width of its answer.
    """

    def __init__(self, frame: nn.Module, out: int = 128):
        super().__init__()
        self.frame = frame
        self.out = out

    def forward(self, faces: Tensor, mask: Tensor) -> Tensor:
        """Float (b, n, channels, size, size), bool (b, n) -> float (b, out)."""
        clips, pictures = mask.shape
        if not mask.any():
            blank = self.frame(faces.new_zeros(1, *faces.shape[2:]))
            return blank.new_zeros(clips, self.out) + 0 * blank.sum()
        answers = self.frame(faces[mask])
        floor = torch.finfo(answers.dtype).min
        spread = answers.new_full((clips, pictures, self.out), floor)
        spread[mask] = answers
        return torch.where(mask.any(dim=1)[:, None], spread.amax(dim=1), 0)


class TimeRecurrent(nn.Module):
    """A network applied to every face of a clip, then a recurrent layer over time: its last state.

    Pictures without a face are passed over. A clip without any gives zeros; for a whole batch of
    those see ``TimeMax``.

    Args:
        frame: network from (k, channels, size, size) to (k, out).
        out: width of its answer, and of the layer's.
        layer: ``nn.GRU`` or ``nn.LSTM``.
    """

    def __init__(
        self, frame: nn.Module, out: int = 128, layer: type[nn.GRU] | type[nn.LSTM] = nn.GRU
    ):
        super().__init__()
        self.frame = frame
        self.recurrent = layer(out, out, batch_first=True)

    def forward(self, faces: Tensor, mask: Tensor) -> Tensor:
        """Float (b, n, channels, size, size), bool (b, n) -> float (b, out)."""
        if not mask.shape[1]:  # one place, without a face
            faces = faces.new_zeros(len(mask), 1, *faces.shape[2:])
            mask = mask.new_zeros(len(mask), 1)
        answers = apply_to_faces(self.frame, faces, mask)
        # the real ones first, in their order
        order = (~mask).to(torch.int8).argsort(dim=1, stable=True)
        ahead = answers.gather(1, order[:, :, None].expand_as(answers))
        states, _ = self.recurrent(ahead)
        last = mask.sum(dim=1).clamp(min=1) - 1
        state = states[torch.arange(len(states), device=states.device), last]
        return torch.where(mask.any(dim=1)[:, None], state, 0)


OVER_TIME = ("max", "gru", "lstm")


def over_time(kind: str, frame: nn.Module, out: int) -> nn.Module:
    """``frame`` applied to every face of a clip and joined by ``kind``, one of ``OVER_TIME``."""
    if chosen("joining over time", kind, OVER_TIME) == "max":
        return TimeMax(frame, out)
    return TimeRecurrent(frame, out, nn.LSTM if kind == "lstm" else nn.GRU)
