"""What ``recipe.json`` of a bundle says, and what of it is believed.

Whoever wrote the file may mean harm, and his ``model_id`` is right all the same: anybody can
compute it. So every field is checked before it is used.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.models.temperature import HIGHEST, LOWEST
from emotion_core.recipes import recipe_from_json, recipe_to_json
from emotion_core.recipes.checks import shown
from emotion_core.recipes.emotions import LABEL_SETS, LabelSet
from emotion_core.recipes.specs import Recipe
from emotion_core.sound.backends import BACKENDS

FORMAT = 1
MODALITIES = ("audio", "face")
# Numbers of a padded sound: 1 GB as float32.
_MOST_PADDED = 1 << 28


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
        temperature: divides the logits (``models.temperature``); fitted on the validation side.
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
    temperature: float = 1.0

    def made_with(self, key: str) -> Any:
        """One of ``features``.

        Raises:
            UsageError: the bundle does not say.
        """
        if key not in self.features:
            raise UsageError(
                f"the model of recipe {self.recipe.name!r} does not say with which {key} its "
                "features were made: train it again"
            )
        return self.features[key]


def info_to_json(info: BundleInfo) -> dict[str, Any]:
    """What ``recipe.json`` holds besides the ``model_id``: plain JSON values."""
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
        "temperature": info.temperature,
    }
    return json.loads(json.dumps(values))  # tuples as lists: the same before and after storage


def info_from_json(data: Any) -> BundleInfo:
    """The way back.

    Raises:
        UsageError: another format, a field is missing or is nothing that can stand there, or the
            label set has other classes today.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else None
        raise UsageError(
            f"has format {shown(found)}, this version reads {FORMAT}: train it again, or use the "
            "version that made it"
        )
    missing = [key for key in (*_FIELDS, "recipe", "label_set") if key not in data]
    if missing:
        raise UsageError(f"recipe.json lacks {missing[0]!r}")
    for key, fits in _FIELDS.items():
        if not fits(data[key]):
            raise UsageError(f"recipe.json: {key} is {shown(data[key])}: nothing that can be that")
    recipe = recipe_from_json(data["recipe"])
    _check_features(data["features"])
    if data["audio_frames"] * (recipe.audio.coefficients if recipe.audio else 1) > _MOST_PADDED:
        raise UsageError(
            f"recipe.json: audio_frames is {shown(data['audio_frames'])}: no sound is that long"
        )
    return BundleInfo(
        recipe=recipe,
        label_set=_label_set(data["label_set"], recipe),
        features=data["features"],
        audio_frames=data["audio_frames"],
        modalities=tuple(data["modalities"]),
        split=data["split"],
        seed=data["seed"],
        speakers=tuple(data["speakers"]),
        clips=data["clips"],
        temperature=_temperature(data.get("temperature", 1.0)),  # older bundles have none
    )


def _temperature(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        value = float("nan")
    if not LOWEST <= value <= HIGHEST:
        raise UsageError(f"recipe.json: temperature is {shown(value)}: not between 0.2 and 5")
    return float(value)


def _label_set(data: Any, recipe: Recipe) -> LabelSet:
    known = LABEL_SETS[recipe.label_set]
    same = {"name": known.name, "labels": list(known.labels), "merge": dict(known.merge)}
    if data != same:
        raise UsageError(f"label set {known.name!r} has other classes in this version")
    return known


def _check_features(features: Mapping[str, Any]) -> None:
    """The two that something is loaded for; the others are only shown and compared."""
    detector = features.get("detector")
    if detector is not None:
        named = isinstance(detector, dict) and all(
            isinstance(detector.get(key), str) for key in ("name", "weights_hash")
        )
        if not named:
            raise UsageError(f"recipe.json: detector is {shown(detector)}: not its name and hash")
    backend = features.get("audio_backend")
    if backend is not None and backend not in BACKENDS:
        raise UsageError(f"recipe.json: audio_backend is {shown(backend)}: not one that is known")


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) for word in value)


_FIELDS = MappingProxyType(
    {
        "features": lambda value: isinstance(value, dict),
        "audio_frames": lambda value: _number(value) and value >= 0,
        "modalities": lambda value: _words(value) and bool(value) and set(value) <= set(MODALITIES),
        "split": lambda value: isinstance(value, str),
        "seed": _number,
        "speakers": _words,
        "clips": lambda value: isinstance(value, dict) and all(map(_number, value.values())),
    }
)
