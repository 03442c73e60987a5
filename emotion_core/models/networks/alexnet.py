"""The parts of github.com/luyunan0404/Multimodal-Emotion-Recognition: AlexNet sees, CNN hears.

Each encoder gives the second-last layer of the network that it is published as; the last layer is
the ``head`` of a ``Branch``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emotion_core.models.networks.backbones import imagenet_scaled
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.masking import (
    apply_to_faces,
    apply_where,
    chosen,
    mean_answer,
    needs_audio,
    needs_video,
)
from emotion_core.models.networks.pretrained import load_pretrained
from emotion_core.models.networks.sequence import AudioLSTM
from emotion_core.recipes.specs import AudioSpec, VideoSpec

ENCODERS = ("cnn", "lstm")
WIDTH = 4096
LSTM_WIDTH = 128


class AlexNetEncoder(nn.Module):
    """torchvision's AlexNet (Krizhevsky 2014) up to its second-last layer.

    Args:
        width: of both dense layers.
        dropout: before each.
        pretrained: see ``networks.pretrained``; torchvision's names.
    """

    def __init__(self, width: int = WIDTH, dropout: float = 0.5, pretrained: str | None = None):
        # here, not above: its import takes longer than everything else of this package
        from torchvision.models import AlexNet

        super().__init__()
        with torch.device("meta"):  # its 58 million dense weights are not always wanted
            features = AlexNet().features
        self.width = width
        self.features = features.to_empty(device="cpu")
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                layer.reset_parameters()
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = two_dense(256 * 6 * 6, width, dropout)
        load_pretrained(self, pretrained, "AlexNet", _published_alexnet)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, 3, 224, 224) in [0, 1] -> float (k, width)."""
        maps = self.avgpool(self.features(imagenet_scaled(faces)))
        return self.classifier(maps.flatten(1))


def two_dense(inputs: int, width: int, dropout: float) -> nn.Sequential:
    """AlexNet's dense layers without the answering one, numbered as torchvision does."""
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(inputs, width),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Linear(width, width),
        nn.ReLU(inplace=True),
    )


def _published_alexnet() -> Mapping[str, Any]:
    from torchvision.models import AlexNet_Weights

    return AlexNet_Weights.IMAGENET1K_V1.get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )


class SoundCNN(nn.Module):
    """A CNN like AlexNet for a picture of MFCC, up to its second-last layer.

    Five convolutions (5, 5, 3, 3, 3), max-pooling after the first, the second and the last, then
    AlexNet's two dense layers. Added to what was published: batch normalisation; a first
    convolution that goes two frames at a time, as AlexNet's takes several pixels, which halves the
    time. The published pooling to 6x6 of maps that are one row high repeats the row: here it is
    1x6, the same numbers once.

    Args:
        width: of both dense layers.
        dropout: before each.
        widths: channels of the convolutions.
        stride: frames between two positions of the first convolution.
    """

    def __init__(
        self,
        width: int = WIDTH,
        dropout: float = 0.5,
        widths: Sequence[int] = (128, 128, 128, 256, 256),
        stride: int = 2,
    ):
        super().__init__()
        self.width = width
        layers: list[nn.Module] = []
        channels = 1
        for place, (kernel, out) in enumerate(zip((5, 5, 3, 3, 3), widths, strict=True)):
            step = (1, stride) if place == 0 else 1
            layers.append(nn.Conv2d(channels, out, kernel, step, kernel // 2, bias=False))
            if place in (0, 1, 4):  # before the normalisation, which has a quarter to do then
                layers.append(nn.MaxPool2d(3, stride=2))
            layers += [nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels = out
        # the order in memory that a CPU's convolutions are fastest with
        self.features = nn.Sequential(*layers)
        self.features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pool = nn.AdaptiveAvgPool2d((1, 6))
        self.classifier = two_dense(channels * 6, width, dropout)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        """Float (b, frames, coefficients), padded with zeros in front -> float (b, width)."""
        picture = audio.transpose(1, 2)[:, None].contiguous(memory_format=torch.channels_last)
        return self.classifier(self.pool(self.features(picture)).flatten(1))


class SoundLSTM(AudioLSTM):
    """LSTM with two layers, whose hidden states are the second-last layer.

    Args:
        coefficients: width of the feature matrix.
        width: units of both layers.
        dropout: between them.
        pool: ``mean`` (over the clip) or ``last``.
    """

    def __init__(
        self,
        coefficients: int,
        width: int = LSTM_WIDTH,
        dropout: float = 0.3,
        pool: str = "mean",
    ):
        super().__init__(coefficients, width, layers=2, dropout=dropout, pool=pool)
        self.width = width


class Branch(nn.Module):
    """An encoder and the layer that answers from it.

    Args:
        encoder: says its ``width``.
        n_classes: number of outputs.
    """

    def __init__(self, encoder: AlexNetEncoder | SoundCNN | SoundLSTM, n_classes: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.width, n_classes)

    def forward(self, *inputs: Tensor) -> Tensor:
        """What the encoder takes -> logits."""
        return self.head(self.encoder(*inputs))


def audio_branch(
    spec: AudioSpec,
    n_classes: int,
    encoder: str = "cnn",
    width: int | None = None,
    **options: Any,
) -> Branch:
    """``SoundCNN`` or ``SoundLSTM`` (``encoder``: ``cnn`` or ``lstm``) and its head.

    Args:
        spec: the recipe's.
        n_classes: number of outputs.
        encoder: one of ``ENCODERS``.
        width: of the second-last layer; None takes the published one.
        options: other arguments of the encoder.
    """
    if chosen("encoder of sound", encoder, ENCODERS) == "cnn":
        return Branch(SoundCNN(width or WIDTH, **options), n_classes)
    return Branch(SoundLSTM(spec.coefficients, width or LSTM_WIDTH, **options), n_classes)


class AlexNetAudio(nn.Module):
    """The network of recipes ``alexnet-audio-cnn`` and ``alexnet-audio-lstm``.

    Args:
        audio: the recipe's.
        video: not used.
        n_classes: number of outputs.
        encoder: ``cnn`` or ``lstm``.
        width: of its second-last layer; None takes the published one (4096 or 128).
        options: other arguments of ``SoundCNN`` or ``SoundLSTM``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        encoder: str = "cnn",
        width: int | None = None,
        **options: Any,
    ):
        super().__init__()
        spec = needs_audio(audio, "alexnet-audio")
        self.audio = audio_branch(spec, n_classes, encoder, width, **options)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without sound."""
        assert batch.audio is not None, "the recipe has sound"
        return apply_where(self.audio, batch.has_audio, batch.audio, batch.audio_length)


class AlexNetVisual(nn.Module):
    """The network of recipe ``alexnet-visual``: the mean answer to a clip's pictures.

    Args:
        audio: not used.
        video: the recipe's.
        n_classes: number of outputs.
        width, dropout, pretrained: see ``AlexNetEncoder``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        width: int = WIDTH,
        dropout: float = 0.5,
        pretrained: str | None = None,
    ):
        super().__init__()
        needs_video(video, "alexnet-visual")
        self.face = Branch(AlexNetEncoder(width, dropout, pretrained), n_classes)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, float (b, n_classes); zeros for a clip without a face."""
        assert batch.faces is not None, "the recipe has pictures"
        logits = apply_to_faces(self.face, batch.faces, batch.face_mask)
        return mean_answer(logits, batch.face_mask)
