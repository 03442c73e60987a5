"""WAR, UAR, macro F1, recall of each class, confusion matrix."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MulticlassRecall,
)

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
    """Collects batches, then gives their figures; over all workers where there are several.

    Args:
        labels: the classes, in order.
        device: where the counts are kept.
    """

    def __init__(self, labels: tuple[str, ...], device: torch.device | str = "cpu"):
        self.labels = labels
        n = len(labels)
        self._metrics = MetricCollection(
            {
                "war": MulticlassAccuracy(n, average="micro"),
                "recall": MulticlassRecall(n, average="none"),
                "macro_f1": MulticlassF1Score(n, average="macro"),
                "confusion": MulticlassConfusionMatrix(n),
            },
            # groups form at the first update: a worker without a clip would have others, and wait
            compute_groups=False,
        ).to(device)

    def update(self, predicted: Tensor, label: Tensor) -> None:
        """Add clips: class indices, or scores of shape (b, classes), and class indices (b,)."""
        self._metrics.update(predicted, label)

    def compute(self) -> Figures:
        """The figures of everything that was added, on every worker alike."""
        found = self._metrics.compute()
        confusion = found["confusion"].cpu()
        occurs = confusion.sum(dim=1) > 0
        recall = found["recall"].double().cpu()
        return Figures(
            n=int(confusion.sum()),
            war=float(found["war"]),
            uar=float(recall[occurs].mean()) if occurs.any() else 0.0,
            macro_f1=float(found["macro_f1"]),
            per_class_recall={
                label: float(value) if there else None
                for label, value, there in zip(
                    self.labels, recall.tolist(), occurs.tolist(), strict=True
                )
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
