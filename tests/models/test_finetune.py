"""The upper layers of an encoder in a network: its numbers, whatever stands beside them."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from emotion_core.errors import UsageError
from emotion_core.models.batches import make_batch
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.networks import build_network
from emotion_core.models.samples import Sample
from emotion_core.recipes import RECIPES, recipe_from_json, recipe_to_json
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import AudioSpec, Recipe
from emotion_core.sound.encoder import SpeechEncoder
from emotion_core.sound.pretrained import resolve
from tests.support.encoders import LAYERS, WIDTH, noise, spec_of, write_family, write_whisper

torch.set_num_threads(1)
BASE = RECIPES["voice-finetune"]
HEARD = BASE.audio or AudioSpec()
SMALL = {"hidden": 8, "attention": 4, "pretrained": "encoder"}


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("whisper"))


def recipe_of(folder: Path, **changes: object) -> Recipe:
    """Trained from layer 1 of a small encoder on."""
    audio = resolve(spec_of(folder, **{"layers": (1,), "steps": None, **changes}))
    return replace(BASE, audio=audio, network_options=SMALL)


def own_numbers(network: nn.Module, recipe: Recipe, sound: np.ndarray, **padding: int) -> None:
    """The network's layers say what the whole encoder says; states are half floats both times."""
    assert recipe.audio is not None and recipe.audio.layers and recipe.audio.depth
    first, depth = recipe.audio.layers[0], recipe.audio.depth
    (fed,) = SpeechEncoder(recipe.audio)([sound])
    above = replace(recipe.audio, layers=tuple(range(first, depth + 1)), steps=len(fed))
    (expected,) = SpeechEncoder(above)([sound])
    before = padding.get("before", 0)
    states = torch.from_numpy(np.pad(fed.astype(np.float32), ((before, 0), (0, 0))))[None]
    real = torch.arange(len(fed) + before)[None] >= before
    with torch.no_grad():
        found = network.eval().listener.upper(states, real)[0, before:]  # type: ignore[union-attr]
    assert found.shape == expected.shape
    scale = float(np.abs(expected).max())
    np.testing.assert_allclose(found.numpy(), expected.astype(np.float32), atol=3e-3 * scale)


def write_stable(folder: Path) -> Path:
    return write_family(folder, "hubert", feat_extract_norm="layer", do_stable_layer_norm=True)


@pytest.mark.parametrize(
    "write",
    [
        write_whisper,
        write_stable,
        lambda folder: write_family(folder, "wav2vec2"),
        lambda folder: write_family(folder, "data2vec-audio", feat_extract_norm="layer"),
    ],
    ids=["whisper", "hubert", "wav2vec2", "data2vec"],
)
def test_fresh_layers_say_what_the_encoder_says(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    recipe = recipe_of(write(tmp_path / "encoder"))
    network = build_network(recipe)
    own_numbers(network, recipe, noise(0.7))
    own_numbers(network, recipe, noise(0.7), before=13)
    drawn = build_network(recipe, download=False)
    with pytest.raises(AssertionError):
        own_numbers(drawn, recipe, noise(0.7))


def test_whisper_base(corpora: Path) -> None:
    """The real one, of a real clip, from layer 2 on."""
    import soundfile

    place = corpora / "models" / "whisper-base-encoder"
    audio = resolve(replace(HEARD, encoder=str(place), speeds=(1.0,)))
    known = {"encoder": str(place), "weights_hash": audio.weights_hash, "speeds": (1.0,)}
    assert audio == replace(HEARD, **known), "what the recipe says of it is right"
    recipe = replace(BASE, audio=audio)
    network = build_network(recipe)
    clip = sorted((corpora / "corpora" / "ravdess").rglob("*.flac"))[0]
    sound, _ = soundfile.read(clip, dtype="float32")
    own_numbers(network, recipe, sound)
    tuned = sum(weight.numel() for weight in network.pretrained_weights())  # type: ignore[operator]
    assert 12.6e6 < tuned < 12.7e6


@torch.no_grad()
def test_a_clip_at_three_speeds_is_answered_as_at_each_alone(whisper: Path) -> None:
    """The mean of what is said at each speed, whatever lengths stand beside each other."""
    speeds = (0.8, 1.0, 1.25)
    recipe = recipe_of(whisper, speeds=speeds)
    assert recipe.audio is not None
    torch.manual_seed(0)
    network = build_network(recipe).eval()
    clips = [noise(0.8), noise(0.3, 1)]
    together = make_batch(
        [Sample(matrix) for matrix in SpeechEncoder(recipe.audio)(clips)], recipe.audio, None, 170
    )
    answers = network(together).softmax(dim=1)
    one = replace(recipe, audio=replace(recipe.audio, speeds=(1.0,)))
    same = build_network(one, download=False).eval()
    same.load_state_dict(network.state_dict())
    for row, clip in enumerate(clips):
        alone = [
            same(make_batch([Sample(SpeechEncoder(spec)([clip])[0])], spec, None, 60)).softmax(1)
            for spec in (replace(recipe.audio, speeds=(speed,)) for speed in speeds)
        ]
        torch.testing.assert_close(answers[row], torch.cat(alone).mean(dim=0), atol=1e-5, rtol=1e-4)


def test_a_bundle_needs_no_encoder_and_holds_what_was_trained(tmp_path: Path) -> None:
    folder = write_whisper(tmp_path / "encoder")
    recipe = recipe_of(folder)
    assert recipe.audio is not None
    torch.manual_seed(0)
    network = build_network(recipe).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight += 0.01 * torch.randn_like(weight)
    labels = LABEL_SETS[recipe.label_set]
    info = BundleInfo(recipe, labels, {}, 60, ("audio",), "everybody", 0)
    place = str(tmp_path / "bundle")
    model_id = save_bundle(place, info, network.state_dict(), {}, [], "card")
    shutil.copytree(folder, tmp_path / "kept")
    shutil.rmtree(folder)
    bundle = load_bundle(place)
    assert bundle.model_id == model_id and bundle.recipe == recipe
    kept = SpeechEncoder(replace(recipe.audio, encoder=str(tmp_path / "kept")))
    samples = [Sample(matrix) for matrix in kept([noise(0.8), noise(0.5, 1)])]
    with torch.no_grad():
        expected = network(make_batch(samples, recipe.audio, None, 60)).softmax(dim=1).numpy()
    np.testing.assert_allclose(bundle.predict(samples), expected, atol=1e-6)
    # the layers above the first one and nothing below: that stays with the encoder
    held = {name.split(".")[3] for name in network.state_dict() if ".upper.layers." in name}
    assert held == {str(number) for number in range(2, LAYERS + 1)}


def test_recipes_of_before_are_read() -> None:
    written = recipe_to_json(RECIPES["voice-encoder"])
    for name in ("depth", "heads", "inner", "norms"):
        del written["audio"][name]
    del written["training"]["pretrained_lr"]
    assert recipe_from_json(written) == RECIPES["voice-encoder"]


POOLED = AudioSpec(kind="encoder", encoder="e", width=WIDTH, layers=(1,), steps=4, scale="none")


@pytest.mark.parametrize(
    ("audio", "options", "words"),
    [
        (AudioSpec(), {}, "'voice-finetune' goes on from one layer of an encoder"),
        (POOLED, {}, "make the features with --recipe voice-finetune"),
        (replace(POOLED, steps=None), {}, "goes on from one layer of an encoder"),
        (replace(HEARD, layers=(6,)), {}, "from layer 6, .*are 0 to 6, and"),
        (replace(HEARD, layers=(7,)), {}, "from layer 7, .*are 0 to 6, and"),
        (replace(HEARD, heads=7), {}, "7 heads cannot share a width of 512"),
        (HEARD, {"pretrained": "imagenet"}, "no pretrained weights 'imagenet': choose one of"),
        (HEARD, {"depth": 3}, "does not take its options: .*depth"),
    ],
)
def test_what_makes_no_network(audio: AudioSpec, options: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        build_network(replace(BASE, audio=audio, network_options=options))
    assert "\n" not in str(error.value)


def test_other_networks_refuse_its_features_and_its_rate() -> None:
    with pytest.raises(UsageError, match="'voice-encoder' hears layers .* a number of steps"):
        build_network(replace(RECIPES["voice-encoder"], audio=HEARD))
    rate = replace(RECIPES["voice-small"], training=BASE.training)
    with pytest.raises(UsageError, match=r"pretrained_lr 0.0001: network 'voice-small' names no"):
        build_network(rate)


def test_other_weights_than_made_the_features_are_refused(whisper: Path, tmp_path: Path) -> None:
    recipe = recipe_of(whisper)
    other = write_whisper(tmp_path / "other", seed=2)
    assert recipe.audio is not None
    with pytest.raises(UsageError, match="holds weights .*, needed are"):
        build_network(replace(recipe, audio=replace(recipe.audio, encoder=str(other))))
