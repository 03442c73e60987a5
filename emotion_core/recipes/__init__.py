"""Recipes: one system each, as data. ``load_recipe`` finds one by name, file or module."""

import importlib
import importlib.util
import sys
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.recipes import (
    alexnet,
    emotion_detection,
    face,
    fusion,
    strip_cnn_lstm,
    timedist_blstm,
    voice,
)
from emotion_core.recipes.checks import check_sizes, check_values, shown
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec
from emotion_core.text import holds_secret, without_secret

__all__ = ["RECIPES", "load_recipe", "recipe_from_json", "recipe_to_json", "with_training"]

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for system in (strip_cnn_lstm, timedist_blstm, alexnet, emotion_detection, voice, face, fusion)
    for recipe in system.RECIPES
}


def load_recipe(name: str) -> Recipe:
    """The recipe that ``--recipe`` names.

    Args:
        name: a key of ``RECIPES``; or ``path/to/file.py``, which holds one ``Recipe`` (or several,
            of which one is called ``RECIPE``), or ``path/to/file.py:NAME``; or ``module:NAME``.
            The file's folder and the working directory become importable, so that a recipe's
            network may be ``file_stem:ClassName``.

    Raises:
        UsageError: nothing of that name, or what it leads to is no recipe.
    """
    if name in RECIPES:
        return RECIPES[name]
    place, _, attribute = name.partition(":")
    if place.endswith(".py"):
        return _checked(_pick(_from_file(place), attribute, name), name)
    if attribute:
        return _checked(_pick(_from_module(place, name), attribute, name), name)
    known = ", ".join(sorted(RECIPES))
    raise UsageError(
        f"no recipe {name!r}: choose one of {known} (or path/to/file.py, or module:NAME)"
    )


def _from_file(place: str) -> ModuleType:
    path = Path(place).resolve()
    if not path.is_file():
        raise UsageError(f"no recipe file {place!r}: give the path of a .py file that holds one")
    _importable(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{place!r} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(f"recipe file {place!r} does not run: {error!r}") from error
    return module


def _from_module(module: str, name: str) -> ModuleType:
    _importable(Path.cwd())
    try:
        return importlib.import_module(module)
    except Exception as error:  # it may hold anything, and its name may be none
        raise UsageError(f"recipe {name!r}: cannot import {module!r} ({error!r})") from error


def _importable(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _pick(module: ModuleType, attribute: str, name: str) -> Any:
    if attribute:
        if not hasattr(module, attribute):
            raise UsageError(f"recipe {name!r}: there is no {attribute!r} in it")
        return getattr(module, attribute)
    if hasattr(module, "RECIPE"):
        return module.RECIPE
    found = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, Recipe) and value not in RECIPES.values()
    }
    if len(found) != 1:
        holds = ", ".join(sorted(found)) or "none"
        raise UsageError(
            f"recipe file {name!r} should hold one Recipe, it holds {holds}: "
            "call the one to use RECIPE, or give file.py:NAME"
        )
    return next(iter(found.values()))


def _checked(recipe: Any, name: str) -> Recipe:
    if not isinstance(recipe, Recipe):
        raise UsageError(f"{name!r} is a {type(recipe).__name__}, not a Recipe")
    if recipe.label_set not in LABEL_SETS:
        known = ", ".join(sorted(LABEL_SETS))
        raise UsageError(f"recipe {name!r}: no label set {recipe.label_set!r}, there is {known}")
    if recipe.audio is None and recipe.video is None:
        raise UsageError(f"recipe {name!r} uses neither sound nor pictures")
    for key, value in recipe.network_options.items():  # they go into the model
        if isinstance(value, str) and holds_secret(value):
            raise UsageError(without_secret(value, f"{key} of recipe {name!r}"))
    return recipe


def with_training(recipe: Recipe, **values: Any) -> Recipe:
    """``recipe`` with other values of its ``TrainSpec``; None leaves a value as it is.

    Raises:
        UsageError: a number that is not above 0.
    """
    given = {key: value for key, value in values.items() if value is not None}
    for key, value in given.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not value > 0:
            raise UsageError(f"--{key.replace('_', '-')} {value}: a number above 0")
    return replace(recipe, training=replace(recipe.training, **given))


def recipe_to_json(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain JSON values; ``recipe_from_json`` is the way back."""
    return asdict(recipe)


def recipe_from_json(data: Any) -> Recipe:
    """The recipe that ``recipe_to_json`` wrote.

    Raises:
        UsageError: a key is unknown or missing, or a value has the wrong type or an absurd size:
            the file was made by another version, or by hand.
    """
    values = _matching(Recipe, _of_today(data))
    for key, kind in (("audio", AudioSpec), ("video", VideoSpec), ("training", TrainSpec)):
        if values.get(key) is not None:
            values[key] = kind(**_matching(kind, values[key]))
    training = values.get("training")
    if training is not None:  # JSON knows no tuples
        values["training"] = replace(training, phases=tuple(training.phases))
    recipe = _checked(Recipe(**values), values["name"])
    check_sizes(recipe)
    return recipe


def _of_today(data: Any) -> Any:
    """The same in today's words: version 0.1 called phases stages, and segments parts."""
    if not isinstance(data, dict):
        return data
    renamed = {"segment_s" if key == "part_s" else key: value for key, value in data.items()}
    if isinstance(training := data.get("training"), dict):
        renamed["training"] = {
            "phases" if key == "stages" else key: value for key, value in training.items()
        }
    return renamed


def _matching(kind: type, data: Any) -> dict[str, Any]:
    """``data`` if its keys and values are those of the dataclass ``kind``."""
    if not isinstance(data, dict):
        raise UsageError(f"recipe.json: {kind.__name__} should be an object, not {shown(data)}")
    unknown = sorted(set(data) - {f.name for f in fields(kind)})
    required = {
        f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING
    }
    missing = sorted(required - set(data))
    for words, keys in (("unknown", unknown), ("missing", missing)):
        if keys:
            raise UsageError(
                f"recipe.json: {words} key {', '.join(keys[:5])} in {kind.__name__}: "
                "it was written by another version of this package"
            )
    check_values(kind, data)
    return dict(data)
