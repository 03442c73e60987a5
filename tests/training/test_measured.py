"""A model trained on everybody: its figures and its temperature are those of the folds."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.bundle import load_bundle
from emotion_core.models.dataset import load_features
from emotion_core.recipes import with_training
from emotion_core.training.measured import Measured, read_measured
from emotion_core.training.run import KIND, run_task
from emotion_core.training.task import divide
from emotion_core.training.workers import Workers
from tests.support.jobs import run_here
from tests.support.synthetic_features import SMALL, rows, write_features

HEARD = with_training(replace(SMALL, video=None), epochs=2)
FOUND = Measured("luna5:all", 192, 0.5, 0.45, 0.44, 0.031, 1.7)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = rows(HEARD, modalities=("audio",))
    return write_features(tmp_path_factory.mktemp("features") / "f", given, HEARD)


def evaluation(folder: Path, **changed: object) -> str:
    values = {
        "recipe": HEARD.name, "side": "test", "fitted_temperature": 1.7, **FOUND.to_json(),
        **changed,
    }  # fmt: skip
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(values))
    (folder / "run.json").write_text("{}")
    return str(folder)


def test_a_model_of_everybody_has_the_folds_figures(
    trains_here: None, place: str, tmp_path: Path
) -> None:
    found = load_features(place, HEARD)
    task = divide(found, HEARD, "everybody", 0, measured=FOUND)
    assert len(task.sides["train"]) == len(found)
    assert task.settings != divide(found, HEARD, "everybody", 0).settings
    out = str(tmp_path / "out")
    storage.start_output(out, KIND, task.settings)
    run_task(task, out, Workers(1), lambda row: None)
    bundle = load_bundle(out)
    assert bundle.info.temperature == 1.7 and len(bundle.info.speakers) == 24
    card = (tmp_path / "out" / "README.md").read_text()
    assert "learned from everybody" in card and "`luna5:all`, on the 192 clips" in card
    assert "WAR 50.0%, UAR 45.0%" in card and "ECE 0.031" in card
    assert "no validation side" not in card and "not calibrated" not in card
    told = storage.read_json(storage.join(out, "metrics.json"))
    assert told["folds"] == FOUND.to_json()


def test_figures_are_read_from_an_evaluation(tmp_path: Path) -> None:
    assert read_measured(evaluation(tmp_path / "good"), HEARD) == FOUND
    with pytest.raises(UsageError, match="no finished evaluation there"):
        read_measured(str(tmp_path / "nothing"), HEARD)
    wrong = evaluation(tmp_path / "other", recipe="fer-cnn")
    with pytest.raises(UsageError, match="are of 'fer-cnn', side 'test': give those"):
        read_measured(wrong, HEARD)
    with pytest.raises(UsageError, match="side 'validation': give those of the test sides"):
        read_measured(evaluation(tmp_path / "side", side="validation"), HEARD)
    for name, value in (("none", None), ("far", 90.0)):
        with pytest.raises(UsageError, match="hold no temperature"):
            read_measured(evaluation(tmp_path / name, fitted_temperature=value), HEARD)


def test_whoever_can_be_measured_is(place: str) -> None:
    with pytest.raises(UsageError, match="split elte has validation clips, which measure it"):
        divide(load_features(place, HEARD), HEARD, "elte", 0, measured=FOUND)


@pytest.mark.slow
def test_folds_are_measured_and_then_everybody_is_trained(
    ray_one: None, trains_here: None, place: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "small_three.py"
    recipe.write_text("from tests.training.test_measured import HEARD as RECIPE\n")
    train = ("train", "--features", place, "--recipe", recipe)
    folds, figures, out = (tmp_path / name for name in ("folds", "figures", "model"))
    done = run_here(*train, "--out", folds, "--split", "luna5:all")
    assert done.returncode == 0, done.stderr
    done = run_here("evaluate", "--model", folds, "--features", place, "--out", figures)
    assert done.returncode == 0, done.stderr
    done = run_here(*train, "--out", out, "--split", "luna5:all", "--figures", figures)
    assert done.returncode == 2 and "--figures are for one model" in done.stderr
    done = run_here(*train, "--out", out, "--split", "everybody", "--figures", figures)
    assert done.returncode == 0, done.stderr
    told = json.loads((figures / "metrics.json").read_text())
    assert load_bundle(str(out)).info.temperature == told["fitted_temperature"]
    assert f"WAR {told['war']:.1%}" in (out / "README.md").read_text()
