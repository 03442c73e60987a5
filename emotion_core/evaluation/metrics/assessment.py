"""Everything that is said of a model's answers, in one object."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from emotion_core.evaluation.metrics.calibration import Calibration, calibration
from emotion_core.evaluation.metrics.figures import Figures, figures
from emotion_core.evaluation.metrics.intervals import Intervals, bootstrap_intervals
from emotion_core.models.temperature import fit_temperature
from emotion_core.recipes.emotions import LabelSet


@dataclass(frozen=True)
class Assessment:
    """All that is said of a model's answers to clips whose emotion is known.

    Attributes:
        figures, intervals, calibration: see there.
        per_speaker: clips and the share that is right, of everybody who is named, sorted.
        uncalibrated: the calibration of the answers at a temperature of 1, where they are known.
        temperature: what would calibrate all of these at once; None where those are not known.
    """

    figures: Figures
    intervals: Intervals
    calibration: Calibration
    per_speaker: dict[str, tuple[int, float]]
    uncalibrated: Calibration | None = None
    temperature: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The figures at top level, then ``intervals``, ``per_speaker``, ``ece``."""
        return {
            **self.figures.to_json(),
            "intervals": self.intervals.to_json(),
            "per_speaker": {s: {"n": n, "war": war} for s, (n, war) in self.per_speaker.items()},
            **self.calibration.to_json(),
            "uncalibrated": self.uncalibrated.eces() if self.uncalibrated else None,
            "fitted_temperature": self.temperature,
        }


def assess(
    probabilities: np.ndarray,
    label: np.ndarray,
    label_set: LabelSet,
    speakers: Sequence[str | None],
    clips: Sequence[str],
    uncalibrated: np.ndarray | None = None,
) -> Assessment:
    """Every figure of a model's answers.

    Args:
        probabilities: float32 (n, classes), at least one row.
        label: int64 (n,).
        label_set: what both mean.
        speakers, clips: n names each, see ``bootstrap_intervals``.
        uncalibrated: the probabilities at a temperature of 1, where they are known.
    """
    predicted = probabilities.argmax(axis=1)
    return Assessment(
        figures=figures(torch.from_numpy(probabilities), torch.from_numpy(label), label_set),
        intervals=bootstrap_intervals(label, predicted, len(label_set.labels), speakers, clips),
        calibration=calibration(probabilities, label),
        per_speaker=_per_speaker(predicted == label, speakers),
        uncalibrated=None if uncalibrated is None else calibration(uncalibrated, label),
        temperature=None if uncalibrated is None else fit_temperature(uncalibrated, label),
    )


def _per_speaker(right: np.ndarray, speakers: Sequence[str | None]) -> dict[str, tuple[int, float]]:
    by: dict[str, list[bool]] = {}
    for speaker, value in zip(speakers, right.tolist(), strict=True):
        if speaker is not None:
            by.setdefault(speaker, []).append(value)
    return {name: (len(by[name]), sum(by[name]) / len(by[name])) for name in sorted(by)}
