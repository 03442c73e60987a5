"""A training of an encoder's upper layers through all jobs, as a user types it."""

from pathlib import Path

import pytest

from emotion_core.models.bundle import load_bundle
from emotion_core.models.made import completed, feature_settings, require_features
from emotion_core.models.networks import build_network
from emotion_core.recipes import RECIPES
from emotion_core.recipes.options import with_options
from emotion_core.storage.parts import read_parts
from emotion_core.training.start import require_pretrained
from tests.support.encoders import WIDTH, write_tones, write_whisper
from tests.support.jobs import Done, run_here

pytestmark = pytest.mark.usefixtures("ray_one", "trains_here")


def well(done: Done) -> Done:
    assert done.returncode == 0, done.stderr + done.stdout
    return done


def test_preprocessed_trained_evaluated_and_labelled(tmp_path: Path) -> None:
    corpus = write_tones(tmp_path / "corpus")
    encoder = write_whisper(tmp_path / "encoder")
    features, model = tmp_path / "features", tmp_path / "model"
    named = ("--recipe", "voice-finetune", "--option", f"audio.encoder={encoder}")
    layer = ("--option", "audio.layers=[1]")
    well(run_here("preprocess", "--corpus", f"ravdess={corpus}", "--out", features, *named, *layer))
    table = read_parts(str(features / "features"))
    assert table is not None
    assert {len(step) for clip in table["encoder_features"].to_pylist() for step in clip} == {WIDTH}

    small = ("--split", "loso:01", "--epochs", 1, "--option", "hidden=8")
    training = ("train", "--features", features, *small)
    well(run_here(*training, "--out", model))
    recipe = load_bundle(str(model)).recipe
    assert (recipe.name, recipe.network_options["pretrained"]) == ("voice-finetune", "encoder")
    assert recipe.audio is not None and (recipe.audio.depth, recipe.audio.heads) == (3, 2)
    trained = load_bundle(str(model)).network.state_dict()
    begun = build_network(recipe).state_dict()
    name = "listener.upper.layers.3.linear1.weight"
    apart = (trained[name] - begun[name]).abs().max()
    assert 0 < apart < 5e-4, "it began with the encoder's weights, and moved a little"

    well(run_here("evaluate", "--model", model, "--features", features, "--out", tmp_path / "e"))
    sounds = ("--any-sound", "--videos", corpus)
    well(run_here("label", *sounds, "--model", model, "--out", tmp_path / "l"))
    segments = read_parts(str(tmp_path / "l" / "segments"))
    assert segments is not None and len(segments) >= 6

    encoder.rename(tmp_path / "elsewhere")
    lost = run_here(*training, "--out", tmp_path / "lost")
    assert lost.returncode == 2 and "Traceback" not in lost.stderr
    words = " ".join(lost.stderr.split())
    assert "begins with the encoder's own layers needs it: no folder" in words
    assert f"--option audio.weights_hash={recipe.audio.weights_hash}" in words.replace("- ", "-")
    # what the line says helps
    moved = (f"audio.encoder={tmp_path / 'elsewhere'}",
             f"audio.weights_hash={recipe.audio.weights_hash}")  # fmt: skip
    settings = feature_settings(str(features))
    chosen = completed(
        with_options(RECIPES["voice-finetune"], [*settings["options"], *moved]), settings
    )
    require_features(settings, chosen, str(features))
    require_pretrained(chosen)
