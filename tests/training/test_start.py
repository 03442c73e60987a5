"""A training that begins with a model's weights, and what becomes of those that do not fit."""

import inspect
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.networks import build_network
from emotion_core.recipes import RECIPES, with_training
from emotion_core.training.command import main
from emotion_core.training.folds import prepare_folds
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.run import KIND, run_task
from emotion_core.training.start import begin, load_start, require_begun
from emotion_core.training.task import divide
from emotion_core.training.teacher import load_teacher
from emotion_core.training.workers import Workers
from tests.support.jobs import run_here
from tests.support.own_network import MEAN
from tests.support.synthetic_features import SMALL, rows, write_features

HEARD = with_training(replace(SMALL, video=None), epochs=6)
OTHERS = ("20", "21", "22", "23", "24")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = rows(HEARD, modalities=("audio",))
    return write_features(tmp_path_factory.mktemp("features") / "f", given, HEARD)


@pytest.fixture(scope="module")
def found(place: str) -> FeatureSet:
    return load_features(place, HEARD)


@pytest.fixture(scope="module")
def model(ray_local: None, found: FeatureSet, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Learned from actors 1 to 19."""
    out = str(tmp_path_factory.mktemp("models") / "first")
    clips = found.select(torch.tensor([s not in OTHERS for s in speakers(found)]).numpy())
    task = divide(clips, HEARD, "everybody", 0)
    storage.start_output(out, KIND, task.settings)
    run_task(task, out, Workers(1), lambda row: None)
    return out


def speakers(features: FeatureSet) -> list[str]:
    return features.clips["speaker"].to_pylist()


def test_a_training_goes_on_from_the_model(model: str, found: FeatureSet) -> None:
    start = load_start(model, HEARD)
    assert not start.fresh and start.model_id == load_bundle(model).model_id
    task = divide(found, HEARD, "loso:24", 0, start=None)
    plan = replace(task.plan, start=start.weights)
    training = Training(plan, task.sides["train"], task.sides["validation"])
    for name, weight in load_bundle(model).network.state_dict().items():
        torch.testing.assert_close(training.network.state_dict()[name], weight, rtol=0, atol=0)
    one = replace(plan, recipe=with_training(HEARD, epochs=1, lr=1e-4))
    begun = Training(one, task.sides["train"], task.sides["validation"]).run(lambda _: None)
    new = replace(one, start={})
    alone = Training(new, task.sides["train"], task.sides["validation"]).run(lambda _: None)
    assert begun is not None and alone is not None
    assert (begun.best_row.validation_uar or 0) > (alone.best_row.validation_uar or 0) + 0.2


def test_other_classes_answer_anew(model: str) -> None:
    eight = replace(HEARD, label_set="emotions8")
    start = load_start(model, eight)
    assert start.fresh == ("fusion.4.weight", "fusion.4.bias")
    network = build_network(eight)
    before = network.state_dict()["fusion.4.weight"].clone()
    begin(network, start.weights)
    torch.testing.assert_close(network.state_dict()["fusion.4.weight"], before, rtol=0, atol=0)


def test_features_made_otherwise_are_told_of(model: str) -> None:
    assert HEARD.audio is not None
    assert not load_start(model, HEARD).otherwise
    other = replace(HEARD, audio=replace(HEARD.audio, highpass_hz=100.0, encoder="elsewhere"))
    assert load_start(model, other).otherwise == ("audio highpass_hz None there, 100.0 here",)


def test_a_model_of_something_else_does_not_fit(model: str) -> None:
    wider = replace(HEARD, network_options={**HEARD.network_options, "hidden": 40})
    with pytest.raises(UsageError, match="do not fit the network 'timedist-blstm'"):
        load_start(model, wider)
    with pytest.raises(UsageError, match="nothing"):
        load_start(str(Path(model).parent / "nothing"), HEARD)


def test_nobody_is_tested_whom_the_model_knows(model: str, found: FeatureSet) -> None:
    start = load_start(model, HEARD)
    with pytest.raises(UsageError, match=r"--init: the model learned from 1 speakers .*ravdess/05"):
        divide(found, HEARD, "loso:05", 0, start=start)
    with pytest.raises(UsageError, match="--init: the model learned from"):
        prepare_folds(found, HEARD, "luna5:all", ["luna5:0", "luna5:1"], 0, start=start)
    task = divide(found, HEARD, "loso:24", 0, start=start)
    assert not task.shared and set(start.speakers) <= set(task.speakers)
    assert task.settings["start"] == start.model_id


def test_what_follows_remembers_everybody(
    ray_local: None, model: str, place: str, tmp_path: Path
) -> None:
    """The job, on the five others: the new model has met the first one's people too."""
    recipe = tmp_path / "small_four.py"
    recipe.write_text("from tests.training.test_start import HEARD as RECIPE\n")
    words = ("--features", place, "--recipe", recipe, "--split", "loso:24", "--epochs", 1)
    done = run_here("train", *words, "--init", model, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    begun = load_bundle(str(tmp_path / "out"))
    assert "ravdess/01" in begun.info.speakers
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"Begun with the weights of model {load_bundle(model).model_id}." in card
    again = run_here("train", *words, "--out", tmp_path / "out")
    assert again.returncode == 2, "another training than what lies there"
    plan = TrainPlan(HEARD, 20)
    assert not plan.start


def test_what_never_learns_must_not_stay_random() -> None:
    fusion = RECIPES["fusion-small"]
    with pytest.raises(UsageError, match=r"frame\..* would stay random: .*--init face"):
        require_begun(fusion, None)
    require_begun(fusion, load_start("face", fusion))
    require_begun(replace(fusion, network_options={"learn_faces": True}), None)
    require_begun(SMALL, None)


def test_a_stranger_s_network_runs_only_where_it_is_trusted(
    place: str, found: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger_s.py").write_text(MEAN)
    monkeypatch.syspath_prepend(str(tmp_path))
    recipe = replace(HEARD, network="stranger_s:Mean", network_options={})
    info = BundleInfo(recipe, found.label_set, found.settings, 20, ("audio",), "elte", 0)
    uri = str(tmp_path / "model")
    save_bundle(uri, info, build_network(recipe).state_dict(), {}, [], "")
    with pytest.raises(UsageError, match="--trust-code"):
        load_start(uri, recipe)
    with pytest.raises(UsageError, match="--trust-code"):
        load_teacher(uri, place)
    assert set(load_start(uri, recipe, trust_code=True).weights) == {"dense.weight", "dense.bias"}
    assert load_teacher(uri, place, trust_code=True).trust_code
    assert "trust_code" in inspect.signature(main).parameters
