"""Straight lines through measured points: does a cost grow as its cause does?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Line:
    """``at_zero + each * x``, fitted by least squares.

    Attributes:
        at_zero: what is there before the first one.
        each: what one more costs.
        explained: the share of the variance that the line explains (R squared); 1 where all points
            are equal.
    """

    at_zero: float
    each: float
    explained: float


def line(x: Sequence[float], y: Sequence[float]) -> Line:
    """The line through points of at least two different ``x``."""
    each, at_zero = np.polyfit(x, y, 1)
    wrong = np.asarray(y) - (at_zero + each * np.asarray(x))
    spread = np.asarray(y) - np.mean(y)
    level = np.allclose(spread, 0, atol=1e-9 * float(np.abs(y).max()))
    explained = 1.0 if level else 1 - float(wrong @ wrong) / float(spread @ spread)
    return Line(float(at_zero), float(each), explained)
