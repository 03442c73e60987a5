"""What a written recipe may say: the type of every field, and numbers a machine can work with.

A ``recipe.json`` may come from a stranger. One that asks for windows of a terabyte, or holds a word
where a number belongs, has to end in one line, and before anything is allocated for it.
"""

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from types import MappingProxyType, NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from emotion_core.errors import UsageError
from emotion_core.recipes.specs import AudioSpec, Recipe, VideoSpec

# Inclusive; wider than any recipe that makes sense, and narrow enough for one machine's memory.
_RANGES: Mapping[type, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        AudioSpec: {
            "sample_rate": (1_000, 384_000),
            "n_mfcc": (1, 4_096),
            "n_mels": (1, 4_096),
            "n_fft": (16, 1 << 18),
            "hop_length": (1, 1 << 18),
            "trim_db": (0, 1_000),
            "highpass_hz": (10, 192_000),
            "max_frames": (1, 1 << 22),
            "width": (1, 1 << 16),
            "steps": (1, 1 << 16),
            "depth": (1, 256),
            "heads": (1, 1_024),
            "inner": (1, 1 << 18),
        },
        VideoSpec: {
            "count": (1, 10_000),
            "every": (1, 1_000_000),
            "fps": (1e-3, 1_000),
            "max_frames": (1, 10_000),
            "max_side": (16, 16_384),
            "face_size": (4, 4_096),
            "margin": (0, 100),
            "min_score": (0, 1),
            "min_face": (0, 16_384),
        },
        Recipe: {"segment_s": (1e-2, 3_600)},
    }
)
_WORDS: Mapping[type, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        AudioSpec: {
            "kind": ("mfcc", "logmel", "mfcc+logmel", "encoder"),
            "scale": ("standardise", "minmax", "none"),
            "norms": ("after", "before", "before+end"),
        },
        VideoSpec: {"sampling": ("uniform", "stride", "fps")},
        Recipe: {"channel": ("speech", "song", "all")},
    }
)
# Values of the pictures of one clip: 2 GB as bytes.
_MOST_PIXELS = 1 << 31
_MOST_SHOWN = 60


def check_values(kind: type, data: dict[str, Any]) -> None:
    """Refuse values of the wrong type, unknown words and absurd numbers.

    Args:
        kind: ``Recipe``, or the dataclass of one of its parts.
        data: values by field, as JSON has them; parts that are dataclasses are not looked into.

    Raises:
        UsageError: names the field.
    """
    hints = get_type_hints(kind)
    for key, value in data.items():
        place = f"recipe.json: {key} of {kind.__name__} is {shown(value)}"
        if not _fits(value, hints[key]):
            raise UsageError(f"{place}, which is nothing that can stand there")
        if value is None:
            continue
        words = _WORDS.get(kind, {}).get(key)
        if words is not None and value not in words:
            raise UsageError(f"{place}: it should be one of {', '.join(words)}")
        low, high = _RANGES.get(kind, {}).get(key, (-math.inf, math.inf))
        if isinstance(value, (int, float)) and not low <= value <= high:
            raise UsageError(f"{place}: it should be a number from {low:,} to {high:,}")


def check_sizes(recipe: Recipe) -> None:
    """Refuse a recipe whose parts are each possible, but together too large for a machine.

    Raises:
        UsageError: the pictures of one clip would not fit into memory.
    """
    if (view := recipe.view) is not None:
        pictures = view.count if view.sampling == "uniform" else view.max_frames
        if pictures * view.face_size**2 * 3 > _MOST_PIXELS:
            raise UsageError(
                f"recipe.json: {pictures:,} pictures of {view.face_size} x {view.face_size} pixels "
                "for one clip are more than a machine can hold"
            )


def shown(value: Any) -> str:
    """Any JSON value on one line, shortened."""
    words = f"a list of {len(value)}" if isinstance(value, list) else None
    words = f"an object of {len(value)} keys" if isinstance(value, dict) else words
    if isinstance(value, int) and value.bit_length() > 200:
        words = "a number of more than 60 digits"  # Python refuses to write the longest ones
    words = words or repr(value)
    return words if len(words) <= _MOST_SHOWN else words[: _MOST_SHOWN - 1] + "…"


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is one of a field declared as ``hint``."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    if is_dataclass(hint):
        return isinstance(value, dict)  # looked into by itself
    if origin is tuple:  # JSON knows no tuples
        return isinstance(value, (list, tuple)) and all(_fits(v, get_args(hint)[0]) for v in value)
    if origin is dict:
        return isinstance(value, dict)
    if hint is float:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and abs(value) < 1e300  # neither infinite nor NaN, nor an endless integer
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return isinstance(value, NoneType if hint is None else hint)
