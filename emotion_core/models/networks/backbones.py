"""Published networks of others as networks of faces: VGG16 and InceptionResNetV2."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.errors import UsageError
from emotion_core.models.networks.faces import FaceAnswers, dense_head
from emotion_core.models.networks.masking import needs_video
from emotion_core.models.networks.pretrained import averaged_first_kernels, load_pretrained
from emotion_core.recipes.specs import AudioSpec, VideoSpec

# what ImageNet's pictures are brought to, RGB and grey
IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GREY_MEAN, GREY_DEVIATION = 0.449, 0.226
# the smallest picture of which the last layers of InceptionResNetV2 see more than one pixel
LEAST_INCEPTION = 112
INCEPTION_WIDTH = 1536


class FrameVGG16(nn.Module):
    """torchvision's VGG16 (Simonyan & Zisserman 2015) without its top, and a dense head.

    For grey pictures the first layer's kernels are averaged to one channel. Such a kernel answers
    with a third of what the three kernels give for three equal channels, so grey pictures are
    multiplied by three.

    Args:
        grey: one channel instead of three.
        n_classes: number of outputs.
        dense, dropout: width of the head's layer, and dropout behind it.
        pretrained: see ``networks.pretrained``; torchvision's names.
    """

    def __init__(
        self, grey: bool, n_classes: int, dense: int, dropout: float, pretrained: str | None
    ):
        # here, not above: its import takes longer than everything else of this package
        from torchvision.models.vgg import cfgs, make_layers

        super().__init__()
        self.grey = grey
        self.features = make_layers(cfgs["D"])
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):  # as torchvision begins, or so many layers die away
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        if grey:
            self.features[0] = averaged(self.features[0])
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = dense_head(512, [dense], [dropout], n_classes)
        average = averaged_first_kernels("features.0.weight")
        load_pretrained(
            nn.ModuleDict({"features": self.features}),
            pretrained,
            "VGG16",
            _published_vgg16,
            average if grey else dict,
        )

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, channels, size, size) in [0, 1] -> logits (k, n_classes)."""
        seen = 3 * (faces - GREY_MEAN) / GREY_DEVIATION if self.grey else imagenet_scaled(faces)
        return self.head(self.pool(self.features(seen)).flatten(1))


def averaged(layer: nn.Conv2d) -> nn.Conv2d:
    """A padded layer for one channel: each kernel is the mean of its kernels for the colours."""
    _, _, height, width = layer.weight.shape
    one = nn.Conv2d(1, layer.out_channels, (height, width), padding=(height // 2, width // 2))
    one.load_state_dict(averaged_first_kernels("weight")(dict(layer.state_dict())))
    return one


def imagenet_scaled(faces: Tensor) -> Tensor:
    """RGB pictures in [0, 1] as networks trained on ImageNet want them."""
    mean, deviation = faces.new_tensor([IMAGENET_MEAN, IMAGENET_DEVIATION])[:, :, None, None]
    return (faces - mean) / deviation


def _published_vgg16() -> Mapping[str, Any]:
    from torchvision.models import VGG16_Weights

    return VGG16_Weights.IMAGENET1K_V1.get_state_dict(
        progress=False, check_hash=True, weights_only=True
    )


class FerVGG16Grey(FaceAnswers):
    """The network of recipe ``fer-vgg16-grey``.

    Args:
        audio: not used.
        video: the recipe's.
        n_classes: number of outputs.
        dense, dropout, pretrained: see ``FrameVGG16``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        dense: int = 512,
        dropout: float = 0.5,
        pretrained: str | None = None,
    ):
        grey = needs_video(video, "fer-vgg16-grey").grey
        super().__init__(FrameVGG16(grey, n_classes, dense, dropout, pretrained))


class FrameInceptionResNet(nn.Module):
    """timm's InceptionResNetV2 (Szegedy et al. 2017) with a head of four dense layers.

    Args:
        size: pictures are enlarged to this many pixels a side; grey ones are shown as RGB.
        n_classes: number of outputs.
        dense, dropouts: widths of the head's layers, and dropout behind each.
        pretrained: see ``networks.pretrained``; timm's names.
    """

    def __init__(
        self,
        size: int,
        n_classes: int,
        dense: Sequence[int],
        dropouts: Sequence[float],
        pretrained: str | None,
    ):
        import timm

        super().__init__()
        if size < LEAST_INCEPTION:
            raise UsageError(
                f"size {size} of fer-inception-resnet: at least {LEAST_INCEPTION} pixels"
            )
        self.size = size
        self.backbone = timm.create_model("inception_resnet_v2", num_classes=0)
        # pixel by pixel, not channel by channel: a step takes a tenth less on a CPU
        self.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.head = dense_head(INCEPTION_WIDTH, dense, dropouts, n_classes)
        load_pretrained(self.backbone, pretrained, "InceptionResNetV2", _published_inception)

    def forward(self, faces: Tensor) -> Tensor:
        """Float (k, 1 or 3, size, size) in [0, 1] -> logits (k, n_classes)."""
        large = functional.interpolate(
            faces, (self.size, self.size), mode="bilinear", align_corners=False
        )
        colours = 2 * large.expand(-1, 3, -1, -1) - 1
        return self.head(self.backbone(colours.contiguous(memory_format=torch.channels_last)))


def _published_inception() -> Mapping[str, Tensor]:
    import timm

    return timm.create_model("inception_resnet_v2", pretrained=True, num_classes=0).state_dict()


class FerInceptionResNet(FaceAnswers):
    """The network of recipe ``fer-inception-resnet``.

    Args:
        audio: not used.
        video: the recipe's.
        n_classes: number of outputs.
        size, dense, dropouts, pretrained: see ``FrameInceptionResNet``.
    """

    def __init__(
        self,
        audio: AudioSpec | None,
        video: VideoSpec | None,
        n_classes: int,
        size: int = 128,
        dense: Sequence[int] = (1024, 512, 256, 128),
        dropouts: Sequence[float] = (0.75, 0.5, 0.25, 0.25),
        pretrained: str | None = None,
    ):
        needs_video(video, "fer-inception-resnet")
        super().__init__(FrameInceptionResNet(size, n_classes, dense, dropouts, pretrained))
