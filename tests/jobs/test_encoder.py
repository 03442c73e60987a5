"""A pretrained encoder through all jobs: named once, known everywhere, found where it was moved."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from emotion_core import storage
from emotion_core.models.bundle import load_bundle
from emotion_core.sound.encoder import SpeechEncoder
from emotion_core.storage.parts import read_parts
from tests.support.encoders import WIDTH, write_tones, write_whisper
from tests.support.jobs import Done, run_here

pytestmark = pytest.mark.usefixtures("ray_one", "trains_here")

OPTIONS = ("--option", "audio.layers=[0, 2]", "--option", "audio.steps=5")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tones(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("encoder") / "here")


def well(done: Done) -> Done:
    assert done.returncode == 0, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def features(corpus: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("features")
    named = ("--recipe", "voice-encoder", "--option", f"audio.encoder={encoder}", *OPTIONS)
    words = ("preprocess", "--corpus", f"ravdess={corpus}", "--out", out, *named)
    well(run_here(*words))
    assert "0 of 6 clips decoded" in well(run_here(*words)).stdout
    return out


@pytest.fixture(scope="module")
def model(features: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "m"
    chosen = ("--split", "loso:01", "--epochs", 2, "--option", "training.mixup=0.2")
    well(run_here("train", "--features", features, "--out", out, "--option", "hidden=8", *chosen))
    return out


def test_features_are_the_encoder_s(features: Path, corpus: Path) -> None:
    table = read_parts(str(features / "features"))
    assert table is not None
    model = SpeechEncoder(spec_used(features))
    for row in table.to_pylist():
        assert row["status"] == "ok" and row["audio_features"] is None
        assert row["audio_frames"] == 3 * 5  # three speeds
        sound, _ = soundfile.read(row["uri"].removeprefix("file://"), dtype="float32")
        (expected,) = model([sound])
        np.testing.assert_array_equal(np.array(row["encoder_features"], np.float16), expected)


def spec_used(features: Path):
    from emotion_core.recipes.specs import AudioSpec

    settings = storage.read_json(str(features / "settings.json"))["settings"]
    assert settings["options"] == [
        f"audio.encoder={settings['audio']['encoder']}", "audio.layers=[0, 2]", "audio.steps=5",
    ]  # fmt: skip
    assert settings["audio"]["width"] == WIDTH and len(settings["audio"]["weights_hash"]) == 64
    return AudioSpec(**settings["audio"])


def test_a_model_holds_what_its_features_were_made_with(model: Path, features: Path) -> None:
    recipe = load_bundle(str(model)).recipe
    assert recipe.audio == spec_used(features)
    assert (recipe.training.mixup, recipe.training.epochs) == (0.2, 2)
    assert recipe.network_options == {"hidden": 8}


def test_another_encoder_than_the_features_is_one_line(features: Path, tmp_path: Path) -> None:
    done = run_here(
        "train", "--features", features, "--out", tmp_path / "m", "--recipe", "voice-encoder"
    )
    assert done.returncode == 2
    words = " ".join(done.stderr.split())
    assert "audio encoder=" in words and "this recipe needs 'openai/whisper-base'" in words
    assert "or say --option audio.encoder=" in words and "Traceback" not in words


def test_evaluated_and_labelled(
    model: Path, features: Path, corpus: Path, encoder: Path, tmp_path: Path
) -> None:
    well(run_here("evaluate", "--model", model, "--features", features, "--out", tmp_path / "e"))
    videos = ("--any-sound", "--videos", corpus, "--model", model)
    well(run_here("label", *videos, "--out", tmp_path / "here"))
    elsewhere = encoder.rename(encoder.with_name("elsewhere"))
    try:
        lost = run_here("label", *videos, "--out", tmp_path / "lost")
        assert lost.returncode == 2 and "no folder" in lost.stderr
        lost = run_here("label", *videos, "--out", tmp_path / "here", "--overwrite")
        assert lost.returncode == 2 and (tmp_path / "here" / "segments").is_dir()
        other = write_whisper(tmp_path / "other", seed=2)
        wrong = run_here("label", *videos, "--out", tmp_path / "wrong", "--encoder", other)
        assert wrong.returncode == 2 and "holds weights" in " ".join(wrong.stderr.split())
        assert not (tmp_path / "lost").exists() and not (tmp_path / "wrong").exists()
        well(run_here("label", *videos, "--out", tmp_path / "moved", "--encoder", elsewhere))
    finally:
        elsewhere.rename(encoder)
    one, two = (read_parts(str(tmp_path / name / "segments")) for name in ("here", "moved"))
    assert one is not None and two is not None and len(one) >= 6
    keys = [("uri", "ascending"), ("start_s", "ascending")]
    assert one.sort_by(keys)["p_happy"].to_pylist() == two.sort_by(keys)["p_happy"].to_pylist()
