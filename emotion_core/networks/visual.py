"""Encoders of face crops."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


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
