"""Settings of a recipe from the command line: ``--option hidden=64 --option training.epochs=9``."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import Recipe

# The parts of a recipe that an option reaches by its first word; without one it is the network's.
PARTS = ("audio", "video", "training", "network")
# Options of a recipe itself.
OWN = ("label_set", "segment_s", "split")
# Numbers that may not be 0.
_ABOVE_0 = (
    "batch_size", "epochs", "lr", "patience", "pretrained_lr", "sample_rate", "segment_s", "steps",
)  # fmt: skip


def with_options(recipe: Recipe, given: Sequence[str]) -> Recipe:
    """``recipe`` with these options on top of its own.

    Args:
        recipe: stays as it is.
        given: ``KEY=VALUE`` each; a value is read as JSON (``0.2``, ``true``, ``[8, 16]``), what is
            not JSON is text. A later one of the same key counts. ``audio.KEY``, ``video.KEY`` and
            ``training.KEY`` are fields of those parts of the recipe, ``recipe.label_set``,
            ``recipe.segment_s`` and ``recipe.split`` its own; any other key, or ``network.KEY``, is
            the network's.

    Raises:
        UsageError: no ``KEY=VALUE``, or a field that is not there or takes no such value. Whether
            the network takes the option, ``build_network`` says.
    """
    wanted: dict[str, dict[str, Any]] = defaultdict(dict)
    for text in given:
        part, key, value = _split(text)
        if part == "network":
            wanted[part][key] = _read(value)
            continue
        spec = recipe if part == "recipe" else getattr(recipe, part)
        if spec is None:
            raise UsageError(f"--option {text}: recipe {recipe.name!r} has no {part}")
        known = OWN if part == "recipe" else [field.name for field in fields(spec)]
        wanted[part][key] = _value(text, spec, key, value, known)
    # a part at once: whether one of its fields can be may depend on another
    changed: dict[str, Any] = wanted.pop("recipe", {})
    if options := wanted.pop("network", None):
        changed["network_options"] = {**recipe.network_options, **options}
    for part, values in wanted.items():
        changed[part] = replace(getattr(recipe, part), **values)
    recipe = replace(recipe, **changed)
    if recipe.label_set not in LABEL_SETS:
        raise UsageError(
            f"no label set {recipe.label_set!r}: choose one of {', '.join(sorted(LABEL_SETS))}"
        )
    return recipe


def of_features(given: Sequence[str]) -> list[str]:
    """Those of ``given`` that decide features."""
    found = []
    for text in given:
        part, key, value = _split(text)
        if (part, key) == ("audio", "encoder"):
            text = f"{part}.{key}={encoder_place(value)}"
        if part in ("audio", "video"):
            found.append(text)
    return found


def encoder_place(name: str) -> str:
    """A folder with its whole path, for workers that stand elsewhere; other names as they are."""
    name = name.strip()
    return str(Path(name).resolve()) if Path(name).is_dir() else name


def _split(text: str) -> tuple[str, str, str]:
    """``audio.layers=[2,3]`` -> ``audio``, ``layers``, ``[2,3]``."""
    key, equals, value = text.partition("=")
    part, dot, name = key.strip().rpartition(".")
    if not equals or not name.isidentifier() or (dot and part not in (*PARTS, "recipe")):
        raise UsageError(
            f"--option {text}: write KEY=VALUE, for example --option hidden=64, or "
            f"{', '.join(PARTS[:-1])} before the KEY: --option training.epochs=9"
        )
    return part or "network", name, value


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _value(text: str, spec: Any, key: str, value: str, known: Iterable[str]) -> Any:
    """The value of a field, as its type has it."""
    if key not in known:
        raise UsageError(f"--option {text}: there is no {key!r}, only {', '.join(sorted(known))}")
    kinds = _kinds(get_type_hints(type(spec))[key])
    read = _read(value)
    if read is None and type(None) in kinds:
        return None
    if key == "encoder":
        return encoder_place(value)
    if str in kinds:
        return value.strip()  # a name may look like a number
    if float in kinds and type(read) is int:
        read = float(read)
    if type(read) in kinds or (isinstance(read, list) and tuple in kinds):
        low = isinstance(read, (int, float)) and type(read) is not bool and not read >= 0
        if not low and not (key in _ABOVE_0 and not read > 0):
            return read
        raise UsageError(f"--option {text}: a number above 0")
    raise UsageError(f"--option {text}: {key} is {_told(kinds)}")


def _kinds(hint: Any) -> tuple[type, ...]:
    """``int | None`` -> int, NoneType; ``tuple[int, ...]`` -> tuple."""
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return tuple(get_origin(option) or option for option in options)


def _told(kinds: Sequence[type]) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", tuple: "a list",
             dict: 'an object such as {"savee": 0.7}', type(None): "null"}  # fmt: skip
    return " or ".join(words[kind] for kind in kinds)
