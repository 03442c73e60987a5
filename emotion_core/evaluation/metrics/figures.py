"""WAR, UAR, macro F1, recall of each class, confusion matrix."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from emotion_core.evaluation.metrics.intervals import SHARES, shares
from emotion_core.recipes.emotions import LabelSet


@dataclass(frozen=True)
class Figures:
    """How predictions agree with labels.

    Attributes:
        n: clips.
        war: weighted average recall: the share of clips that are right (accuracy).
        uar: unweighted average recall: the mean of ``per_class_recall`` over the classes that occur
            among the labels. A class that does not occur has no recall, it counts neither as right
            nor as wrong.
        macro_f1: mean F1 over the classes that occur among labels or predictions.
        per_class_recall: by label; None for a class that does not occur.
        confusion: ``confusion[i][j]`` clips of class ``i`` were called ``j``.
        labels: the classes, in order.
    """

    n: int
    war: float
    uar: float
    macro_f1: float
    per_class_recall: dict[str, float | None]
    confusion: list[list[int]]
    labels: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "n": self.n,
            "war": self.war,
            "uar": self.uar,
            "macro_f1": self.macro_f1,
            "per_class_recall": self.per_class_recall,
            "confusion": self.confusion,
            "labels": list(self.labels),
        }


class FigureMeter:
    """Counts batches, then gives their figures; over all workers where there are several.

    All of them follow from one matrix of counts. torchmetrics has them too, and takes almost
    half of the seconds that a training worker imports for.

    Args:
        labels: the classes, in order.
        device: where the counts are kept.
    """

    def __init__(self, labels: tuple[str, ...], device: torch.device | str = "cpu"):
        self.labels = labels
        self._counts = torch.zeros((len(labels), len(labels)), dtype=torch.int64, device=device)

    def update(self, predicted: Tensor, label: Tensor) -> None:
        """Add clips: class indices, or scores of shape (b, classes), and class indices (b,)."""
        called = predicted.argmax(dim=1) if predicted.ndim == 2 else predicted
        n = len(self.labels)
        self._counts += torch.bincount(label * n + called, minlength=n * n).reshape(n, n)

    def compute(self) -> Figures:
        """The figures of everything that was added, on every worker alike."""
        counts = self._counts.clone()
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(counts)
        confusion = counts.cpu().numpy()
        true, right = confusion.sum(axis=1), confusion.diagonal()
        said = dict.fromkeys(SHARES, 0.0)
        if true.any():
            said = {name: float(share) for name, share in shares(confusion).items()}
        return Figures(
            n=int(true.sum()),
            war=said["war"],
            uar=said["uar"],
            macro_f1=said["macro_f1"],
            per_class_recall={
                label: float(right[place] / true[place]) if true[place] else None
                for place, label in enumerate(self.labels)
            },
            confusion=confusion.tolist(),
            labels=self.labels,
        )


def figures(predicted: Tensor, label: Tensor, label_set: LabelSet) -> Figures:
    """How ``predicted`` agrees with ``label``.

    Args:
        predicted: class indices, int64 (n,), or a score for each class, float (n, classes).
        label: class indices, int64 (n,).
        label_set: what the indices mean.
    """
    meter = FigureMeter(label_set.labels)
    meter.update(predicted, label)
    return meter.compute()
