"""The model bundle: a folder with weights, recipe, figures and a model card. Nothing is unpickled.

Files: ``model.safetensors``; ``recipe.json`` (everything needed to make the same features again);
``metrics.json`` (figures of training, not of the test side); ``history.json``; ``README.md`` (the
model card); pictures.

A bundle may come from a stranger. ``recipe.json`` names networks of this package only, unless
whoever loads it says that the code is trusted; its fields are checked (``bundle_info``), and the
weights are read when it is known that they fit (``weights``). The ``model_id`` is a hash that
anybody can compute: it tells damage, and one model from another, but not who made it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.answers import probabilities
from emotion_core.models.bundle_info import BundleInfo, info_from_json, info_to_json
from emotion_core.models.described import (
    RECIPE,
    WEIGHTS,
    Described,
    id_of,
    size_of,
    undamaged,
    written_in,
)
from emotion_core.models.member import Features
from emotion_core.models.networks import NETWORKS, build_network
from emotion_core.models.samples import Sample
from emotion_core.models.temperature import tempered
from emotion_core.models.weights import check_fit
from emotion_core.sound.backends import batch_features

__all__ = ["Bundle", "BundleInfo", "load_bundle", "save_bundle"]

METRICS = "metrics.json"
HISTORY = "history.json"
CARD = "README.md"


@dataclass(frozen=True)
class Bundle(Described):
    """A loaded model.

    Attributes:
        info: recipe, labels and everything else that was recorded.
        model_id: 16 hex digits over weights and recipe: tells damage, no proof of who made it.
        network: in evaluation mode, on ``device``.
        device: where ``predict`` computes.
    """

    network: nn.Module
    device: str = "cpu"

    def features(self) -> Features:
        """What makes the features of sound that it was trained on."""
        assert self.recipe.audio is not None
        return batch_features(self.recipe.audio, self.info.made_with("audio_backend"), self.device)

    def predict(self, samples: Sequence[Sample], hide: Sequence[str] = ()) -> np.ndarray:
        """Probabilities, float32 (clips, classes), each row adding up to 1.

        A modality that the network was not trained on counts as missing. A clip without any
        modality left gives the network's answer to nothing: leave such clips out.

        Args:
            samples: clips.
            hide: ``audio`` or ``face``: counts as missing too.
        """
        return tempered(self.uncalibrated(samples, hide), self.info.temperature)

    def uncalibrated(self, samples: Sequence[Sample], hide: Sequence[str] = ()) -> np.ndarray:
        """What ``predict`` gives at a temperature of 1."""
        unknown = {"audio", "face"} - set(self.info.modalities) | set(hide)
        return probabilities(
            self.network, samples, self.recipe, self.info.audio_frames, self.device, unknown
        ).numpy()


def save_bundle(
    out: str,
    info: BundleInfo,
    weights: Mapping[str, Tensor],
    metrics: Mapping[str, Any],
    history: list[dict[str, Any]],
    card: str,
    pictures: Mapping[str, bytes] | None = None,
) -> str:
    """Write a bundle to the folder ``out`` (any URI); ``recipe.json``, which makes it one, last.

    Args:
        out: may hold other files.
        info: see there.
        weights: the network's ``state_dict``.
        metrics: figures of the training, JSON values.
        history: one object an epoch.
        card: Markdown.
        pictures: file name -> PNG.

    Returns:
        The model's id.
    """
    data = save({name: tensor.contiguous() for name, tensor in weights.items()})
    written = info_to_json(info)
    model_id = id_of(data, written)
    storage.write_bytes(storage.join(out, WEIGHTS), data)
    storage.write_json(storage.join(out, METRICS), {"model_id": model_id, **metrics})
    storage.write_json(storage.join(out, HISTORY), history)
    storage.write_bytes(storage.join(out, CARD), card.encode())
    for name, png in (pictures or {}).items():
        storage.write_bytes(storage.join(out, name), png)
    storage.write_json(storage.join(out, RECIPE), {"model_id": model_id, **written})
    return model_id


def load_bundle(
    uri: str, device: str = "cpu", trust_code: bool = False, own_network: str | None = None
) -> Bundle:
    """The bundle in the folder ``uri``.

    Args:
        uri: any URI.
        device: where its network shall compute.
        trust_code: a network of any module may be imported, which runs that module's code. Else
            only those of this package.
        own_network: this one too: that of a recipe which the user passed himself.

    Raises:
        UsageError: no bundle there, a file of it is damaged, absurd or does not belong to the
            others, or its network is not known here, or not trusted.
    """
    written, weights = written_in(uri), storage.join(uri, WEIGHTS)
    try:
        info = info_from_json(written)
        classes = len(info.label_set.labels)
        trusted = trust_code or info.recipe.network == own_network
        size = size_of(weights)
        if info.recipe.network in NETWORKS or not trusted:
            check_fit(weights, size, info.recipe, classes)
    except UsageError as error:
        raise UsageError(f"model bundle {uri!r}: {error}") from error
    data = storage.read_bytes(weights, 0, size)
    model_id = undamaged(uri, data, written)
    network = build_network(info.recipe, classes, download=False, trust_code=trusted)
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError, AttributeError, KeyError, ValueError) as error:
        raise UsageError(
            f"model bundle {uri!r}: its weights do not fit network {info.recipe.network!r} "
            f"of this version ({str(error).splitlines()[0]})"
        ) from error
    return Bundle(info, model_id, network.eval().to(device), device)
