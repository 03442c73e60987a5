"""A temperature changes how sure a model is, never what it says."""

import numpy as np
import pytest
from scipy.special import softmax

from emotion_core.evaluation.metrics.calibration import calibration
from emotion_core.models.temperature import HIGHEST, LOWEST, fit_temperature, tempered


def answers(scale: float, n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a model that is right as often as it says, made ``scale`` times as sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (n, 7))
    chances = softmax(logits, axis=1)
    label = np.array([rng.choice(7, p=row) for row in chances])
    return softmax(logits * scale, axis=1).astype(np.float32), label


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.5])
def test_it_finds_how_much_too_sure_a_model_is(scale: float) -> None:
    probabilities, label = answers(scale)
    found = fit_temperature(probabilities, label)
    assert found == pytest.approx(scale, rel=0.06)
    before, after = (calibration(p, label) for p in (probabilities, tempered(probabilities, found)))
    assert after.ece < 0.03 and after.ece_mass < 0.03
    if scale == 2.5:
        assert before.ece > 0.15 and before.ece_mass > 0.15


def test_it_changes_no_answer_and_no_order() -> None:
    probabilities, _ = answers(1.0, n=200)
    for temperature in (0.3, 1.0, 4.0):
        after = tempered(probabilities, temperature)
        assert after.dtype == np.float32
        np.testing.assert_allclose(after.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(after.argsort(axis=1), probabilities.argsort(axis=1))
    np.testing.assert_array_equal(tempered(probabilities, 1.0), probabilities)


def test_few_or_perfect_clips_do_not_run_away() -> None:
    assert fit_temperature(np.zeros((0, 7), np.float32), np.zeros(0, np.int64)) == 1.0
    sure = np.eye(3, dtype=np.float32) * 0.98 + 0.01
    assert LOWEST <= fit_temperature(sure, np.arange(3)) < 0.5
    assert 2 < fit_temperature(sure, np.array([1, 2, 0])) <= HIGHEST


def test_the_surest_answers_are_right_more_often() -> None:
    probabilities, label = answers(1.0)
    rows = calibration(probabilities, label).coverage
    assert [row.share for row in rows] == pytest.approx(np.arange(1, 11) / 10)
    accuracy = [row.accuracy for row in rows]
    assert accuracy == sorted(accuracy, reverse=True)
    confidence = [row.confidence for row in rows]
    assert confidence == sorted(confidence, reverse=True)
    assert accuracy[-1] == pytest.approx((probabilities.argmax(axis=1) == label).mean())
