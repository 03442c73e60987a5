"""Outputs that are no classes: valence, arousal, dominance.

Russell & Mehrabian 1977, "Evidence for a three-factor theory of emotions". Each model has a scale
of its own, which a description gives; everything behind ``scaled`` goes from -1 to 1: unpleasant
to pleasant, calm to excited, submissive to dominant.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.recipes.checks import shown
from emotion_core.recipes.emotions import DIMENSIONS

_MOST_OUTPUTS = 4096
_FIELDS = "column, range and, of a network with several outputs, tensor"


@dataclass(frozen=True)
class Dimension:
    """One output of a network that is a dimension.

    Attributes:
        name: one of ``DIMENSIONS``.
        column: its place in the tensor, from 0.
        low, high: what its makers' scale begins and ends with.
        tensor: the output of an ONNX network that holds it; None: its first.
    """

    name: str
    column: int
    low: float
    high: float
    tensor: str | None = None


def dimensions_of(data: Any, where: str) -> tuple[Dimension, ...]:
    """What a description says under ``dimensions``, in the order of ``DIMENSIONS``.

    Raises:
        UsageError: a name or a field that is not known, is missing, or cannot be that.
    """
    if not isinstance(data, dict) or not data or set(data) - set(DIMENSIONS):
        raise UsageError(
            f"{where}: dimensions is {shown(data)}: it should be an object with some of "
            f"{', '.join(DIMENSIONS)}"
        )
    found = [_dimension(name, data[name], where) for name in DIMENSIONS if name in data]
    if len({(each.tensor, each.column) for each in found}) < len(found):
        raise UsageError(f"{where}: two dimensions have the same column")
    return tuple(found)


def _dimension(name: str, data: Any, where: str) -> Dimension:
    part = f"{where}: dimensions.{name}"
    if not isinstance(data, dict) or not {"column", "range"} <= set(data) <= {
        "column", "range", "tensor"
    }:  # fmt: skip
        raise UsageError(f"{part} is {shown(data)}: it should be an object of {_FIELDS}")
    column, scale, tensor = data["column"], data["range"], data.get("tensor")
    if not isinstance(column, int) or isinstance(column, bool) or not 0 <= column < _MOST_OUTPUTS:
        raise UsageError(f"{part}.column is {shown(column)}: it should be a place, from 0")
    if not _is_range(scale):
        raise UsageError(f"{part}.range is {shown(scale)}: it should be two numbers, [low, high]")
    if tensor is not None and not (isinstance(tensor, str) and 0 < len(tensor) <= 300):
        raise UsageError(f"{part}.tensor is {shown(tensor)}: it should be an output's name")
    return Dimension(name, column, float(scale[0]), float(scale[1]), tensor)


def _is_range(value: Any) -> bool:
    numbers = isinstance(value, list) and len(value) == 2 and all(
        isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in value
    )  # fmt: skip
    return numbers and value[0] < value[1]


def scaled(values: np.ndarray, dimensions: Sequence[Dimension]) -> np.ndarray:
    """A network's own numbers on the scale from -1 to 1, float32 (n, dimensions).

    What lies a little outside of its makers' scale lies a little outside of this one.

    Args:
        values: float (n, dimensions).
        dimensions: what the columns are.
    """
    low = np.array([each.low for each in dimensions])
    high = np.array([each.high for each in dimensions])
    return (2 * (np.asarray(values, np.float64) - low) / (high - low) - 1).astype(np.float32)


def apart(
    given: np.ndarray, dimensions: Sequence[Dimension], logits: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The classes and the dimensions of one tensor.

    Args:
        given: float (n, outputs).
        dimensions: those that it holds.
        logits: the classes are logits, and become probabilities.

    Returns:
        Probabilities, float32 (n, outputs without dimensions), and the dimensions as they are,
        float32 (n, dimensions).
    """
    given = np.asarray(given, np.float32)
    columns = [each.column for each in dimensions]
    classes = np.delete(given, columns, axis=1)
    if logits and classes.shape[1]:
        classes = np.exp(classes - classes.max(axis=1, keepdims=True))
    total = classes.sum(axis=1, keepdims=True)
    return classes / np.where(total == 0, 1, total), given[:, columns]
