"""Every recipe, made small, goes its user's way: preprocess, train, evaluate, from a file."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from emotion_core.recipes import RECIPES
from emotion_core.recipes.specs import Recipe
from jobs import evaluate, preprocess, train
from tests.support.jobs import run_here
from tests.support.small_recipes import small

pytestmark = pytest.mark.usefixtures("ray_one", "trains_here")

# one of each kind: sound with faces, in stages, faces alone, sound alone
QUICK = ("timedist-blstm", "alexnet-fusion-single", "fer-cnn", "audio-cnn1d")

# a recipe in a file of its own, as a user would write it
FILE = """
from dataclasses import replace

from tests.support.small_recipes import small

BASE = small({name!r})
RECIPE = replace(
    BASE,
    name="small-" + BASE.name,
    training=replace(BASE.training, epochs=1, batch_size=4),
)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, seven emotions, one clip of each: 14 clips of 1.2 s."""
    folder = tmp_path_factory.mktemp("demo14")
    emotions = "neutral,happy,sad,angry,fearful,disgust,surprised"
    options = ("--actors", 2, "--emotions", emotions, "--repetitions", 1, "--seconds", 1.2)
    done = run_here("demo", "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    return folder / "corpus"


@pytest.fixture(scope="module")
def features_for(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Recipe, Path], Path]:
    """Features by what they are made of: recipes that see and hear alike share them."""
    made: dict[tuple, Path] = {}

    def features(recipe: Recipe, file: Path) -> Path:
        key = (recipe.audio, recipe.video)
        if key not in made:
            out = tmp_path_factory.mktemp("features")
            status = preprocess.main([f"ravdess={corpus}"], str(out), recipe=str(file))
            assert status == 0
            made[key] = out
        return made[key]

    return features


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)
        for name, recipe in RECIPES.items()
        # an encoder's weights are elsewhere: tests/jobs/test_encoder.py makes one, and runs it
        if recipe.audio is None or not recipe.audio.encoded
    ],
)
def test_every_recipe_runs(
    name: str, features_for: Callable[[Recipe, Path], Path], tmp_path: Path
) -> None:
    file = tmp_path / "own.py"
    file.write_text(FILE.format(name=name))
    features = features_for(small(name), file)
    model, evaluation = tmp_path / "model", tmp_path / "evaluation"

    trained = train.main(str(features), str(model), recipe=str(file), split="random", num_workers=1)
    assert trained == 0
    history = json.loads((model / "history.json").read_text())
    phases = RECIPES[name].training.phases
    assert [row["phase"] for row in history] == list(phases or [""])

    assert evaluate.main([str(model)], [str(features)], str(evaluation)) == 0
    metrics = json.loads((evaluation / "metrics.json").read_text())
    assert metrics["recipe"] == f"small-{name}"
    assert np.sum(metrics["confusion"]) == metrics["n"] == 3
