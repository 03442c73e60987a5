"""Whether a model is right as often as it says it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torchmetrics.classification import MulticlassCalibrationError

BINS = 15


@dataclass(frozen=True)
class Calibration:
    """Whether a model is right as often as it says.

    Attributes:
        ece: expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599): the
            mean distance between confidence and accuracy over ``BINS`` equal bins of confidence,
            weighted by clips; 0 is best.
        counts: clips in each bin, int64 (BINS,).
        confidence, accuracy: means in each bin, float64 (BINS,); NaN in an empty one.
    """

    ece: float
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    def to_json(self) -> dict[str, Any]:
        """``ece``, and ``reliability``: one object per bin that holds clips."""
        edges = np.linspace(0, 1, BINS + 1)
        return {
            "ece": self.ece,
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
    error = MulticlassCalibrationError(probabilities.shape[1], n_bins=BINS, norm="l1")
    # a sum that is rounded to a little over 1 would be taken for a logit
    probabilities = np.clip(probabilities, 0, 1)
    ece = float(error(torch.from_numpy(probabilities), torch.from_numpy(label)))
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == label).astype(np.float64)
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(place, minlength=BINS)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(place, weights=values, minlength=BINS)
        return np.divide(total, counts, out=np.full(BINS, np.nan), where=counts > 0)

    return Calibration(ece, counts, mean(confidence), mean(right))
