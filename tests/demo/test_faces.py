"""The demo's faces teach something: pictures alone tell emotions of people not met before."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core.evaluation.metrics import bootstrap_intervals
from emotion_core.models.answers import probabilities
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.start import load_start
from emotion_core.training.task import divide
from examples.demo_recipe import RECIPE
from tests.support.encoders import write_whisper
from tests.support.jobs import ROOT, run_here

SCRIPT = ROOT / "benchmarks" / "audiovisual.sh"

pytestmark = pytest.mark.slow
torch.set_num_threads(1)

# of people most that the demo has, of clips half
ACTORS, FOLDS = 8, 4


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    made = run_here(
        "demo", "--out", folder, "--actors", ACTORS, "--repetitions", 1, "--seconds", 1.5,
        "--wild", 0,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / "corpus"


@pytest.fixture(scope="module")
def place(ray_one: None, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("faces")
    done = run_here(
        "preprocess", "--recipe", "examples/demo_recipe.py",
        "--corpus", f"ravdess={corpus}", "--out", folder / "features",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(folder / "features")


def answered(features: FeatureSet, recipe: Recipe, seed: int) -> np.ndarray:
    """What each clip is called by a network that has not met its actor, int64 (clips,)."""
    start = load_start("face", recipe)
    speakers = np.array(features.clips["speaker"].to_pylist())
    found = np.full(len(features), -1)
    for fold in range(FOLDS):
        test = np.isin(speakers, np.unique(speakers)[fold::FOLDS])
        nobody = features.select(np.zeros(0, np.int64))
        plan = TrainPlan(recipe, 0, seed, start.weights)
        training = Training(plan, features.select(~test), nobody)
        training.run(lambda _: None)
        asked = features.select(test)
        samples = [asked.sample(row) for row in range(len(asked))]
        answers = probabilities(training.answering.eval(), samples, recipe, 0, "cpu", set())
        found[test] = answers.argmax(dim=1).numpy()
    return found


def test_pictures_alone_tell_emotions_of_strangers(place: str) -> None:
    recipe = with_training(replace(RECIPE, audio=None), epochs=8)
    features = load_features(place, recipe)
    assert len(features) == 8 * ACTORS, "every clip shows a face"
    speakers, clips = (features.clips[name].to_pylist() for name in ("speaker", "uri"))
    classes = len(features.label_set.labels)
    for seed in range(3):
        found = answered(features, recipe, seed)
        sure = bootstrap_intervals(features.labels, found, classes, speakers, clips)
        assert sure.uar[0] > 2 / classes, f"seed {seed}: UAR {sure.uar}"
        assert len(set(found)) >= classes - 1, "not the same answers for everybody"


def test_a_fusion_answers_from_both_and_faces_differ(place: str) -> None:
    recipe = with_training(RECIPE, epochs=30)  # as many steps as in the demo, which has more clips
    start = load_start("face", recipe)
    task = divide(load_features(place, recipe), recipe, "elte", 0, start=start)
    training = Training(task.plan, task.sides["train"], task.sides["validation"])
    training.run(lambda _: None)
    network, test = training.answering.eval(), task.sides["test"]
    samples = [test.sample(row) for row in range(len(test))]

    def ask(*hidden: str) -> np.ndarray:
        frames = task.plan.frames
        return probabilities(network, samples, recipe, frames, "cpu", set(hidden)).numpy()

    both, seen, heard = ask(), ask("audio"), ask("face")
    for alone, hidden in ((seen, "sound"), (heard, "faces")):
        changed = np.abs(both - alone).max(axis=1)
        assert changed.min() > 1e-3 and np.median(changed) > 0.05, f"the {hidden} count"
    for alone in (seen, heard):  # not one answer for all
        apart = np.abs(alone[:, None] - alone[None]).max(axis=2)[np.triu_indices(len(alone), 1)]
        assert np.median(apart) > 0.01


def test_the_command_for_whoever_has_the_videos(
    ray_one: None, trains_here: None, corpus: Path, tmp_path: Path
) -> None:
    """Its lines as they stand, with a small encoder, one split instead of five folds, one epoch."""
    encoder, out = write_whisper(tmp_path / "encoder"), tmp_path / "out"
    text = SCRIPT.read_text().replace("\\\n", " ")
    for name, value in {"ravdess": corpus, "encoder": encoder, "out": out}.items():
        text = text.replace(f'"${name}', f'"{value}').replace(f"=${name}", f"={value}")
        text = text.replace(f'="{value}"', f"={value}")
    lines = [shlex.split(line)[1:] for line in text.splitlines() if line.startswith("python ")]
    assert [line[0] for line in lines] == [
        f"jobs/{j}.py" for j in ("preprocess", "train", "evaluate")
    ]
    more = {
        "preprocess": ("--option", "audio.layers=[1,2]", "--option", "audio.steps=3"),
        "train": ("--epochs", "1"),
    }
    for job, *words in lines:
        name = Path(job).stem
        given = ["elte" if word == "luna5:all" else word for word in words]
        done = run_here(name, *given, *more.get(name, ()))
        assert done.returncode == 0, done.stderr
    told = json.loads((out / "eval" / "metrics.json").read_text())
    assert (told["recipe"], told["side"]) == ("fusion", "test") and told["n"] > 0
    epoch = json.loads((out / "folds" / "history.json").read_text())[0]
    assert epoch["audio_uar"] is not None and epoch["face_uar"] is not None
