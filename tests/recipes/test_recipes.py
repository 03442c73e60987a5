"""Recipes by name, from files, and to JSON and back."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from emotion_core.corpora.splits import assign_split, expand
from emotion_core.errors import UsageError
from emotion_core.models.networks import build_network
from emotion_core.recipes import (
    RECIPES,
    load_recipe,
    recipe_from_json,
    recipe_to_json,
    with_training,
)
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec
from tests.support.own_network import MEAN

OWN = f"""
from dataclasses import replace
from emotion_core.recipes import load_recipe
from emotion_core.recipes.specs import AudioSpec, Recipe
{MEAN}
MINE = Recipe("mine", "means", "me", "emotions8", "random", AudioSpec(n_mfcc=9), None, "own:Mean")
"""


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_recipe_is_whole(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.label_set in LABEL_SETS
    assert expand(recipe.split) and callable(assign_split)
    options = recipe.network_options
    if "pretrained" in options:  # by itself it would ask the hub
        recipe = replace(recipe, network_options={**options, "pretrained": None})
    assert build_network(recipe).training
    assert "\n" not in recipe.summary


def test_the_published_settings_of_timedist_blstm() -> None:
    recipe = load_recipe("timedist-blstm")
    assert recipe.audio is not None and recipe.video is not None
    assert (recipe.audio.kind, recipe.audio.n_mfcc, recipe.audio.sample_rate) == ("mfcc", 24, 16000)
    assert recipe.audio.scale == "standardise" and recipe.audio.trim_db is not None
    assert (recipe.video.count, recipe.video.face_size, recipe.video.grey) == (6, 64, False)
    assert (recipe.label_set, recipe.split) == ("emotions7", "elte")


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(UsageError, match="no recipe 'blstm': choose one of .*timedist-blstm"):
        load_recipe("blstm")


def test_recipe_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    recipe = load_recipe(str(tmp_path / "own.py"))
    assert (recipe.name, recipe.network) == ("mine", "own:Mean")
    # the network beside it can be imported
    assert build_network(recipe).dense.in_features == 9  # type: ignore[union-attr]
    assert load_recipe(str(tmp_path / "own.py") + ":MINE") == recipe


def test_recipe_in_a_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "recipe_in_module.py").write_text(OWN.replace('"own:', '"recipe_in_module:'))
    monkeypatch.chdir(tmp_path)
    assert load_recipe("recipe_in_module:MINE").name == "mine"
    with pytest.raises(UsageError, match="there is no 'YOURS'"):
        load_recipe("recipe_in_module:YOURS")
    with pytest.raises(UsageError, match="is a type, not a Recipe"):
        load_recipe("recipe_in_module:Mean")


@pytest.mark.parametrize("name", ["./my/recipe:MINE", ":MINE", "recipe_with_a_fault:MINE"])
def test_a_module_that_cannot_be_imported(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "recipe_with_a_fault.py").write_text("MINE = YOURS\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot import"):
        load_recipe(name)


def test_file_with_several_recipes(tmp_path: Path) -> None:
    two = OWN + "\nYOURS = replace(MINE, name='yours')\n"
    (tmp_path / "two.py").write_text(two)
    with pytest.raises(UsageError, match="it holds MINE, YOURS: call the one to use RECIPE"):
        load_recipe(str(tmp_path / "two.py"))
    assert load_recipe(str(tmp_path / "two.py") + ":YOURS").name == "yours"
    (tmp_path / "named.py").write_text(two + "RECIPE = YOURS\n")
    assert load_recipe(str(tmp_path / "named.py")).name == "yours"


def test_a_base_that_was_loaded_is_not_the_files_own(tmp_path: Path) -> None:
    (tmp_path / "variant.py").write_text(
        "from dataclasses import replace\nfrom emotion_core.recipes import load_recipe\n"
        "BASE = load_recipe('timedist-blstm')\nLONGER = replace(BASE, name='longer')\n"
    )
    assert load_recipe(str(tmp_path / "variant.py")).name == "longer"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no recipe file"),
        ("x = 1", "should hold one Recipe, it holds none"),
        ("import nowhere_at_all", "does not run: .*nowhere_at_all"),
        (OWN.replace("emotions8", "emotions99"), "no label set 'emotions99'"),
        (OWN.replace("AudioSpec(n_mfcc=9), None", "None, None"), "neither sound nor pictures"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "r.py").write_text(text)
    with pytest.raises(UsageError, match=words):
        load_recipe(str(tmp_path / "r.py"))


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_json_and_back(name: str) -> None:
    recipe = replace(RECIPES[name], network_options={"widths": [1, 2], "pool": "mean"})
    text = json.dumps(recipe_to_json(recipe))
    assert recipe_from_json(json.loads(text)) == recipe


def test_json_of_one_modality() -> None:
    recipe = Recipe("a", "b", "c", "emotions8", "random", AudioSpec(kind="logmel"), None, "net")
    assert recipe_from_json(recipe_to_json(recipe)) == recipe


def test_json_is_strict() -> None:
    whole = recipe_to_json(RECIPES["timedist-blstm"])
    with pytest.raises(UsageError, match="unknown key colour in Recipe"):
        recipe_from_json({**whole, "colour": 1})
    with pytest.raises(UsageError, match="unknown key window in AudioSpec"):
        recipe_from_json({**whole, "audio": {**whole["audio"], "window": "hann"}})
    with pytest.raises(UsageError, match="missing key label_set, network in Recipe"):
        recipe_from_json({k: v for k, v in whole.items() if k not in ("network", "label_set")})
    with pytest.raises(UsageError, match="Recipe should be an object"):
        recipe_from_json([whole])


def test_other_training_settings() -> None:
    base = RECIPES["timedist-blstm"]
    changed = with_training(base, epochs=3, lr=None, batch_size=8)
    assert changed.training == replace(base.training, epochs=3, batch_size=8)
    assert base.training.epochs != 3
    for wrong in ({"lr": 0.0}, {"lr": float("nan")}, {"epochs": -1}):
        with pytest.raises(UsageError, match="a number above 0"):
            with_training(base, **wrong)
    assert isinstance(changed.training, TrainSpec)
