"""A small residual network for faces, asked twice when it answers: about a face and its mirror."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.models.networks.faces import FaceAnswers
from emotion_core.models.networks.masking import needs_video
from emotion_core.recipes.specs import AudioSpec, VideoSpec

# of the networks that shipped weights fit
FACE_WIDTHS = (16, 48, 96, 192)
FACE_BLOCKS = (1, 2, 2)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Two convolutions and a way around them (He et al. 2016).

    Args:
        inputs, outputs: channels.
        stride: 2 halves the picture.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.first = _convolution(inputs, outputs, stride)
        self.second = _convolution(outputs, outputs)
        # pooled, not picked: every pixel counts (He et al. 2019, "Bag of tricks", ResNet-D)
        self.around = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
            nn.AvgPool2d(stride, ceil_mode=True),
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """Float (k, inputs, size, size) -> (k, outputs, size / stride, size / stride)."""
        found = self.second(functional.relu(self.first(maps)))
        return functional.relu(found + self.around(maps))


class FaceEmbedding(nn.Module):
    """Faces to an embedding each.

    Args:
        channels: 1 for grey, 3 for RGB.
        widths: of the stem, then of each stage, which halves the picture.
        blocks: in each stage.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = [_convolution(channels, widths[0]), nn.ReLU(inplace=True)]
        inputs = widths[0]
        for width, count in zip(widths[1:], blocks, strict=True):
            for place in range(count):
                layers.append(Residual(inputs, width, stride=2 if place == 0 else 1))
                inputs = width
        # the order in memory that a CPU's convolutions are fastest with
        self.layers = nn.Sequential(*layers)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.width = inputs

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> embeddings (k, width).

        Brightness and contrast of each face are taken out first.
        """
        mean = faces.mean(dim=(1, 2, 3), keepdim=True)
        deviation = faces.std(dim=(1, 2, 3), keepdim=True, correction=0)
        faces = (faces - mean) / (deviation + 1e-2)
        maps = self.layers(faces.contiguous(memory_format=torch.channels_last))
        return maps.mean(dim=(2, 3))


class SmallResidual(FaceEmbedding):
    """Faces to logits.

    Args:
        channels, widths, blocks: see ``FaceEmbedding``.
        n_classes: number of outputs.
        dropout: of the embedding.
    """

    def __init__(
        self,
        channels: int,
        n_classes: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        dropout: float,
    ):
        super().__init__(channels, widths, blocks)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(self.width, n_classes)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> logits (k, n_classes).

        In evaluation mode these are the mean of a face's and of its mirror image's.
        """
        found = super().forward(faces)
        if self.training:
            return self.answer(self.dropout(found))
        return (self.answer(found) + self.answer(super().forward(faces.flip(3)))) / 2


class FaceSmall(FaceAnswers):
    """The network of recipe ``face-small``.

    Args:
        audio: not used.
        video: the recipe's.
        n_classes: number of outputs.
        widths, blocks, dropout: see ``SmallResidual``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        widths: Sequence[int] = FACE_WIDTHS,
        blocks: Sequence[int] = FACE_BLOCKS,
        dropout: float = 0.3,
    ):
        seen = needs_video(video, "face-small")
        channels = 1 if seen.grey else 3
        super().__init__(SmallResidual(channels, n_classes, widths, blocks, dropout))
