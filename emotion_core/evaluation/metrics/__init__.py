"""The figures of the field, how sure they are, and how far a model's confidence can be trusted."""

from emotion_core.evaluation.metrics.assessment import Assessment, assess
from emotion_core.evaluation.metrics.calibration import BINS, Calibration, calibration
from emotion_core.evaluation.metrics.figures import FigureMeter, Figures, figures
from emotion_core.evaluation.metrics.intervals import (
    SHARES,
    STD_OF,
    Intervals,
    bootstrap_intervals,
    mean_and_std,
    shares,
)

__all__ = [
    "BINS",
    "SHARES",
    "STD_OF",
    "Assessment",
    "Calibration",
    "FigureMeter",
    "Figures",
    "Intervals",
    "assess",
    "bootstrap_intervals",
    "calibration",
    "figures",
    "mean_and_std",
    "shares",
]
