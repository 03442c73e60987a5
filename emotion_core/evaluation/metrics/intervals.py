"""How sure a figure is: bootstrap intervals over people, and the spread over folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

SHARES = ("war", "uar", "macro_f1")
LEVEL = 0.95
RESAMPLES = 10_000
FEWEST_SPEAKERS = 5
_AT_ONCE = 500  # resamples that are held in memory together


@dataclass(frozen=True)
class Intervals:
    """Percentile bootstrap intervals of WAR, UAR and macro F1 (Efron & Tibshirani 1993, ch. 13).

    What is drawn again, with replacement, are whole speakers where everybody is named and there are
    at least ``FEWEST_SPEAKERS``: the clips of one person are alike, and a figure is a promise about
    the next person. Otherwise clips are drawn, which says how the figure varies over other clips
    *of the same people* and nothing about others: such an interval is too narrow for new speakers.
    Intervals from few speakers (say, below twenty) are known to be too narrow too.

    Neither covers that another seed, another choice of training speakers or another corpus would
    have given another model.

    Attributes:
        war: lower and upper end, each in [0, 1].
        uar: the same.
        macro_f1: the same.
        unit: ``speakers`` or ``clips``.
        units: how many of them there are.
    """

    war: tuple[float, float]
    uar: tuple[float, float]
    macro_f1: tuple[float, float]
    unit: str
    units: int

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``level`` and ``resamples`` say how they were made."""
        ends = {name: list(getattr(self, name)) for name in SHARES}
        return {
            **ends,
            "level": LEVEL,
            "resampled": self.unit,
            "units": self.units,
            "resamples": RESAMPLES,
        }


def bootstrap_intervals(
    label: np.ndarray,
    predicted: np.ndarray,
    classes: int,
    speakers: Sequence[str | None],
    clips: Sequence[str],
    seed: int = 0,
) -> Intervals:
    """95 % intervals of the shares; see ``Intervals`` for what they mean.

    Args:
        label: int64 (n,), class indices.
        predicted: int64 (n,), class indices.
        classes: how many classes there are.
        speakers: n names, None where nobody is named.
        clips: n names; several answers to one clip stay together.
        seed: of the draws.
    """
    unit, member = _units(speakers, clips)
    units = int(member.max()) + 1
    confusion = np.zeros((units, classes * classes), np.int64)
    np.add.at(confusion, (member, label * classes + predicted), 1)
    # units with equal confusions are interchangeable: how many of each kind are drawn is enough
    kinds, counts = np.unique(confusion, axis=0, return_counts=True)
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in SHARES}
    for start in range(0, RESAMPLES, _AT_ONCE):
        size = min(_AT_ONCE, RESAMPLES - start)
        draws = rng.multinomial(units, counts / units, size=size)
        for name, values in shares((draws @ kinds).reshape(size, classes, classes)).items():
            drawn[name].append(values)
    tail = 100 * (1 - LEVEL) / 2
    ends = {
        name: np.percentile(np.concatenate(values), [tail, 100 - tail])
        for name, values in drawn.items()
    }
    war, uar, macro_f1 = ((float(low), float(high)) for low, high in (ends[n] for n in SHARES))
    return Intervals(war, uar, macro_f1, unit, units)


def _units(speakers: Sequence[str | None], clips: Sequence[str]) -> tuple[str, np.ndarray]:
    """What is drawn, and to which of them each answer belongs, int64 (n,)."""
    named = [speaker for speaker in speakers if speaker is not None]
    by_speaker = len(named) == len(speakers) and len(set(named)) >= FEWEST_SPEAKERS
    keys: Sequence[str] = named if by_speaker else clips
    return "speakers" if by_speaker else "clips", np.unique(np.array(keys), return_inverse=True)[1]


def shares(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """WAR, UAR and macro F1 of many confusion matrices at once, as ``Figures`` defines them.

    Args:
        confusion: (..., classes, classes) counts, true classes in rows; none of them empty.

    Returns:
        ``SHARES`` -> float64 (...).
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    true, said = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return {
        "war": right.sum(axis=-1) / true.sum(axis=-1),
        "uar": _mean_where(right, true),
        "macro_f1": _mean_where(2 * right, true + said),
    }


def _mean_where(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Mean of ``above / below`` over the last axis, without the places where ``below`` is 0."""
    there = below > 0
    ratio = np.divide(above, below, out=np.zeros(above.shape), where=there)
    return ratio.sum(axis=-1) / there.sum(axis=-1)


STD_OF = "sample standard deviation over folds (n - 1)"


def mean_and_std(
    folds: Sequence[Mapping[str, float]], names: Sequence[str] = SHARES
) -> tuple[dict[str, float], dict[str, float | None]]:
    """Mean of each figure over folds, and its sample standard deviation (divided by n - 1).

    Args:
        folds: one mapping a fold, at least one, each with ``names``.
        names: which figures.

    Returns:
        Means, and deviations: None where there is one fold only.
    """
    values = np.array([[fold[name] for name in names] for fold in folds], np.float64)
    mean = dict(zip(names, values.mean(axis=0).tolist(), strict=True))
    if len(folds) < 2:
        return mean, dict.fromkeys(names)
    return mean, dict(zip(names, values.std(axis=0, ddof=1).tolist(), strict=True))
