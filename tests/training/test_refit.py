"""The second training: on both sides, as long as validation speakers chose, without the test."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core import storage
from emotion_core.corpora.splits import expand
from emotion_core.errors import UsageError
from emotion_core.evaluation.answering import evaluate
from emotion_core.models.bundle import load_bundle
from emotion_core.models.dataset import load_features
from emotion_core.recipes import with_training
from emotion_core.training.folds import prepare_folds
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.refit import require_refit
from emotion_core.training.run import KIND, run_task, tidy
from emotion_core.training.snapshot import EpochRow
from emotion_core.training.task import divide, prepare
from emotion_core.training.workers import Workers
from tests.support.jobs import run_here
from tests.support.synthetic_features import SMALL, rows, write_features

HEARD = with_training(replace(SMALL, video=None), epochs=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = rows(HEARD, modalities=("audio",))
    return write_features(tmp_path_factory.mktemp("features") / "f", given, HEARD)


def test_sides_put_together_are_the_clips_of_both(tmp_path: Path) -> None:
    given = rows(SMALL, speakers=("01", "02"))
    given[3]["faces"] = None
    found = load_features(write_features(tmp_path / "f", given), SMALL)
    order = np.random.default_rng(0).permutation(len(found))
    one, two = found.select(order[:5]), found.select(order[5:])
    both, expected = one.with_clips_of(two), found.select(order)
    assert both.clips.equals(expected.clips) and both.fingerprint == expected.fingerprint
    for row in range(len(found)):
        mine, theirs = both.sample(row), expected.sample(row)
        np.testing.assert_array_equal(mine.audio, theirs.audio)
        assert len(mine.faces) == len(theirs.faces)
        for face, other in zip(mine.faces, theirs.faces, strict=True):
            np.testing.assert_array_equal(face, other)


def test_it_is_a_training_of_the_chosen_length_on_both_sides(
    trains_here: None, place: str, tmp_path: Path
) -> None:
    found = load_features(place, HEARD)
    task = divide(found, HEARD, "elte", 3, refit=True)
    assert task.settings == {**prepare(place, HEARD, "elte", 3).settings, "refit": True}
    out, shown = str(tmp_path / "out"), list[EpochRow]()
    storage.start_output(out, KIND, task.settings)

    outcome = run_task(task, out, Workers(1), shown.append)

    chosen = outcome.best.epoch + 1
    assert [row.epoch for row in shown] == list(range(4 + chosen))
    assert [row.phase for row in shown] == [""] * 4 + ["refit"] * chosen
    bundle = load_bundle(out)
    first = Training(task.plan, task.sides["train"], task.sides["validation"]).run(lambda _: None)
    assert first is not None and first.best_row.epoch + 1 == chosen
    learned = task.sides["train"].with_clips_of(task.sides["validation"])
    plan = TrainPlan(with_training(HEARD, epochs=chosen), bundle.info.audio_frames, 3)
    nobody = learned.select(np.zeros(len(learned), bool))
    again = Training(plan, learned, nobody).run(lambda _: None)
    assert again is not None
    for name, weight in bundle.network.state_dict().items():
        torch.testing.assert_close(weight, again.last[name], atol=1e-5, rtol=1e-4)
    # figures of the validation side are from before it was learned from
    metrics = storage.read_json(str(Path(out) / "metrics.json"))
    assert metrics["training"]["refit_epochs"] == chosen
    assert metrics["uar"] == pytest.approx(first.best_row.validation_uar, abs=1e-6)
    assert evaluate(bundle, task.sides["validation"]).figures.uar >= metrics["uar"]
    assert f"anew for {chosen} epochs" in (Path(out) / "README.md").read_text()
    tidy(out)
    assert not storage.exists(storage.join(out, "refit"))


@pytest.mark.slow
def test_the_job_refits(ray_one: None, trains_here: None, place: str, tmp_path: Path) -> None:
    recipe = tmp_path / "small_one.py"
    recipe.write_text("from tests.training.test_refit import HEARD as RECIPE\n")
    words = ("--recipe", recipe, "--split", "elte", "--epochs", 1, "--refit")
    done = run_here("train", "--features", place, "--out", tmp_path / "model", *words)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert told["training"]["refit_epochs"] == 1


def test_folds_are_refitted_too(place: str) -> None:
    found = load_features(place, HEARD)
    names = expand("luna5:all", found.clips)
    folds = prepare_folds(found, HEARD, "luna5:all", names, 0, refit=True)
    assert len(folds.names) == 5
    assert all(folds.task(name).refit for name in folds.names)


def test_nothing_to_refit(place: str) -> None:
    found = load_features(place, HEARD)
    phased = replace(HEARD, training=replace(HEARD.training, phases=("audio",)))
    with pytest.raises(UsageError, match="--refit: recipe .* is trained in phases"):
        require_refit(phased, found)
    with pytest.raises(UsageError, match="--refit: without a validation side"):
        require_refit(HEARD, found.select(np.zeros(len(found), bool)))
