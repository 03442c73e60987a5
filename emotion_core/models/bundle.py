"""The model bundle: a folder with weights, recipe, figures and a model card. Nothing is unpickled.

Files: ``model.safetensors``; ``recipe.json`` (everything needed to make the same features again);
``metrics.json`` (figures of training, not of the test side); ``history.json``; ``README.md`` (the
model card); pictures.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.answers import probabilities
from emotion_core.models.networks import build_network
from emotion_core.models.samples import Sample
from emotion_core.recipes import recipe_from_json, recipe_to_json
from emotion_core.recipes.emotions import LABEL_SETS, LabelSet
from emotion_core.recipes.specs import Recipe

FORMAT = 1
WEIGHTS = "model.safetensors"
RECIPE = "recipe.json"
METRICS = "metrics.json"
HISTORY = "history.json"
CARD = "README.md"


@dataclass(frozen=True)
class BundleInfo:
    """What a bundle knows besides its weights; ``recipe.json`` holds it.

    Attributes:
        recipe: as it was trained, options included.
        label_set: what the outputs mean.
        features: how the features were made (``settings`` of the features' folder): specs,
            ``detector`` with the hash of its weights, decoder, audio backend.
        audio_frames: sound is padded to this many frames.
        modalities: ``audio`` and ``face``, as far as the training clips had them. What a network
            was never trained on it cannot judge, so ``Bundle.predict`` hides the others.
        split, seed: the protocol that decided the training clips.
        speakers: ``corpus/speaker`` of everybody in training and validation.
        clips: number of training and validation clips, by corpus.
    """

    recipe: Recipe
    label_set: LabelSet
    features: Mapping[str, Any]
    audio_frames: int
    modalities: tuple[str, ...]
    split: str
    seed: int
    speakers: tuple[str, ...] = ()
    clips: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Bundle:
    """A loaded model.

    Attributes:
        info: recipe, labels and everything else that was recorded.
        network: in evaluation mode, on ``device``.
        model_id: 16 hex digits over weights and recipe.
        device: where ``predict`` computes.
    """

    info: BundleInfo
    network: nn.Module
    model_id: str
    device: str = "cpu"

    @property
    def recipe(self) -> Recipe:
        """How features are made and what the network is."""
        return self.info.recipe

    @property
    def label_set(self) -> LabelSet:
        """What the columns of ``predict`` mean."""
        return self.info.label_set

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """Probabilities, float32 (clips, classes), each row adding up to 1.

        A modality that the network was not trained on counts as missing. A clip without any
        modality left gives the network's answer to nothing: leave such clips out.
        """
        unknown = {"audio", "face"} - set(self.info.modalities)
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
    written = _info_to_json(info)
    model_id = _model_id(data, written)
    storage.write_bytes(storage.join(out, WEIGHTS), data)
    storage.write_json(storage.join(out, METRICS), {"model_id": model_id, **metrics})
    storage.write_json(storage.join(out, HISTORY), history)
    storage.write_bytes(storage.join(out, CARD), card.encode())
    for name, png in (pictures or {}).items():
        storage.write_bytes(storage.join(out, name), png)
    storage.write_json(storage.join(out, RECIPE), {"model_id": model_id, **written})
    return model_id


def load_bundle(uri: str, device: str = "cpu") -> Bundle:
    """The bundle in the folder ``uri``.

    Args:
        uri: any URI.
        device: where its network shall compute.

    Raises:
        UsageError: no bundle there, a file of it is damaged or does not belong to the others, or
            its network is not known here.
    """
    place = storage.join(uri, RECIPE)
    if not storage.exists(place):
        raise UsageError(
            f"{uri!r} is no model bundle (it has no {RECIPE}): give the --out of a finished "
            "jobs/train.py"
        )
    written = storage.read_json(place)
    info = _info_from_json(written, uri)
    data = storage.read_bytes(storage.join(uri, WEIGHTS))
    # over the words as they were written: a bundle of version 0.1 has some that changed since
    model_id = _model_id(data, {key: written[key] for key in written if key != "model_id"})
    if model_id != written.get("model_id"):
        raise UsageError(
            f"model bundle {uri!r} is damaged: {WEIGHTS} or {RECIPE} is not what was written"
        )
    network = build_network(info.recipe, len(info.label_set.labels), download=False)
    try:
        network.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as error:
        raise UsageError(
            f"model bundle {uri!r}: its weights do not fit network {info.recipe.network!r} "
            f"of this version ({str(error).splitlines()[0]})"
        ) from error
    return Bundle(info, network.eval().to(device), model_id, device)


def combined_id(bundles: Sequence[Bundle]) -> str:
    """The ``model_id`` of models that answer together: one model's own, else a hash of them all."""
    ids = sorted(bundle.model_id for bundle in bundles)
    return ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def _model_id(weights: bytes, info: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(weights)
    digest.update(json.dumps(info, sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _info_to_json(info: BundleInfo) -> dict[str, Any]:
    values = {
        "format": FORMAT,
        "recipe": recipe_to_json(info.recipe),
        "label_set": asdict(info.label_set),
        "features": dict(info.features),
        "audio_frames": info.audio_frames,
        "modalities": info.modalities,
        "split": info.split,
        "seed": info.seed,
        "speakers": info.speakers,
        "clips": dict(info.clips),
    }
    return json.loads(json.dumps(values))  # tuples as lists: the same before and after storage


def _info_from_json(data: Any, uri: str) -> BundleInfo:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise UsageError(
            f"model bundle {uri!r} has format {found!r}, this version reads {FORMAT}: train it "
            "again, or use the version that made it"
        )
    try:
        labels = data["label_set"]
        info = BundleInfo(
            recipe=recipe_from_json(data["recipe"]),
            label_set=LabelSet(labels["name"], tuple(labels["labels"]), labels["merge"]),
            features=data["features"],
            audio_frames=int(data["audio_frames"]),
            modalities=tuple(data["modalities"]),
            split=data["split"],
            seed=int(data["seed"]),
            speakers=tuple(data["speakers"]),
            clips=data["clips"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"model bundle {uri!r}: {RECIPE} lacks {error}") from error
    known = LABEL_SETS[info.recipe.label_set]
    if (known.labels, dict(known.merge)) != (info.label_set.labels, dict(info.label_set.merge)):
        raise UsageError(
            f"model bundle {uri!r}: label set {known.name!r} has other classes in this version"
        )
    return info
