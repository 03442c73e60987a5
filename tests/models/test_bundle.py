"""A bundle gives back what was saved, or says in one line why it cannot."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.evaluation.metrics import figures
from emotion_core.models.batches import make_batch
from emotion_core.models.bundle import Bundle, BundleInfo, load_bundle, save_bundle
from emotion_core.models.networks import build_network
from emotion_core.models.samples import Sample
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.training.card import model_card
from tests.support.synthetic_features import SMALL, face, sound

RNG = np.random.default_rng(0)
SAMPLES = [Sample(sound(e, RNG), (face(e, RNG), None), e % 7) for e in range(5)]


def info(**changes: Any) -> BundleInfo:
    made = BundleInfo(
        recipe=SMALL,
        label_set=LABEL_SETS["emotions7"],
        features={"detector": {"name": "centerface", "weights_hash": "ab"}, "decoder": "auto"},
        audio_frames=18,
        modalities=("audio", "face"),
        split="elte",
        seed=3,
        speakers=("ravdess/01", "ravdess/18"),
        clips={"ravdess": 20},
    )
    return replace(made, **changes)


def network() -> torch.nn.Module:
    torch.manual_seed(7)
    return build_network(SMALL).eval()


def saved(place: Path, made: BundleInfo | None = None) -> str:
    save_bundle(str(place), made or info(), network().state_dict(), {"uar": 0.5}, [{"epoch": 0}],
                "# card", {"learning.png": b"png"})  # fmt: skip
    return str(place)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    bundle = load_bundle(saved(tmp_path / "m"))
    assert bundle.info == info()
    assert bundle.recipe == SMALL and bundle.label_set == LABEL_SETS["emotions7"]
    assert not bundle.network.training
    batch = make_batch(SAMPLES, SMALL.audio, SMALL.video, info().audio_frames)
    expected = torch.softmax(network()(batch), dim=1).detach().numpy()
    np.testing.assert_allclose(bundle.predict(SAMPLES), expected, rtol=1e-5)
    assert expected.dtype == np.float32 and expected.shape == (5, 7)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    names = {file.uri.rsplit("/", 1)[-1] for file in storage.list_files(str(tmp_path / "m"))}
    assert names == {"model.safetensors", "recipe.json", "metrics.json", "history.json",
                     "README.md", "learning.png"}  # fmt: skip
    metrics = storage.read_json(str(tmp_path / "m" / "metrics.json"))
    assert metrics == {"model_id": bundle.model_id, "uar": 0.5}


def test_the_id_is_that_of_weights_and_recipe(tmp_path: Path) -> None:
    first = load_bundle(saved(tmp_path / "a")).model_id
    assert load_bundle(saved(tmp_path / "b")).model_id == first
    assert load_bundle(saved(tmp_path / "c", info(audio_frames=19))).model_id != first
    weights = {name: value + 1 for name, value in network().state_dict().items()}
    assert save_bundle(str(tmp_path / "d"), info(), weights, {}, [], "") != first


def test_any_filesystem() -> None:
    place = "memory://bundles/one"
    save_bundle(place, info(), network().state_dict(), {}, [], "")
    assert load_bundle(place).info == info()


def test_a_modality_that_was_never_trained_is_hidden() -> None:
    heard = Bundle(info(modalities=("audio",)), "", network())
    seen = Bundle(info(modalities=("face",)), "", network())
    whole = Bundle(info(), "", network())
    for one, same in (
        (heard, [replace(sample, faces=()) for sample in SAMPLES]),
        (seen, [replace(sample, audio=None) for sample in SAMPLES]),
    ):
        np.testing.assert_allclose(one.predict(SAMPLES), whole.predict(same), rtol=1e-5)
    assert np.abs(heard.predict(SAMPLES) - whole.predict(SAMPLES)).max() > 1e-4


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no model bundle .*jobs/train.py"):
        load_bundle(str(tmp_path))


def change(place: str, **values: Any) -> None:
    path = Path(place, "recipe.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_damaged_files(tmp_path: Path) -> None:
    place = saved(tmp_path / "cut")
    path = Path(place, "model.safetensors")
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(UsageError, match="is damaged"):
        load_bundle(place)

    place = saved(tmp_path / "gone")
    Path(place, "model.safetensors").unlink()
    with pytest.raises(UsageError, match="model.safetensors"):
        load_bundle(place)

    place = saved(tmp_path / "text")
    Path(place, "recipe.json").write_text("{")
    with pytest.raises(UsageError, match="not a JSON file"):
        load_bundle(place)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    place = saved(tmp_path / "m")
    weights = load_file(Path(place, "model.safetensors"))
    Path(place, "model.safetensors").write_bytes(save({k: v * 2 for k, v in weights.items()}))
    with pytest.raises(UsageError, match="not what was written"):
        load_bundle(place)
    place = saved(tmp_path / "n")
    change(place, audio_frames=3)
    with pytest.raises(UsageError, match="not what was written"):
        load_bundle(place)


def test_other_versions(tmp_path: Path) -> None:
    place = saved(tmp_path / "m")
    change(place, format=99)
    with pytest.raises(UsageError, match="has format 99, this version reads 1"):
        load_bundle(place)
    place = saved(tmp_path / "n")
    recipe = storage.read_json(str(tmp_path / "n" / "recipe.json"))["recipe"]
    change(place, recipe={**recipe, "tempo": 1})
    with pytest.raises(UsageError, match="unknown key tempo"):
        load_bundle(place)
    place = saved(tmp_path / "o", info(recipe=replace(SMALL, network="lost")))
    with pytest.raises(UsageError, match="no network 'lost'"):
        load_bundle(place)
    place = saved(tmp_path / "p")
    change(place, label_set={"name": "emotions7", "labels": ["a"], "merge": {}})
    with pytest.raises(UsageError, match="'emotions7' has other classes"):
        load_bundle(place)
    place = saved(tmp_path / "q", info(recipe=replace(SMALL, network_options={"hidden": 99})))
    with pytest.raises(UsageError, match="weights do not fit"):
        load_bundle(place)


class Bomb:
    """Unpickling one makes a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_loading_never_unpickles(tmp_path: Path) -> None:
    place = saved(tmp_path / "m")
    torch.save(Bomb(tmp_path / "exploded"), Path(place, "model.safetensors"))
    with pytest.raises(UsageError):
        load_bundle(place)
    assert not (tmp_path / "exploded").exists()


def test_model_card_says_what_matters() -> None:
    training = {"epochs": 9, "best_epoch": 4, "seconds": 12.3, "workers": 2, "phases": []}
    label = torch.tensor([0, 0, 1, 3])
    found = figures(torch.tensor([0, 1, 1, 3]), label, LABEL_SETS["emotions7"])
    card = model_card(info(modalities=("audio",)), found, training, 12345)
    for words in ("12,345 parameters", "`elte`, seed 3", "Calm counts as neutral", "sound alone",
                  "UAR 83.3%", "| sad | does not occur |", "CC BY-NC-SA", "never saw a face",
                  "20 of ravdess, of 2 named speakers", "weights of epoch 4"):  # fmt: skip
        assert words in card
    other = model_card(info(clips={"mine": 3}), None, training, 1)
    assert "mine: see the terms" in other and "no validation side" in other
    assert "never saw" not in other and "In phases" not in other
    phased = model_card(info(), None, {**training, "phases": ["audio", "fusion"]}, 1)
    assert "In phases: audio, fusion." in phased
