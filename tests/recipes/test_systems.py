"""The systems that come with the package: what their authors published, and the example."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core.corpora.splits import expand, is_speaker_independent
from emotion_core.models.batches import make_batch
from emotion_core.models.networks import NETWORKS, build_network
from emotion_core.models.samples import Sample, segment_spans
from emotion_core.recipes import RECIPES, load_recipe, recipe_from_json, recipe_to_json
from emotion_core.recipes.specs import AudioSpec, Recipe, VideoSpec
from tests.support.synthetic_features import sound

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_recipe.py"


def test_every_system_and_every_variant_is_there() -> None:
    fusions = [
        f"alexnet-fusion-{kind}{encoder}"
        for kind in ("concat", "single", "multi")
        for encoder in ("", "-cnn", "-lstm")
    ]
    assert set(RECIPES) == {
        "strip-cnn-lstm",
        "timedist-blstm",
        "timedist-blstm-logmel",
        "timedist-mean-mfcc",
        "timedist-blstm-residual",
        "timedist-blstm-gru",
        "timedist-blstm-lstm",
        "alexnet-visual",
        "alexnet-audio-cnn",
        "alexnet-audio-lstm",
        *fusions,
        "fer-cnn",
        "fer-vgg16-grey",
        "fer-inception-resnet",
        "audio-cnn1d",
        "voice-encoder",
        "voice-finetune",
        "voice-small",
        "face-small",
        "fusion",
        "fusion-small",
    }
    assert {recipe.network for recipe in RECIPES.values()} == set(NETWORKS)


@pytest.mark.parametrize("name", RECIPES)
def test_json_and_back_as_it_is(name: str) -> None:
    recipe = RECIPES[name]
    back = recipe_from_json(json.loads(json.dumps(recipe_to_json(recipe))))
    assert back == recipe
    assert isinstance(back.training.phases, tuple)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_list_of_recipes_shows(name: str) -> None:
    recipe = RECIPES[name]
    for text in (recipe.summary, recipe.source):
        assert 5 < len(text) <= 100 and "\n" not in text
    assert recipe.published is None or recipe.published.strip()
    assert len({other.summary for other in RECIPES.values()}) == len(RECIPES) - 3  # two names


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("alexnet-visual", "48.89 %"),
        ("alexnet-audio-cnn", "53.33 %"),
        ("alexnet-audio-lstm", "37.68 %"),
        ("fer-cnn", "58 %"),
        ("fer-inception-resnet", "68.8 %"),
        ("audio-cnn1d", "F1 81 %"),
        ("strip-cnn-lstm", "performed pretty well"),
    ],
)
def test_published_figures(name: str, figure: str) -> None:
    assert figure in (RECIPES[name].published or "")


def test_label_sets_and_protocols() -> None:
    told = {name: (recipe.label_set, recipe.split) for name, recipe in RECIPES.items()}
    assert told.pop("strip-cnn-lstm") == ("emotions8", "random")
    assert told.pop("audio-cnn1d") == ("emotions7", "random")
    # as EmoBox has it: six folds, calm beside neutral
    for name in ("voice-encoder", "voice-finetune", "voice-small"):
        assert told.pop(name) == ("emotions8", "emobox6:all")
    assert told.pop("fusion") == told.pop("fusion-small") == ("emotions8", "luna5:all")
    for name, (labels, split) in told.items():
        assert labels == "emotions7"
        system = re.split("[-]", name)[0]
        expected = {"timedist": "elte", "alexnet": "luna5:3+savee4:2"}.get(system, "fer2013")
        assert split == expected and expand(split) == [split]
        assert is_speaker_independent(split) == (system not in ("fer", "face"))


def test_what_the_systems_hear() -> None:
    heard = {name: recipe.audio for name, recipe in RECIPES.items()}
    strip, timedist, alexnet, conv1d = (
        heard[name] or AudioSpec()
        for name in ("strip-cnn-lstm", "timedist-blstm", "alexnet-audio-cnn", "audio-cnn1d")
    )
    assert all(audio.sample_rate == 16000 for audio in heard.values() if audio)
    assert (strip.sample_rate / strip.hop_length, strip.trim_db) == (50, None)
    assert (timedist.n_mfcc, timedist.scale, timedist.trim_db) == (24, "standardise", 30.0)
    assert (alexnet.n_mfcc, alexnet.n_mels, alexnet.n_fft, alexnet.hop_length) == (
        20,
        128,
        1024,
        400,
    )
    assert alexnet.max_frames == 282
    assert (conv1d.kind, conv1d.scale) == ("mfcc+logmel", "minmax")
    encoder, small = (heard[name] or AudioSpec() for name in ("voice-encoder", "voice-small"))
    assert encoder.speeds == (0.9, 1.0, 1.1)
    assert (small.kind, small.n_mels, small.scale) == ("logmel", 80, "none"), "its level is kept"
    assert {name for name, audio in heard.items() if audio is None} == {
        "alexnet-visual", "fer-cnn", "fer-vgg16-grey", "fer-inception-resnet", "face-small",
    }  # fmt: skip


def test_what_the_systems_see() -> None:
    seen = {name: recipe.video for name, recipe in RECIPES.items()}
    strip, alexnet, fer = (
        seen[name] or VideoSpec() for name in ("strip-cnn-lstm", "alexnet-visual", "fer-cnn")
    )
    assert (strip.sampling, strip.fps, strip.face_size) == ("fps", 5.0, 64)
    assert (alexnet.sampling, alexnet.every, alexnet.face_size) == ("stride", 10, 224)
    assert (fer.face_size, fer.grey, fer.margin) == (48, True, 0.0)
    assert seen["face-small"] == seen["fer-vgg16-grey"] == seen["fer-inception-resnet"] == fer
    assert {name for name, video in seen.items() if video is None} == {
        "alexnet-audio-cnn", "alexnet-audio-lstm", "audio-cnn1d", "voice-encoder",
        "voice-finetune", "voice-small",
    }  # fmt: skip


def test_only_strips_are_parts_of_a_clip() -> None:
    assert [name for name, recipe in RECIPES.items() if recipe.segment_s] == ["strip-cnn-lstm"]
    spans = segment_spans(150, 15, RECIPES["strip-cnn-lstm"])
    assert spans == [(slice(50 * n, 50 * n + 50), slice(5 * n, 5 * n + 5)) for n in range(3)]


@pytest.mark.parametrize("name", RECIPES)
def test_a_longer_training_is_one_change(name: str) -> None:
    recipe = RECIPES[name]
    longer = replace(recipe, training=replace(recipe.training, epochs=200))
    changed = {key for key, value in asdict(longer).items() if value != asdict(recipe)[key]}
    assert changed == {"training"}


# --- a user's own --------------------------------------------------------------------------------


def batch_of(recipe: Recipe) -> tuple[list[Sample], int]:
    rng = np.random.default_rng(3)
    assert recipe.audio is not None
    clips = [sound(emotion, rng, recipe.audio.coefficients) for emotion in (0, 1)]
    return [*(Sample(matrix, (), row) for row, matrix in enumerate(clips)), Sample(None, (), 2)], 30


def test_the_example_is_a_recipe_whose_network_runs() -> None:
    recipe = load_recipe(str(EXAMPLE))
    assert recipe.name == "mean-and-spread" and recipe.network == "own_recipe:MeanAndSpread"
    assert expand(recipe.split) == [recipe.split]
    torch.manual_seed(0)
    network = build_network(recipe)
    samples, frames = batch_of(recipe)
    batch = make_batch(samples, recipe.audio, recipe.video, frames)
    logits = network(batch)
    assert logits.shape == (3, 8)
    torch.nn.functional.cross_entropy(logits, batch.label).backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())
    network.eval()
    with torch.no_grad():
        longer = make_batch(samples, recipe.audio, recipe.video, 2 * frames)
        torch.testing.assert_close(network(batch), network(longer), atol=1e-5, rtol=1e-5)
    assert recipe_from_json(recipe_to_json(recipe)) == recipe


def test_the_example_is_short() -> None:
    text = EXAMPLE.read_text()
    code = text.split('"""', 2)[2]
    lines = [line for line in code.splitlines() if line.strip() and '"""' not in line]
    assert len(lines) <= 42, "about thirty, and the imports"
