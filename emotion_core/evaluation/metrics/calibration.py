"""Whether a model is right as often as it says it is."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 15


@dataclass(frozen=True)
class Coverage:
    """The surest answers only.

    Attributes:
        share: of all clips, 0 to 1.
        confidence: of the least sure among them.
        accuracy: what share of them is right.
    """

    share: float
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """Whether a model is right as often as it says.

    Attributes:
        ece: expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599): the
            mean distance between confidence and accuracy over ``BINS`` equal bins of confidence,
            weighted by clips; 0 is best.
        ece_mass: the same over ``BINS`` bins of equally many clips (Nixon et al. 2019, arXiv
            1904.01685): a model that is rarely sure leaves most equal bins empty.
        coverage: what is right of the surest clips, from a tenth of them to all
            (``risk_coverage``).
        counts: clips in each bin, int64 (BINS,).
        confidence: its mean in each bin, float64 (BINS,); NaN in an empty one.
        accuracy: the share that is right in each bin, alike.
    """

    ece: float
    ece_mass: float
    coverage: tuple[Coverage, ...]
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    def eces(self) -> dict[str, float]:
        """``ece`` and ``ece_mass``."""
        return {"ece": self.ece, "ece_mass": self.ece_mass}

    def to_json(self) -> dict[str, Any]:
        """``eces``, ``coverage``, and ``reliability``: one object per bin that holds clips."""
        edges = np.linspace(0, 1, BINS + 1)
        return {
            **self.eces(),
            "coverage": [asdict(row) for row in self.coverage],
            "reliability": [
                {
                    "from": float(edges[place]),
                    "to": float(edges[place + 1]),
                    "n": int(self.counts[place]),
                    "confidence": float(self.confidence[place]),
                    "accuracy": float(self.accuracy[place]),
                }
                for place in np.flatnonzero(self.counts)
            ],
        }


def calibration(probabilities: np.ndarray, label: np.ndarray) -> Calibration:
    """How far the largest probability of each row can be trusted.

    Args:
        probabilities: float32 (n, classes), rows adding up to 1.
        label: int64 (n,).
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == label).astype(np.float64)
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(place, minlength=BINS)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(place, weights=values, minlength=BINS)
        return np.divide(total, counts, out=np.full(BINS, np.nan), where=counts > 0)

    gaps = np.abs(mean(confidence) - mean(right))
    return Calibration(
        float(np.nansum(counts * gaps) / max(1, counts.sum())),
        _ece_mass(confidence, right),
        risk_coverage(confidence, right),
        counts,
        mean(confidence),
        mean(right),
    )


def _ece_mass(confidence: np.ndarray, right: np.ndarray) -> float:
    order = np.argsort(confidence, kind="stable")
    bins = [rows for rows in np.array_split(order, BINS) if len(rows)]
    gaps = [len(rows) * abs(confidence[rows].mean() - right[rows].mean()) for rows in bins]
    return float(sum(gaps) / max(1, len(order)))


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[Coverage, ...]:
    """How right the surest tenth, two tenths, ... of the answers are (El-Yaniv & Wiener 2010).

    Args:
        confidence, right: float (n,); ``right`` is 0 or 1.
    """
    order = np.argsort(-confidence, kind="stable")
    rows = []
    for tenth in range(1, 11):
        chosen = order[: max(1, round(len(order) * tenth / 10))]
        if len(chosen):
            least, accuracy = float(confidence[chosen[-1]]), float(right[chosen].mean())
            rows.append(Coverage(tenth / 10, least, accuracy))
    return tuple(rows)
