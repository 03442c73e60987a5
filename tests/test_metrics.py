"""Figures against values worked out by hand."""

import pytest
import torch

from emotion_core.emotions import LabelSet
from emotion_core.metrics import FigureMeter, figures

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
