"""How features were made, and whether that is what a recipe asks for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.recipes import RECIPES
from emotion_core.recipes.options import encoder_place
from emotion_core.recipes.specs import Recipe

_COMMIT = re.compile("[0-9a-f]{40}")
# What an encoder is like, which its weights alone decide: a recipe's are those of its own.
_SHAPE = ("width", "depth", "heads", "inner", "norms")


def feature_settings(uri: str) -> dict[str, Any]:
    """How the features at ``uri`` were made.

    Raises:
        UsageError: there is no folder of features.
    """
    place = storage.join(uri, "settings.json")
    if not storage.exists(place):
        raise UsageError(f"no features at {uri!r}: run jobs/preprocess.py --out {uri} first")
    written = storage.read_json(place)
    settings = written.get("settings") if isinstance(written, dict) else None
    if not isinstance(settings, dict) or not {"audio", "video"} <= set(settings):
        raise UsageError(f"{uri!r} holds something else than features of jobs/preprocess.py")
    return settings


def recipe_of_features(settings: dict[str, Any], uri: str) -> Recipe:
    """The recipe that features were made for, when it is one of this package.

    Args:
        settings: of the features at ``uri``.
        uri: for the message.

    Raises:
        UsageError: it is not: what a file says is never imported.
    """
    name = settings.get("recipe")
    if not isinstance(name, str) or name not in RECIPES:
        raise UsageError(
            f"the features at {uri!r} were made for recipe {name!r}, which is none of this "
            "package: pass it as --recipe"
        )
    return RECIPES[name]


def completed(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    """``recipe`` with what its encoder turned out to be when the features were made.

    A recipe names an encoder; which commit, which weights and how wide its layers are, the features
    know. What the recipe itself says of them stays, so that ``require_features`` compares it.

    Args:
        recipe: stays as it is.
        settings: of the features.
    """
    found, wanted = settings.get("audio"), recipe.audio
    if wanted is None or not wanted.encoded or not found or found.get("kind") != wanted.kind:
        return recipe
    wanted = replace(wanted, encoder=encoder_place(str(wanted.encoder)))
    # a branch or tag was looked up when the features were made, a commit is what it is
    moved = _COMMIT.fullmatch(wanted.revision or "") and wanted.revision != found["revision"]
    if wanted.weights_hash is None and (wanted.encoder != found["encoder"] or moved):
        return recipe  # another one, of which nothing is known
    known = {
        key: found[key]
        for key in ("revision", "weights_hash", "layers", *_SHAPE)
        if key in found and (key in _SHAPE or getattr(wanted, key) is None)
    }
    return replace(recipe, audio=replace(wanted, **known))


def require_features(settings: dict[str, Any], recipe: Recipe, uri: str) -> None:
    """Check that features made with ``settings`` are those that a recipe asks for.

    Args:
        settings: of the features. They may hold what the recipe has no use for.
        recipe: ``completed``.
        uri: of the features, for the message.

    Raises:
        UsageError: they differ.
    """
    for name, spec in (("audio", recipe.audio), ("video", recipe.video)):
        if spec is not None and settings.get(name) is None:
            raise UsageError(f"the features at {uri!r} have no {name}, which this recipe needs")
        for key, found, wanted in differences(settings, recipe, name):
            raise UsageError(
                f"the features at {uri!r} were made with {name} {key}={found!r}, this "
                f"recipe needs {wanted!r}: run jobs/preprocess.py again for this recipe, "
                f"or say --option {name}.{key}={_as_option(found)}"
            )


def differences(
    settings: Mapping[str, Any], recipe: Recipe, part: str
) -> Iterator[tuple[str, Any, Any]]:
    """In what features differ from those of a recipe; nothing where one has no such part.

    Args:
        settings: of the features. What is newer than they are has its default there.
        recipe: ``completed``.
        part: ``audio`` or ``video``.

    Yields:
        A field's name, its value there, and in the recipe, both as JSON has them.
    """
    spec, made = getattr(recipe, part), settings.get(part)
    if spec is None or made is None:
        return
    wanted, usual = (json.loads(json.dumps(asdict(each))) for each in (spec, type(spec)()))
    found = {**usual, **made}
    same = ("encoder", "revision") if _same_weights(found, wanted) else ()
    for key in wanted:
        if found[key] != wanted[key] and key not in same:
            yield key, found[key], wanted[key]


def _as_option(value: Any) -> str:
    """A JSON value as ``--option`` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def _same_weights(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Then it does not matter where the encoder lay."""
    known = wanted.get("weights_hash")
    return known is not None and known == found.get("weights_hash")
