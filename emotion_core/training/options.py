"""Network options from the command line: ``--option hidden=64 --option pool=max``."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.recipes.specs import Recipe


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
