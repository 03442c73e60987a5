"""Torch networks. Each takes a ``Batch`` and answers with logits of shape (b, n_classes).

A network is a class whose constructor takes ``(audio, video, n_classes, **options)``: the recipe's
``AudioSpec`` and ``VideoSpec`` (None when unused), the number of classes, and the recipe's
``network_options``. For distributed training every parameter should take part in every forward
pass; a network for which that is not so says ``skips_parameters = True`` as a class attribute.

A network that is trained in phases (``TrainSpec.phases``) has two more methods. ``needs(phase)``
names the modalities (``audio``, ``face``) that a clip must have to take part in that phase.
``enter(phase)`` sets ``requires_grad`` of its weights, and lets ``forward`` answer as that phase
does; a new network answers as after its last phase. A clip with one modality is answered from that
one.

A network may take ``pretrained`` (None, or what ``networks.pretrained`` or the network itself
understands) among its options; a network whose weights come from a bundle is built without. If it
has the method ``pretrained_weights()``, which gives those of its parameters that came from
elsewhere, they may have a learning rate of their own (``TrainSpec.pretrained_lr``).
"""

import importlib
from typing import Any

from torch import nn

from emotion_core.errors import UsageError
from emotion_core.models.networks.alexnet import AlexNetAudio, AlexNetVisual
from emotion_core.models.networks.attentive import VoiceEncoder
from emotion_core.models.networks.audiovisual import AudioVisual
from emotion_core.models.networks.backbones import FerInceptionResNet, FerVGG16Grey
from emotion_core.models.networks.batch import Batch
from emotion_core.models.networks.conv1d import AudioCNN1D
from emotion_core.models.networks.faces import FerCNN
from emotion_core.models.networks.finetune import VoiceFinetune
from emotion_core.models.networks.fusion import AlexNetFusion
from emotion_core.models.networks.residual import FaceSmall
from emotion_core.models.networks.spectrogram import VoiceSmall
from emotion_core.models.networks.strip import StripCNNLSTM
from emotion_core.models.networks.timedist import TimeDistBLSTM
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import Recipe

__all__ = ["NETWORKS", "Batch", "build_network", "network_class"]

NETWORKS: dict[str, type[nn.Module]] = {
    "alexnet-audio": AlexNetAudio,
    "alexnet-fusion": AlexNetFusion,
    "alexnet-visual": AlexNetVisual,
    "audio-cnn1d": AudioCNN1D,
    "face-small": FaceSmall,
    "fer-cnn": FerCNN,
    "fer-inception-resnet": FerInceptionResNet,
    "fer-vgg16-grey": FerVGG16Grey,
    "fusion": AudioVisual,
    "strip-cnn-lstm": StripCNNLSTM,
    "timedist-blstm": TimeDistBLSTM,
    "voice-encoder": VoiceEncoder,
    "voice-finetune": VoiceFinetune,
    "voice-small": VoiceSmall,
}


def network_class(name: str, trust_code: bool = True) -> type[nn.Module]:
    """The class that ``name`` (a key of ``NETWORKS``, or ``module:NAME``) stands for.

    Args:
        name: see there.
        trust_code: ``module:NAME`` may be imported, which runs that module's code: right for a
            recipe that the user passed himself. False where the name was read from a file.

    Raises:
        UsageError: no such network, one that may not be imported, or what the name leads to is not
            a torch module.
    """
    if name in NETWORKS:
        return NETWORKS[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        known = ", ".join(sorted(NETWORKS))
        raise UsageError(f"no network {name!r}: choose one of {known}, or module:NAME")
    if not trust_code:
        raise UsageError(
            f"its network {name!r} is not one of this package, and loading it runs the code of "
            f"module {module!r}: pass --trust-code if you trust whoever made it"
        )
    try:
        found: Any = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"network {name!r} cannot be imported ({error}): its module must be on PYTHONPATH"
        ) from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise UsageError(f"network {name!r} is not a torch.nn.Module class")
    return found


def build_network(
    recipe: Recipe,
    n_classes: int | None = None,
    download: bool = True,
    trust_code: bool = True,
) -> nn.Module:
    """A new network for ``recipe``, with fresh weights from torch's random state.

    Args:
        recipe: names the class, its options and what it is fed with.
        n_classes: outputs; None takes the number of the recipe's label set.
        download: fetch pretrained weights, if the recipe asks for some. False where others will be
            loaded anyway.
        trust_code: as ``network_class`` takes it.

    Raises:
        UsageError: unknown network, one that may not be imported, options that it does not take, or
            a learning rate for pretrained weights of a network that names none.
    """
    outputs = n_classes if n_classes is not None else len(LABEL_SETS[recipe.label_set].labels)
    kind = network_class(recipe.network, trust_code)
    if recipe.training.pretrained_lr is not None and not hasattr(kind, "pretrained_weights"):
        raise UsageError(
            f"training pretrained_lr {recipe.training.pretrained_lr}: network {recipe.network!r} "
            "names no pretrained weights, so there is nothing to give it to: leave it out"
        )
    options = dict(recipe.network_options)
    if not download:
        options.pop("pretrained", None)
    try:
        return kind(recipe.audio, recipe.video, outputs, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]  # torch prints whole signatures
        raise UsageError(
            f"network {recipe.network!r} does not take its options: {reason}"
        ) from error
