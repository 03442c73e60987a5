"""Figures against values worked out by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import binom, bootstrap
from sklearn.metrics import f1_score, recall_score

from emotion_core.evaluation.metrics import (
    FigureMeter,
    assess,
    bootstrap_intervals,
    calibration,
    figures,
    mean_and_std,
    shares,
)
from emotion_core.recipes.emotions import LabelSet

ABC = LabelSet("abc", ("a", "b", "c"))
LABEL = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
PREDICTED = torch.tensor([0, 0, 0, 1, 1, 2, 0, 0])


def test_by_hand() -> None:
    found = figures(PREDICTED, LABEL, ABC)
    assert found.n == 8
    assert found.confusion == [[3, 1, 0], [0, 1, 1], [2, 0, 0]]
    assert found.war == pytest.approx(4 / 8)
    assert found.per_class_recall == {"a": 0.75, "b": 0.5, "c": 0.0}
    assert found.uar == pytest.approx((0.75 + 0.5 + 0) / 3)
    # a: precision 3/5, recall 3/4 -> 2/3; b: precision 1/2, recall 1/2 -> 1/2; c: 0
    assert found.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_scores_are_read_as_their_largest() -> None:
    scores = torch.nn.functional.one_hot(PREDICTED, 3).float() * 0.4 + 0.2
    assert figures(scores, LABEL, ABC) == figures(PREDICTED, LABEL, ABC)


def test_a_class_that_does_not_occur_has_no_recall() -> None:
    label, predicted = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 0])
    found = figures(predicted, label, ABC)
    assert found.per_class_recall == {"a": 1.0, "b": 0.5, "c": None}
    assert found.uar == pytest.approx(0.75)
    assert found.war == pytest.approx(0.75)
    # calling clips a class that is not there costs recall of theirs and F1 of that class
    wrong = figures(torch.tensor([0, 2, 1, 0]), label, ABC)
    assert wrong.uar == pytest.approx(0.5)
    assert wrong.macro_f1 == pytest.approx((1 / 2 + 2 / 3 + 0) / 3)


def test_batches_add_up() -> None:
    meter = FigureMeter(ABC.labels)
    for part in (slice(0, 3), slice(3, 4), slice(4, 8)):
        meter.update(PREDICTED[part], LABEL[part])
    assert meter.compute() == figures(PREDICTED, LABEL, ABC)


def test_json_holds_the_names_the_field_uses() -> None:
    written = figures(PREDICTED, LABEL, ABC).to_json()
    assert {"war", "uar", "macro_f1", "per_class_recall", "confusion", "n"} <= set(written)
    assert written["labels"] == ["a", "b", "c"]


# --- how sure ------------------------------------------------------------------------------------

NOBODY: list[str | None] = [None] * 200


def answers(right: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and predictions of two classes, the first ``right`` of ``n`` clips right."""
    label = np.arange(n) % 2
    return label, np.where(np.arange(n) < right, label, 1 - label)


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_interval_over_clips_is_that_of_a_binomial() -> None:
    """Right or not is a coin of 0.8: the bootstrap of WAR has the binomial's percentiles."""
    label, predicted = answers(160, 200)
    found = bootstrap_intervals(label, predicted, 2, NOBODY, names("c", 200))
    assert (found.unit, found.units) == ("clips", 200)
    low, high = binom.ppf([0.025, 0.975], 200, 0.8) / 200
    assert found.war == pytest.approx((low, high), abs=0.006)
    again = bootstrap_intervals(label, predicted, 2, NOBODY, names("c", 200))
    other = bootstrap_intervals(label, predicted, 2, NOBODY, names("c", 200), seed=1)
    assert again == found, "seeded"
    assert other != found


def test_interval_agrees_with_scipy() -> None:
    """UAR and macro F1, on three uneven classes, against scipy's own resampling of clips."""
    rng = np.random.default_rng(0)
    label = rng.choice(3, 150, p=[0.6, 0.3, 0.1])
    predicted = np.where(rng.random(150) < 0.7, label, rng.integers(0, 3, 150))

    def uar(rows: np.ndarray) -> float:
        return recall_score(label[rows], predicted[rows], average="macro", zero_division=0)

    def macro_f1(rows: np.ndarray) -> float:
        return f1_score(label[rows], predicted[rows], average="macro", zero_division=0)

    found = bootstrap_intervals(label, predicted, 3, [None] * 150, names("c", 150))
    for statistic, ours in ((uar, found.uar), (macro_f1, found.macro_f1)):
        theirs = bootstrap((np.arange(150),), statistic, vectorized=False, method="percentile",
                           n_resamples=2000, rng=np.random.default_rng(1))  # fmt: skip
        assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.015)


def test_people_are_drawn_as_wholes_where_there_are_five() -> None:
    """Of ten people eight are always understood: the next person is a coin of 0.8."""
    label, predicted = answers(160, 200)
    speakers: list[str | None] = [f"s{clip // 20}" for clip in range(200)]
    found = bootstrap_intervals(label, predicted, 2, speakers, names("c", 200))
    assert (found.unit, found.units) == ("speakers", 10)
    low, high = binom.ppf([0.025, 0.975], 10, 0.8) / 10
    assert found.war == pytest.approx((low, high), abs=1e-9)
    assert found.uar == pytest.approx(found.war, abs=1e-9), "classes are even in each person"

    four: list[str | None] = [f"s{clip // 50}" for clip in range(200)]
    assert bootstrap_intervals(label, predicted, 2, four, names("c", 200)).unit == "clips"
    someone_unnamed = [None, *speakers[1:]]
    assert (
        bootstrap_intervals(label, predicted, 2, someone_unnamed, names("c", 200)).unit == "clips"
    )


def test_several_answers_to_a_clip_stay_together() -> None:
    label, predicted = answers(160, 200)
    once = bootstrap_intervals(label, predicted, 2, NOBODY, names("c", 200))
    thrice = bootstrap_intervals(
        np.tile(label, 3), np.tile(predicted, 3), 2, NOBODY * 3, names("c", 200) * 3
    )
    assert thrice.units == 200
    assert thrice.war == pytest.approx(once.war, abs=0.006)


def test_shares_are_those_of_the_figures() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        label, predicted = rng.integers(0, 3, 6), rng.integers(0, 4, 6)  # classes may be missing
        four = LabelSet("four", ("a", "b", "c", "d"))
        one = figures(torch.from_numpy(predicted), torch.from_numpy(label), four)
        found = shares(np.array([one.confusion]))
        for name in ("war", "uar", "macro_f1"):
            assert found[name][0] == pytest.approx(getattr(one, name), abs=1e-6)


def test_calibration_by_hand() -> None:
    """Two bins hold clips: 4 of confidence 0.9, half of them right; 2 of 0.5, both right."""
    scores = np.array([[0.9, 0.05, 0.05]] * 4 + [[0.25, 0.5, 0.25]] * 2, np.float32)
    label = np.array([0, 0, 1, 2, 1, 1])
    found = calibration(scores, label)
    assert found.ece == pytest.approx(4 / 6 * abs(0.5 - 0.9) + 2 / 6 * abs(1 - 0.5), abs=1e-6)
    assert found.counts.tolist() == [0] * 7 + [2] + [0] * 5 + [4, 0]
    assert found.accuracy[[7, 13]].tolist() == [1.0, 0.5]
    assert found.confidence[[7, 13]] == pytest.approx([0.5, 0.9])
    written = found.to_json()["reliability"]
    assert [(bin_["n"], bin_["accuracy"]) for bin_ in written] == [(2, 1.0), (4, 0.5)]
    assert written[1]["from"] < 0.9 < written[1]["to"]


def test_calibration_of_a_sum_that_is_rounded_up() -> None:
    """A probability of 1.0000001 is no logit."""
    scores = np.array(
        [[np.nextafter(np.float32(1), np.float32(2)), 0]] * 3 + [[0.6, 0.4]], np.float32
    )
    assert calibration(scores, np.zeros(4, np.int64)).ece == pytest.approx(0.25 * 0.4, abs=1e-6)


def test_everything_at_once() -> None:
    scores = np.eye(3, dtype=np.float32)[PREDICTED.numpy()] * 0.7 + 0.1
    speakers = ["x/1", "x/1", "x/2", None, "x/2", "x/2", "x/1", None]
    found = assess(scores, LABEL.numpy(), ABC, speakers, names("c", 8))
    assert found.figures == figures(PREDICTED, LABEL, ABC)
    assert found.per_speaker == {"x/1": (3, 2 / 3), "x/2": (3, 2 / 3)}
    written = found.to_json()
    assert written["war"] == 0.5 and written["labels"] == ["a", "b", "c"]
    assert written["per_speaker"]["x/1"] == {"n": 3, "war": 2 / 3}
    assert written["ece"] == pytest.approx(0.3, abs=1e-6)
    low, high = written["intervals"]["war"]
    assert low < 0.5 < high and written["intervals"]["resampled"] == "clips"


def test_mean_and_deviation_over_folds() -> None:
    folds = [{"war": 0.5, "uar": 0.4}, {"war": 0.7, "uar": 0.4}, {"war": 0.6, "uar": 0.1}]
    mean, std = mean_and_std(folds, ("war", "uar"))
    assert mean == pytest.approx({"war": 0.6, "uar": 0.3})
    assert std == pytest.approx({"war": 0.1, "uar": np.std([0.4, 0.4, 0.1], ddof=1)})
    assert mean_and_std(folds[:1], ("war",)) == ({"war": 0.5}, {"war": None})
