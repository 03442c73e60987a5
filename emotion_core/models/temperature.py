"""One number that makes a model's confidence mean what it says.

A trained network is surer than it is right. Dividing its logits by one temperature, fitted on clips
that it did not learn from, mends most of that and changes no answer (Guo et al. 2017, "On
Calibration of Modern Neural Networks", arXiv 1706.04599).
"""

import numpy as np

# Beyond these a few clips by chance decide.
LOWEST, HIGHEST = 0.2, 5.0
_LEAST = 1e-9  # a probability of 0 has no logarithm


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The same answers with their logits divided by ``temperature``.

    Args:
        probabilities: float (n, classes), rows adding up to 1.
        temperature: above 1 less sure, below 1 surer, 1 the same.

    Returns:
        float32 (n, classes), rows adding up to 1; the order within a row is kept.
    """
    if temperature == 1.0:
        return probabilities.astype(np.float32)
    logits = np.log(np.maximum(probabilities.astype(np.float64), _LEAST)) / temperature
    scaled = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (scaled / scaled.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_temperature(probabilities: np.ndarray, label: np.ndarray) -> float:
    """The temperature with the least negative log likelihood on these clips; 1 without any.

    Args:
        probabilities: float (n, classes), rows adding up to 1, of clips not learned from.
        label: int64 (n,).
    """
    if not len(label):
        return 1.0
    rows = np.arange(len(label))

    def loss(log_temperature: float) -> float:
        found = tempered(probabilities, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(found[rows, label], _LEAST)).mean())

    from scipy.optimize import minimize_scalar  # slow to import, and only a training fits

    best = minimize_scalar(loss, bounds=(np.log(LOWEST), np.log(HIGHEST)), method="bounded")
    return round(float(np.exp(best.x)), 4)
