"""Two learning rates in one training: the encoder's layers move by their own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from emotion_core.clips.clip import Clip
from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet, audio_length, load_features
from emotion_core.models.networks import build_network
from emotion_core.recipes import RECIPES, with_training
from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec
from emotion_core.sound.encoder import SpeechEncoder
from emotion_core.sound.pretrained import resolve
from emotion_core.training.loop import Training
from emotion_core.training.optimiser import make_optimiser, set_rates
from emotion_core.training.plan import TrainPlan, learning_rate
from emotion_core.training.snapshot import Snapshot
from emotion_core.training.start import require_pretrained
from tests.support.encoders import spec_of, write_whisper
from tests.support.synthetic_features import row, write_features

torch.set_num_threads(1)


class Two(nn.Module):
    """Two layers, the second from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.own, self.other = nn.Linear(2, 2), nn.Linear(2, 2)
        self.pretrained_weights = self.other.parameters


def test_each_group_has_its_own_rate_and_all_rise_and_fall_alike() -> None:
    spec = TrainSpec(lr=1e-2, pretrained_lr=1e-4, weight_decay=0.5)
    network = Two()
    network.own.bias.requires_grad_(False)
    optimiser = make_optimiser(network, spec)
    first, second = optimiser.param_groups
    assert [len(first["params"]), len(second["params"])] == [1, 2]
    assert first["weight_decay"] == second["weight_decay"] == 0.5
    for step in range(20):
        rate = set_rates(optimiser, spec, step, 20, 4)
        assert rate == first["lr"] == learning_rate(1e-2, step, 20, 4)
        assert second["lr"] == pytest.approx(rate / 100)


def test_without_a_rate_of_their_own_all_weights_are_one_group() -> None:
    optimiser = make_optimiser(Two(), TrainSpec(lr=1e-2))
    assert [len(group["params"]) for group in optimiser.param_groups] == [4]
    assert set_rates(optimiser, TrainSpec(lr=1e-2), 3, 20, 4) == 1e-2


# --- the recipe -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("encoder") / "e")


@pytest.fixture(scope="module")
def recipe(encoder: Path) -> Recipe:
    audio = resolve(spec_of(encoder, layers=(1,), steps=None, speeds=(0.9, 1.0)))
    base = RECIPES["voice-finetune"]
    options = {"hidden": 16, "attention": 4, "dropout": 0.0, "pretrained": "encoder"}
    small = replace(base, audio=audio, network_options=options)
    return with_training(small, epochs=8, batch_size=8, lr=1e-2, pretrained_lr=1e-3)


@pytest.fixture(scope="module")
def features(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> FeatureSet:
    """24 clips of 0.3 to 0.6 s: high tones are happy, low ones sad."""
    hear, rng = SpeechEncoder(recipe.audio or AudioSpec()), np.random.default_rng(0)
    given = []
    for number in range(24):
        emotion = ("happy", "sad")[number % 2]
        times = np.arange(rng.integers(4800, 9600)) / 16000
        tone = np.sin(2 * np.pi * (900 if emotion == "happy" else 200) * times)
        noise = rng.standard_normal(len(times))
        (matrix,) = hear([(0.2 * tone + 0.05 * noise).astype(np.float32)])
        clip = Clip(f"{number:02d}.wav", 1, "1", corpus="c", speaker=str(number), emotion=emotion)
        given.append(row(clip, encoder_features=list(matrix), audio_frames=len(matrix)))
    place = write_features(tmp_path_factory.mktemp("features") / "f", given, recipe)
    return load_features(place, recipe)


def trained(recipe: Recipe, features: FeatureSet, resume: Snapshot | None = None) -> list[Snapshot]:
    states: list[Snapshot] = []
    nobody = features.select(np.zeros(len(features), bool))
    plan = TrainPlan(recipe, audio_length(features, recipe.audio))
    Training(plan, features, nobody).run(states.append, resume)
    return states


def moved(recipe: Recipe, state: Snapshot) -> float:
    """How far the encoder's layers are from what they were, root mean square."""
    start = build_network(recipe).state_dict()
    names = [name for name in start if ".upper." in name]
    apart = torch.cat([(state.last[name] - start[name]).flatten() for name in names])
    return float(apart.square().mean().sqrt())


def test_it_learns_and_the_encoder_s_layers_move_by_their_own_rate(
    recipe: Recipe, features: FeatureSet
) -> None:
    states = trained(recipe, features)
    losses = [each.loss for each in states[-1].history]
    assert losses[-1] < 0.8 * losses[0]
    slower = with_training(recipe, pretrained_lr=1e-5)
    far, near = moved(recipe, states[-1]), moved(recipe, trained(slower, features)[-1])
    assert 1e-6 < near < far / 20 and far < 0.05


def test_stopped_and_resumed_it_is_the_same(recipe: Recipe, features: FeatureSet) -> None:
    short = with_training(recipe, epochs=3)
    states = trained(short, features)
    again = trained(short, features, Snapshot.from_files(states[0].to_files()))
    assert [each.epoch for each in again[-1].history] == [0, 1, 2]
    for name, weight in states[-1].last.items():
        torch.testing.assert_close(again[-1].last[name], weight, atol=0, rtol=0)


def test_an_encoder_that_is_gone_is_one_line_before_anybody_works(recipe: Recipe) -> None:
    require_pretrained(recipe)
    require_pretrained(RECIPES["voice-small"])
    assert recipe.audio is not None
    gone = replace(recipe, audio=replace(recipe.audio, encoder="/nowhere/at-all"))
    with pytest.raises(UsageError, match="needs it: no folder '/nowhere/at-all'") as error:
        require_pretrained(gone)
    words = str(error.value)
    assert f"--option audio.weights_hash={recipe.audio.weights_hash}" in words and "\n" not in words
