"""A fusion shows what each modality says alone, so that nobody takes one for both."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.corpora.splits import assign_split
from emotion_core.models.dataset import audio_length, load_features
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.show import EpochLines
from emotion_core.training.snapshot import EpochRow, Snapshot
from emotion_core.training.validation import collapsed
from tests.support.synthetic_features import SMALL, face, png, rows, write_features


def best_row(place: str, recipe: Recipe) -> EpochRow:
    found = load_features(place, recipe)
    assigned = assign_split("elte", found.clips)
    train, validation = (found.select(assigned == side) for side in ("train", "validation"))
    plan = TrainPlan(recipe, audio_length(train, recipe.audio), 0)
    state = Training(plan, train, validation).run(lambda _: None)
    assert state is not None
    assert Snapshot.from_files(state.to_files()).history == state.history
    return state.best_row


def test_both_branches_of_a_fusion_are_measured(tmp_path: Path) -> None:
    place = write_features(tmp_path / "f", rows())
    best = best_row(place, with_training(SMALL, epochs=6, lr=0.004))
    assert best.audio_uar is not None and best.audio_uar > 0.3
    assert best.face_uar is not None
    assert not collapsed(best.audio_uar, None, 7)
    line = EpochLines.of(SMALL).line(best)
    assert f"{best.audio_uar:.1%}" in line and f"{best.face_uar:.1%}" in line
    assert len(EpochLines.of(SMALL).head) == len(line)


def test_a_branch_that_learned_nothing_is_told(tmp_path: Path) -> None:
    """The demo's first model gave every face the same answer, and no test noticed."""
    same = png(face(0, np.random.default_rng(0)))
    given = [{**row, "faces": [same, same]} for row in rows()]
    best = best_row(write_features(tmp_path / "f", given), with_training(SMALL, epochs=3, lr=0.004))
    assert best.face_uar == pytest.approx(1 / 7)
    (line,) = collapsed(best.audio_uar, best.face_uar, 7)
    assert line.startswith("the face branch has learned nothing") and "14.3% is chance" in line


def test_one_modality_has_no_figure_of_its_own(tmp_path: Path) -> None:
    heard = replace(SMALL, video=None)
    best = best_row(write_features(tmp_path / "f", rows()), with_training(heard, epochs=1))
    assert (best.audio_uar, best.face_uar) == (None, None)
    assert "faces" not in EpochLines.of(heard).head
    assert collapsed(None, None, 7) == []
