"""What a bundle says of itself, read without what computes: no torch is imported for it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.bundle_info import BundleInfo, info_from_json
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import Recipe

WEIGHTS = "model.safetensors"
RECIPE = "recipe.json"
# Bytes; thousands of speakers take some hundred thousand.
_MOST_RECIPE = 16 << 20


@dataclass(frozen=True)
class Described:
    """A bundle without its network.

    Attributes:
        info: recipe, labels and everything else that was recorded.
        model_id: 16 hex digits over weights and recipe: tells damage, no proof of who made it.
    """

    info: BundleInfo
    model_id: str

    @property
    def recipe(self) -> Recipe:
        """How features are made and what the network is."""
        return self.info.recipe

    @property
    def label_set(self) -> LabelSet:
        """What the columns of its answers mean."""
        return self.info.label_set

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the network was trained on, and so can judge."""
        return self.info.modalities

    @property
    def detector(self) -> Mapping[str, str] | None:
        """The face detector that its features were made with; None without pictures."""
        return self.info.made_with("detector") if self.recipe.video else None


def described(uri: str) -> Described:
    """A bundle of the package's own, undamaged; whether its network can be built is not known.

    Of strangers' nothing is read before its size is known: ``bundle.load_bundle``.

    Args:
        uri: of its folder.

    Raises:
        UsageError: there is none, or it is damaged.
    """
    written = written_in(uri)
    try:
        info = info_from_json(written)
    except UsageError as error:
        raise UsageError(f"model bundle {uri!r}: {error}") from error
    return Described(info, undamaged(uri, storage.read_bytes(storage.join(uri, WEIGHTS)), written))


def written_in(uri: str) -> Any:
    """What ``recipe.json`` of the bundle in the folder ``uri`` holds, of which nothing is believed.

    Raises:
        UsageError: there is none, or it is too large to be one.
    """
    place = storage.join(uri, RECIPE)
    if not storage.exists(place):
        raise UsageError(
            f"{uri!r} is no model bundle (it has no {RECIPE}): give the --out of a finished "
            "jobs/train.py"
        )
    if size_of(place) > _MOST_RECIPE:
        raise UsageError(f"model bundle {uri!r}: its {RECIPE} is too large to be one")
    return storage.read_json(place)


def size_of(uri: str) -> int:
    """Bytes of the file at ``uri``.

    Raises:
        UsageError: there is no such file.
    """
    return sum(file.size for file in storage.list_files(uri))


def undamaged(uri: str, weights: bytes, written: Mapping[str, Any]) -> str:
    """The ``model_id`` of a bundle, which goes with its files.

    Raises:
        UsageError: it does not.
    """
    # over the words as they were written: a bundle of version 0.1 has some that changed since
    words = {key: written[key] for key in written if key != "model_id"}
    model_id = id_of(weights, words)
    if model_id != written.get("model_id"):
        raise UsageError(
            f"model bundle {uri!r} is damaged: {WEIGHTS} or {RECIPE} is not what was written"
        )
    return model_id


def id_of(weights: bytes, info: Mapping[str, Any]) -> str:
    """The ``model_id`` of a bundle: 16 hex digits of a SHA-256 over its weights and its words."""
    digest = hashlib.sha256(weights)
    digest.update(json.dumps(info, sort_keys=True).encode())
    return digest.hexdigest()[:16]
