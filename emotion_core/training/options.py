"""What the command line, or the features, say of the recipe: ``--option hidden=64``."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.models.dataset import feature_settings
from emotion_core.recipes import RECIPES
from emotion_core.recipes.specs import Recipe


def recipe_of_features(uri: str) -> Recipe:
    """The recipe that the features at ``uri`` were made for, when it is one of this package.

    Raises:
        UsageError: it is not: what a file says is never imported.
    """
    name = feature_settings(uri).get("recipe")
    if not isinstance(name, str) or name not in RECIPES:
        raise UsageError(
            f"the features at {uri!r} were made for recipe {name!r}, which is none of this "
            "package: pass it as --recipe"
        )
    return RECIPES[name]


def with_options(recipe: Recipe, given: Sequence[str]) -> Recipe:
    """``recipe`` with these network options on top of its own.

    Args:
        recipe: stays as it is.
        given: ``KEY=VALUE`` each; a value is read as JSON (``0.2``, ``true``, ``[8, 16]``), what is
            not JSON is text. A later one of the same key counts.

    Raises:
        UsageError: no ``KEY=VALUE``. Whether the network takes the option, ``build_network`` says.
    """
    if not given:
        return recipe
    options = dict(recipe.network_options)
    options.update(_pair(text) for text in given)
    return replace(recipe, network_options=options)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip().isidentifier():
        raise UsageError(f"--option {text}: write KEY=VALUE, for example --option hidden=64")
    try:
        return key.strip(), json.loads(value)
    except json.JSONDecodeError:
        return key.strip(), value
