"""The models that come with the package: there, small, whole, licensed, and asked by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.labelling.ensemble import Ensemble
from emotion_core.models import shipped
from emotion_core.models.bundle import load_bundle
from emotion_core.models.samples import Sample
from emotion_core.models.shipped import NAMES, TERMS, bundle_uri, model_uri
from emotion_core.sound.backends import batch_features

ROOT = Path(shipped.__file__).parent


@pytest.mark.parametrize("name", NAMES)
def test_each_is_a_whole_bundle_of_seven_labels(name: str) -> None:
    bundle = load_bundle(bundle_uri(name))
    assert bundle.label_set.name == "emotions7"
    assert bundle.info.modalities == (("audio",) if name == "voice" else ("face",))
    assert not bundle.info.recipe.audio or not bundle.info.recipe.audio.encoded, "no download"
    files = {path.name for path in (ROOT / name).iterdir()}
    assert files == {"model.safetensors", "recipe.json", "metrics.json", "history.json",
                     "README.md", "LICENSE"}  # fmt: skip


def test_together_they_are_small() -> None:
    sizes = [path.stat().st_size for name in NAMES for path in (ROOT / name).rglob("*")]
    assert sum(sizes) < 12e6
    for name in NAMES:
        parameters = storage.read_json(str(ROOT / name / "metrics.json"))["parameters"]
        assert parameters < 3e6 and (ROOT / name / "model.safetensors").stat().st_size < 6.1e6


@pytest.mark.parametrize("name", NAMES)
def test_its_card_tells_figures_limits_and_terms(name: str) -> None:
    card = (ROOT / name / "README.md").read_text()
    metrics = storage.read_json(str(ROOT / name / "metrics.json"))
    figures = metrics.get("folds") or metrics
    for key in ("war", "uar"):
        assert f"{figures[key]:.1%}" in card
    assert "Not for decisions about people" in card
    corpus = {"voice": "RAVDESS", "face": "FER2013"}[name]
    assert (
        corpus in card and corpus in TERMS[name] and corpus in (ROOT / name / "LICENSE").read_text()
    )
    for file in (ROOT / name).glob("*.json"):
        told = json.dumps(json.loads(file.read_text()))
        assert "/tmp" not in told and "/work" not in told and "/home" not in told


def test_they_answer_together_each_about_what_it_can_judge() -> None:
    both = Ensemble([load_bundle(bundle_uri(name)) for name in NAMES])
    assert both.labels == ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")
    assert both.hears and len(both.views) == 1


def test_a_voice_depends_on_how_loud_and_how_high_it_is() -> None:
    bundle = load_bundle(bundle_uri("voice"))
    assert bundle.recipe.audio is not None
    features = batch_features(bundle.recipe.audio, bundle.info.made_with("audio_backend"), "cpu")
    t = np.arange(2 * 16000) / 16000
    swell = 1 + np.sin(2 * np.pi * 4 * t)
    clips = [(0.1 * swell * np.sin(2 * np.pi * f * t)).astype(np.float32) for f in (120, 400)]
    answers = bundle.predict([Sample(matrix) for matrix in features(clips)])
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert np.abs(answers[0] - answers[1]).max() > 0.02


def test_names_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_uri("voice") == "voice"
    assert model_uri("./voice") == storage.absolute("./voice") != "voice"
    assert bundle_uri("s3://bucket/voice") == "s3://bucket/voice"
    monkeypatch.setattr(shipped, "_HERE", tmp_path)
    with pytest.raises(UsageError, match="this installation comes without the model 'face'"):
        bundle_uri("face")
