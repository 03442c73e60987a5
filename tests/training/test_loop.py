"""The epochs themselves, without Ray: learning, resuming, one worker against two."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from emotion_core.corpora.splits import assign_split
from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet, audio_length, load_features
from emotion_core.models.networks import Batch
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.snapshot import Snapshot
from tests.support.synthetic_features import SMALL, rows, write_features

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_features(tmp_path_factory.mktemp("features") / "f", rows())


def sides(place: str, recipe: Recipe) -> tuple[FeatureSet, FeatureSet]:
    found = load_features(place, recipe)
    assigned = assign_split("elte", found.clips)
    train, validation = found.select(assigned == "train"), found.select(assigned == "validation")
    return (of_two_corpora(train) if recipe.training.corpus_shares else train), validation


def plan(recipe: Recipe, train: FeatureSet, seed: int = 0) -> TrainPlan:
    return TrainPlan(recipe, audio_length(train, recipe.audio), seed)


def run(place: str, recipe: Recipe, seed: int = 0, resume: Snapshot | None = None) -> Snapshot:
    train, validation = sides(place, recipe)
    state = Training(plan(recipe, train, seed), train, validation).run(lambda _: None, resume)
    assert state is not None
    return state


def heard() -> Recipe:
    return replace(SMALL, video=None)


def same(one: dict, two: dict, atol: float = 0, rtol: float = 0) -> None:
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(one[name], two[name], atol=atol, rtol=rtol)


def of_two_corpora(clips: FeatureSet) -> FeatureSet:
    """The first four of ``other``, the rest of ``demo``."""
    names = pa.array(["other"] * 4 + ["demo"] * (len(clips) - 4))
    place = clips.clips.schema.get_field_index("corpus")
    return replace(clips, clips=clips.clips.set_column(place, "corpus", names))


def test_a_small_corpus_counts_as_much_as_a_large_one(features: str) -> None:
    """Balanced, a few clips of one corpus weigh in the loss what the many of the other do."""
    recipe = with_training(heard(), epochs=1)
    balanced = replace(recipe, training=replace(recipe.training, balance=True))
    train, _ = sides(features, recipe)
    nobody = train.select(np.zeros(0, np.int64))

    def weights(chosen: Recipe, clips: FeatureSet) -> dict[str, torch.Tensor]:
        state = Training(plan(chosen, clips), clips, nobody).run(lambda _: None)
        assert state is not None
        return state.last

    same(weights(recipe, train), weights(balanced, train))  # one corpus
    two = of_two_corpora(train)
    training = Training(plan(balanced, two), two, nobody)
    assert training.corpus_weights[:4].sum() == pytest.approx(training.corpus_weights[4:].sum())
    alike, apart = weights(recipe, two), weights(balanced, two)
    assert any(not torch.equal(alike[name], apart[name]) for name in alike)


def test_a_clip_that_comes_several_times_in_an_epoch_is_changed_each_time(features: str) -> None:
    shares = {"other": 0.5}
    recipe = with_training(heard(), epochs=1, batch_size=16, augment=True, corpus_shares=shares)
    two, _ = sides(features, recipe)
    training = Training(plan(recipe, two), two, two.select(np.zeros(0, np.int64)))
    heard_of: list[torch.Tensor] = []
    make = training._batch

    def remembered(drawn: np.ndarray, when: list[list[int]]) -> Batch:
        batch = make(drawn, when)
        assert batch.audio is not None
        heard_of.extend(batch.audio[drawn == 0])
        return batch

    training._batch = remembered  # type: ignore[method-assign]
    assert training.run(lambda _: None) is not None
    assert len(heard_of) >= len(two) // 8
    assert len({each.numpy().tobytes() for each in heard_of}) == len(heard_of)


@pytest.mark.parametrize("which", ["audio", "face", "both"])
def test_it_learns_classes_that_can_be_told_apart(features: str, which: str) -> None:
    recipe, lr = {
        "audio": (heard(), 0.01),
        "face": (replace(SMALL, audio=None), 0.004),
        "both": (SMALL, 0.004),
    }[which]
    state = run(features, with_training(recipe, epochs=8, lr=lr))
    assert len(state.history) == 8 and state.finished
    assert state.best_row.validation_uar is not None and state.best_row.validation_uar > 0.6
    assert state.history[-1].loss < 0.8 * state.history[0].loss


def test_one_seed_gives_one_result(features: str) -> None:
    one, again, other = (run(features, with_training(heard(), epochs=2), s) for s in (3, 3, 4))
    same(one.last, again.last)
    assert one.history[1].loss == again.history[1].loss
    assert one.history[1].loss != other.history[1].loss


def test_stopped_and_resumed_equals_undisturbed(features: str) -> None:
    recipe = with_training(SMALL, epochs=4)
    train, validation = sides(features, recipe)
    states: list[dict[str, bytes]] = []
    undisturbed = Training(plan(recipe, train), train, validation).run(
        lambda state: states.append(state.to_files())
    )
    assert undisturbed is not None and len(states) == 4

    halfway = Snapshot.from_files(states[1])
    assert len(halfway.history) == 2 and not halfway.finished
    resumed = run(features, recipe, resume=halfway)

    assert [row.epoch for row in resumed.history] == [0, 1, 2, 3]
    assert resumed.history[:2] == undisturbed.history[:2]
    assert resumed.history[3].loss == undisturbed.history[3].loss
    same(resumed.last, undisturbed.last)
    same(resumed.best, undisturbed.best)
    # nothing is left to do for a finished one
    assert run(features, recipe, resume=Snapshot.from_files(states[3])).history == (
        undisturbed.history
    )


def test_best_weights_are_those_of_the_best_epoch(features: str) -> None:
    recipe = with_training(heard(), epochs=5, lr=0.05)
    train, validation = sides(features, recipe)
    states: list[Snapshot] = []
    Training(plan(recipe, train), train, validation).run(states.append)
    for number, state in enumerate(states):
        best = max(
            range(number + 1),
            key=lambda e: (
                state.history[e].validation_uar,
                -(state.history[e].validation_loss or 0),
            ),
        )
        assert state.best_row.epoch == best
        same(state.best, states[best].last)


def test_it_stops_when_validation_does_not_improve(features: str) -> None:
    # a rate of next to nothing: no epoch is better than the first few
    recipe = with_training(heard(), epochs=30, patience=2, lr=1e-12)
    state = run(features, recipe)
    assert state.finished
    assert len(state.history) == state.best_row.epoch + 1 + 2 < 30


def test_the_last_epoch_counts_where_the_recipe_says_so(features: str) -> None:
    recipe = with_training(heard(), epochs=6, patience=1, lr=1e-12, keep="last")
    state = run(features, recipe)
    # with "best" nothing would get better, and the training would end early
    assert len(state.history) == 6 and state.best_row.epoch == 5
    assert state.best_row.validation_uar is not None
    same(state.best, state.last)


def test_without_a_validation_side_the_last_epoch_counts(features: str) -> None:
    recipe = with_training(heard(), epochs=3, patience=1)
    train, _ = sides(features, recipe)
    nobody = train.select(np.zeros(len(train), bool))
    state = Training(plan(recipe, train), train, nobody).run(lambda _: None)
    assert state is not None and len(state.history) == 3
    assert state.best_row.epoch == 2 and state.best_row.validation_uar is None
    same(state.best, state.last)


def test_network_with_running_statistics(features: str) -> None:
    recipe = with_training(
        replace(heard(), network=f"{__name__}:Normalised", network_options={}), epochs=3
    )
    state = run(features, recipe)
    assert state.last["norm.num_batches_tracked"] > 0


def test_a_training_that_goes_wrong_ends_in_one_line(features: str) -> None:
    recipe = with_training(heard(), epochs=3, lr=1e30)
    with pytest.raises(UsageError, match=r"the loss of epoch \d is (nan|inf): .* lower --lr"):
        run(features, recipe)


class Normalised(torch.nn.Module):
    """A user's network with batch normalisation."""

    def __init__(self, audio, video, n_classes):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(audio.coefficients)
        self.dense = torch.nn.Linear(audio.coefficients, n_classes)

    def forward(self, batch):
        return self.dense(self.norm(batch.audio.mean(dim=1)))


# --- two workers ---------------------------------------------------------------------------------


def _worker(rank: int, world: int, place: str, recipe: Recipe, meeting: str, out: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=world)
    train, validation = sides(place, recipe)
    training = Training(plan(recipe, train), train, validation, rank, world)
    state = training.run(lambda _: None)
    assert state is not None
    torch.save((state.history, state.last), os.path.join(out, str(rank)))
    dist.destroy_process_group()


def _two(place: str, recipe: Recipe, folder: Path) -> list[tuple]:
    with tempfile.TemporaryDirectory() as meeting:
        arguments = (2, place, recipe, os.path.join(meeting, "m"), str(folder))
        mp.spawn(_worker, arguments, nprocs=2)
    return [torch.load(folder / str(rank), weights_only=False) for rank in range(2)]


@pytest.mark.parametrize(("mixup", "shares"), [(0.0, {}), (0.4, {}), (0.4, {"other": 0.5})])
def test_two_workers_do_what_one_does(
    features: str, tmp_path: Path, mixup: float, shares: dict[str, float]
) -> None:
    """Without dropout, whose random numbers are each worker's own, the weights are the same."""
    options = {**SMALL.network_options, "dropout": 0.0, "fusion_dropout": 0.0,
               "modality_dropout": 0.0}  # fmt: skip
    recipe = with_training(
        replace(SMALL, network_options=options), epochs=2, batch_size=25, lr=1e-3
    )
    spec = replace(recipe.training, mixup=mixup, corpus_shares=shares)
    recipe = replace(recipe, training=spec)
    # half of the clips without a face: some shares of a batch have none at all
    one = run(features, recipe)
    (history, last), (other_history, other_last) = _two(features, recipe, tmp_path)

    same(last, other_last)
    # Adam blows up the rounding of gradients that are nearly zero to a part of the learning rate
    same(last, one.last, atol=recipe.training.lr, rtol=1e-3)
    for mine, theirs, single in zip(history, other_history, one.history, strict=True):
        # summed over the workers, so the same on both, and the same as with one
        for key in ("loss", "war", "validation_loss", "validation_war", "validation_uar", "best"):
            assert getattr(mine, key) == getattr(theirs, key), key
        assert mine.loss == pytest.approx(single.loss, rel=1e-3)
        assert mine.war == pytest.approx(single.war, abs=0.02)
        assert mine.validation_loss == pytest.approx(single.validation_loss, rel=1e-3)
        assert mine.validation_uar == pytest.approx(single.validation_uar, abs=0.03)
        assert (mine.workers, single.workers) == (2, 1)


def test_workers_whose_share_holds_no_face_do_not_wait_for_ever(tmp_path: Path) -> None:
    given = rows(speakers=("01", "02", "18", "23"))
    for index, row in enumerate(given):
        if index % 5:  # most batches of two have a face on one worker only, or on none
            row["faces"] = None
    place = write_features(tmp_path / "f", given)
    recipe = with_training(SMALL, epochs=2, batch_size=2)
    folder = tmp_path / "out"
    folder.mkdir()
    (history, last), (_, other) = _two(place, recipe, folder)
    assert len(history) == 2 and all(torch.isfinite(value).all() for value in last.values())
    same(last, other)
