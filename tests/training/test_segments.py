"""Sharing of clips, weights, schedule, snapshots."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from emotion_core.errors import UsageError
from emotion_core.models.bundle import BundleInfo
from emotion_core.models.dataset import load_features
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.options import with_options
from emotion_core.training.card import model_card
from emotion_core.training.events import event_file
from emotion_core.training.plan import (
    class_weights,
    corpus_weights,
    epoch_order,
    global_batches,
    learning_rate,
    share,
    times_drawn,
)
from emotion_core.training.show import EpochLines
from emotion_core.training.snapshot import BEST, OPTIMISER, PROGRESS, EpochRow, Snapshot
from emotion_core.training.task import padded_length
from tests.support.synthetic_features import SMALL, rows, write_features


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("clips", [3, 31, 32, 33, 100])
def test_every_clip_once_an_epoch_and_equal_steps(clips: int, workers: int) -> None:
    made = global_batches(epoch_order(np.ones(clips), seed=1, epoch=4), 32, workers)
    assert sorted(np.concatenate(made)) == list(range(clips))
    assert max(map(len, made)) <= 32
    assert max(map(len, made)) - min(map(len, made)) <= 1
    for batch in made:
        shares = [share(batch, rank, workers) for rank in range(workers)]
        assert all(len(each) >= 1 for each in shares)
        np.testing.assert_array_equal(np.concatenate(shares), batch)


def test_batches_do_not_depend_on_the_number_of_workers() -> None:
    order = epoch_order(np.ones(101), 5, 2)
    one, two = (global_batches(order, 16, workers) for workers in (1, 2))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


def test_order_depends_on_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(np.ones(50), seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_batch_smaller_than_the_number_of_workers_still_feeds_all() -> None:
    made = global_batches(np.arange(9), 2, 4)
    assert [len(batch) for batch in made] == [5, 4]


def test_corpora_count_alike_however_large_they_are() -> None:
    clips = pa.table({"corpus": ["ravdess"] * 6 + ["savee"] * 2 + [None]})
    weights = corpus_weights(clips, balanced=True)[:, 0]
    np.testing.assert_allclose(weights, [0.5] * 6 + [1.5] * 2 + [3.0])
    assert corpus_weights(clips, balanced=False).tolist() == [[1.0]] * 9
    assert corpus_weights(clips.slice(0, 6), balanced=True).tolist() == [[1.0]] * 6
    assert corpus_weights(clips.slice(0, 0), balanced=True).shape == (0, 1)


def test_shares_of_an_epoch() -> None:
    clips = pa.table({"corpus": ["ravdess"] * 60 + ["savee"] * 12 + ["tess"] * 27 + [None]})
    often = times_drawn(clips, {"savee": 0.45})
    assert often.sum() == pytest.approx(100)
    epochs = [np.bincount(epoch_order(often, 1, e), minlength=100) for e in range(200)]
    for drawn in epochs:
        assert drawn.sum() == 100
        assert set(drawn[60:72]) <= {3, 4}
        assert set(drawn[:60]) | set(drawn[72:]) <= {0, 1}
    mean = np.mean(epochs, axis=0)
    np.testing.assert_allclose(mean[60:72], 45 / 12, atol=0.12)
    np.testing.assert_allclose(mean[:60], 55 / 88, atol=0.15)
    assert mean[99] == pytest.approx(55 / 88, abs=0.15)  # nobody is left out for ever
    whole = times_drawn(clips.slice(0, 99), {"ravdess": 0.5, "savee": 0.25, "tess": 0.25})
    np.testing.assert_allclose(whole[[0, 60, 72]] * [60, 12, 27], [49.5, 24.75, 24.75])


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ({"emodb": 0.5}, "no training clip is of emodb, they are of no corpus, ravdess, savee"),
        ({"savee": 1.0}, "must add up to 1, and leave some for no corpus, ravdess"),
        ({"savee": 0.7, "ravdess": 0.7}, "must add up to 1"),
    ],
)
def test_shares_that_make_no_sense(shares: dict, told: str) -> None:
    clips = pa.table({"corpus": ["ravdess"] * 6 + ["savee"] * 2 + [None]})
    with pytest.raises(UsageError, match=told):
        times_drawn(clips, shares)
    with pytest.raises(UsageError, match="must add up to 1, nothing else is there"):
        times_drawn(clips.slice(0, 6), {"ravdess": 0.9})


def test_classes_count_alike_in_what_is_drawn() -> None:
    clips = pa.table({"corpus": ["a"] * 900 + ["b"] * 100})
    labels = np.array([0] * 450 + [1] * 450 + [2] * 100)
    often = times_drawn(clips, {"b": 0.8})
    weights = class_weights(labels, 3, True, often)
    drawn = np.mean([np.bincount(labels[epoch_order(often, 0, e)]) for e in range(50)], axis=0)
    np.testing.assert_allclose(drawn * weights, 1000 / 3, rtol=0.05)


def test_class_weights() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [3] * 3)
    weights = class_weights(labels, 4, balanced=True)
    np.testing.assert_allclose(weights, [12 / 18, 12 / 9, 0, 12 / 9])
    assert weights[labels].mean() == pytest.approx(1)
    assert class_weights(labels, 4, balanced=False).tolist() == [1, 1, 1, 1]
    soft = np.eye(4, dtype=np.float32)[labels]
    assert class_weights(soft, 4, balanced=True).tolist() == weights.tolist()


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(0.1, step, 100, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.01) and rates[9] == pytest.approx(0.1)
    assert rates[10] == max(rates) == pytest.approx(0.1, rel=2e-3)
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert 0 < rates[-1] < 0.001
    short = [learning_rate(0.1, step, 10, 10) for step in range(10)]
    assert max(short) == short[2] == pytest.approx(0.1, rel=2e-3) and short[-1] < 0.01


def epoch_row(epoch: int, best: bool = True, uar: float | None = 0.5) -> EpochRow:
    return EpochRow(epoch, 0.1, 1.0, 0.4, None if uar is None else 1.1, uar, uar, best, 2.0,
                    1000.0 + epoch, 2)  # fmt: skip


def snapshot() -> Snapshot:
    torch.manual_seed(0)
    network = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    best = {name: value + 1 for name, value in weights.items()}
    history = (epoch_row(0), epoch_row(1), epoch_row(2, best=False))
    return Snapshot(history, weights, best, optimiser.state_dict(), finished=True)


def test_snapshot_to_files_and_back() -> None:
    state = snapshot()
    read = Snapshot.from_files(state.to_files())
    assert (read.history, read.finished) == (state.history, True)
    assert read.best_row == state.history[1]
    for name in state.last:
        assert torch.equal(read.last[name], state.last[name])
        assert torch.equal(read.best[name], state.best[name])
    for key, value in state.optimiser["state"].items():
        for name, tensor in value.items():
            assert torch.equal(read.optimiser["state"][key][name], tensor)


def test_damaged_snapshots_are_noticed() -> None:
    files = snapshot().to_files()
    with pytest.raises(ValueError, match="best.safetensors is damaged"):
        Snapshot.from_files({**files, BEST: files[BEST][:-1]})
    with pytest.raises(ValueError, match="not a whole snapshot"):
        Snapshot.from_files({k: v for k, v in files.items() if k != OPTIMISER})
    with pytest.raises(ValueError):
        Snapshot.from_files({**files, PROGRESS: files[PROGRESS][:40]})


def test_progress_is_json_a_person_can_read() -> None:
    progress = json.loads(snapshot().to_files()[PROGRESS])
    assert progress["epochs"] == 3 and progress["history"][0]["validation_uar"] == 0.5


def test_event_file_grows_at_its_end() -> None:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    history = [epoch_row(0), epoch_row(1, uar=None), epoch_row(2)]
    short, whole = event_file(history[:1]), event_file(history)
    # all but the times of the file's own records, which come first
    assert whole[: len(short)][200:] == short[200:] and len(short) > 400

    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".tfevents") as file:
        file.write(whole)
        file.flush()
        scalars = {
            (value.tag, event.step): value.tensor.float_val[0]
            for event in EventFileLoader(file.name).Load()
            for value in event.summary.value
        }
    assert scalars["uar/validation", 1] == 0.5 and scalars["loss/training", 3] == 1.0
    assert ("uar/validation", 2) not in scalars


def test_options_on_top_of_the_recipe() -> None:
    given = ["hidden=8", "frame_widths=[4, 8]", "pool=max", "bias = false", "name=a=b", "hidden=9"]
    found = with_options(SMALL, given)
    assert found.network_options == {
        **SMALL.network_options,
        "hidden": 9, "frame_widths": [4, 8], "pool": "max", "bias": False, "name": "a=b",
    }  # fmt: skip
    assert SMALL.network_options["hidden"] == 12 and with_options(SMALL, []) == SMALL
    for wrong in ("hidden", "=3", "a b=3"):
        with pytest.raises(UsageError, match="write KEY=VALUE"):
            with_options(SMALL, [wrong])


def test_epochs_as_lines() -> None:
    plain = EpochLines()
    assert plain.head.split()[:2] == ["epoch", "rate"]
    assert plain.line(epoch_row(4)).split() == [
        "5", "0.10000", "1.000", "1.100", "50.0%", "50.0%", "*", "2.0"]  # fmt: skip
    assert "no validation" in plain.line(epoch_row(0, uar=None))
    both = EpochLines(("luna5:0", "luna5:1"), ("audio", "fusion"))
    row = replace(epoch_row(4, best=False), phase="audio")
    assert both.head.split()[:3] == ["fold", "phase", "epoch"]
    assert both.line(row, "luna5:1").split()[:4] == ["luna5:1", "audio", "5", "0.10000"]
    assert "*" not in both.line(row, "luna5:1")
    for lines, line in ((plain, plain.line(epoch_row(0))), (both, both.line(row, "luna5:1"))):
        assert len(lines.head) == len(line), "columns stand below their names"
    without = both.line(epoch_row(0, uar=None), "luna5:1")
    assert len(without) == len(both.head)


def test_a_card_names_the_phases() -> None:
    told = BundleInfo(SMALL, LABEL_SETS["emotions7"], {}, 16, ("audio", "face"), "elte", 0)
    training = {"epochs": 3, "best_epoch": 2, "seconds": 1.0, "workers": 1, "phases": []}
    assert "phases" not in model_card(told, None, training, 5)
    phased = {**training, "phases": ["audio", "fusion"]}
    assert "In phases: audio, fusion." in model_card(told, None, phased, 5)


@pytest.mark.parametrize(("segment_s", "longest"), [(None, 15), (0.128, 8), (10.0, 15)])
def test_sound_is_padded_to_a_clip_or_to_a_segment(
    tmp_path: Path, segment_s: float | None, longest: int
) -> None:
    """16 ms a frame: a segment of 0.128 s has 8 frames."""
    recipe = replace(SMALL, video=None, segment_s=segment_s)
    found = load_features(write_features(tmp_path / "f", rows(recipe, ("audio",)), recipe), recipe)
    assert padded_length(found, recipe) == longest
