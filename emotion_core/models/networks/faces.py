"""Networks that answer from single faces; a clip is answered by the mean over its faces."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import apply_to_faces, mean_answer, needs_video
from emotion_core.recipes.specs import AudioSpec, VideoSpec


class FaceAnswers(nn.Module):
    """A network that is asked about every real face of a clip; the clip gets the mean answer.

    Args:
        frame: from (k, channels, size, size) in [0, 1] to logits (k, n_classes).
    """

    def __init__(self, frame: nn.Module):
        super().__init__()
        self.frame = frame

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes): the logarithm of the mean probabilities of its faces."""
        assert batch.faces is not None, "the recipe has pictures"
        logits = apply_to_faces(self.frame, batch.faces, batch.face_mask)
        return mean_answer(logits, batch.face_mask)


def dense_head(
    inputs: int, widths: Sequence[int], dropouts: Sequence[float], outputs: int
) -> nn.Sequential:
    """Dense layers with ReLU and dropout behind each of ``widths``, then the answering one."""
    layers: list[nn.Module] = []
    for width, dropout in zip(widths, dropouts, strict=True):
        layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class BlockCNN(nn.Module):
    """Blocks of convolutions, batch normalisation, max-pooling and dropout, and a dense layer.

    The last convolution of a block is pooled before it is normalised, not after: a quarter of the
    work there, for the same shapes (one thread, one convolution a block: 12 against 15 ms a
    picture). Batch normalisation is what its authors used, and works here: a training batch is many
    faces, one a clip.

    Args:
        channels: 1 for grey, 3 for RGB.
        size: pixels of a side.
        n_classes: number of outputs.
        widths: channels of each block, which halves the picture.
        convolutions: in each block.
        dense: width of the layer behind the blocks.
        dropout: behind each block.
        dense_dropout: behind the dense layer.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        n_classes: int,
        widths: Sequence[int],
        convolutions: int,
        dense: int,
        dropout: float,
        dense_dropout: float,
    ):
        super().__init__()
        blocks = []
        for width in widths:
            layers: list[nn.Module] = []
            for place in range(convolutions):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                if place == convolutions - 1:
                    layers.append(nn.MaxPool2d(2))
                layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
                channels = width
            blocks.append(nn.Sequential(*layers, nn.Dropout(dropout)))
            size //= 2
        # the order in memory that a CPU's convolutions are fastest with
        self.blocks = nn.Sequential(*blocks)
        self.blocks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = dense_head(channels * size**2, [dense], [dense_dropout], n_classes)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> logits (k, n_classes)."""
        maps = self.blocks((2 * faces - 1).contiguous(memory_format=torch.channels_last))
        return self.head(maps.flatten(1))


class FerCNN(FaceAnswers):
    """The network of recipe ``fer-cnn``: four blocks of 64, 128, 256 and 512 channels.

    After github.com/ariesiitr/Emotion-Detection-2.0.

    Args:
        audio: not used.
        video: the recipe's.
        n_classes: number of outputs.
        widths, convolutions, dense, dropout, dense_dropout: see ``BlockCNN``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        widths: Sequence[int] = (64, 128, 256, 512),
        convolutions: int = 2,
        dense: int = 1024,
        dropout: float = 0.25,
        dense_dropout: float = 0.5,
    ):
        seen = needs_video(video, "fer-cnn")
        super().__init__(
            BlockCNN(
                1 if seen.grey else 3,
                seen.face_size,
                n_classes,
                widths,
                convolutions,
                dense,
                dropout,
                dense_dropout,
            )
        )
