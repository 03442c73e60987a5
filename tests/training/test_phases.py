"""Trainings in phases: each moves its own weights, from the best of the one before."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emotion_core.corpora.splits import assign_split
from emotion_core.errors import UsageError
from emotion_core.models.dataset import audio_length, load_features
from emotion_core.recipes.specs import Recipe, TrainSpec
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.snapshot import Snapshot
from emotion_core.training.task import read_features
from tests.support.synthetic_features import SMALL, rows, write_features

RECIPE = replace(
    SMALL,
    network="tests.support.phased_network:Phased",
    network_options={},
    training=TrainSpec(
        epochs=3, batch_size=24, lr=0.01, patience=5, augment=False,
        phases=("audio", "face", "fusion"),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_features(tmp_path_factory.mktemp("features") / "f", rows())


def train(place: str, resume: Snapshot | None = None, recipe: Recipe = RECIPE) -> list[Snapshot]:
    found = load_features(place, recipe)
    sides = assign_split("elte", found.clips)
    learned, validation = (found.select(sides == side) for side in ("train", "validation"))
    plan = TrainPlan(recipe, audio_length(learned, recipe.audio), 0)
    states: list[Snapshot] = []
    Training(plan, learned, validation).run(states.append, resume)
    return states


def test_each_phase_moves_its_own_weights(place: str) -> None:
    states = train(place)
    assert [row.phase for row in states[-1].history] == ["audio"] * 3 + ["face"] * 3 + [
        "fusion"
    ] * 3
    assert [row.epoch for row in states[-1].history] == list(range(9))
    assert [state.finished for state in states] == [False] * 8 + [True]
    # the rate rises and falls anew in every phase
    rates = [row.lr for row in states[-1].history]
    assert rates[:3] == rates[3:6] == rates[6:] and rates[0] > rates[2]
    for before, after in zip(states, states[1:], strict=False):
        phase, new = after.history[-1].phase, len(after.of_phase(after.history[-1].phase)) == 1
        start = before.best if new else before.last
        moved = {n.split(".")[0] for n, w in after.last.items() if not torch.equal(w, start[n])}
        assert moved == {phase}


def test_the_best_weights_are_those_of_the_last_phase(place: str) -> None:
    last = train(place)[-1]
    assert last.best_row.phase == "fusion"
    first_of_fusion = train(place)[6]
    assert first_of_fusion.best_row == first_of_fusion.history[-1]


@pytest.mark.parametrize("stopped_after", [1, 3, 5])
def test_a_stopped_run_ends_like_one_that_was_not(place: str, stopped_after: int) -> None:
    states = train(place)
    stored = Snapshot.from_files(states[stopped_after - 1].to_files())
    resumed = train(place, stored)
    assert len(resumed) == 9 - stopped_after
    for name, weight in states[-1].best.items():
        torch.testing.assert_close(resumed[-1].best[name], weight, rtol=0, atol=0)


def test_a_phase_without_anything_to_learn_from_is_left_out(tmp_path: Path) -> None:
    heard = write_features(tmp_path / "heard", rows(modalities=("audio",)))
    last = train(heard)[-1]
    assert {row.phase for row in last.history} == {"audio"} and last.finished


def test_layers_that_could_never_learn_are_not_left_at_random(tmp_path: Path) -> None:
    """Some clips with sound and some with a face, none with both: who joins the two is untaught."""
    given = rows(modalities=("audio",))[::2] + rows(modalities=("face",))[1::2]
    place = write_features(tmp_path / "apart", given)
    with pytest.raises(UsageError, match="phase 'fusion' .* clips with sound and face"):
        read_features(place, RECIPE)


def test_clips_that_lack_what_a_phase_needs_do_not_count(tmp_path: Path) -> None:
    """Whatever they are said to show, the phase that cannot see them goes the same way."""
    right, wrong = (rows() for _ in range(2))
    for row, other in zip(right[::2], wrong[::2], strict=True):
        row["faces"] = other["faces"] = [None, None]
        other["emotion"] = "angry" if other["emotion"] == "sad" else "sad"
    # every class counts alike, so that what is counted is the only thing that differs
    recipe = replace(RECIPE, training=replace(RECIPE.training, class_weights=False))
    one = train(write_features(tmp_path / "right", right), recipe=recipe)[-1]
    two = train(write_features(tmp_path / "wrong", wrong), recipe=recipe)[-1]
    assert {row.phase for row in one.history} == {"audio", "face", "fusion"}
    assert figures(one, "face") == figures(two, "face")
    assert figures(one, "audio") != figures(two, "audio")


def figures(state: Snapshot, phase: str) -> list[tuple[float | None, ...]]:
    """What each epoch of the phase said of both sides."""
    return [
        (row.loss, row.war, row.validation_loss, row.validation_war, row.validation_uar)
        for row in state.of_phase(phase)
    ]
