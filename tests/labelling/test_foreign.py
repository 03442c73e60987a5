"""Other people's models label together with ours, and say whose they are."""

from pathlib import Path

import numpy as np
import pytest

from emotion_core.clips.work import Segment
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.report.cards import cards
from tests.support.foreign import colour_network, voice_classifier
from tests.support.labelling import LABELS, work_on

NAMES = ["Sadness", "surprise", "joy", "neutral"]


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"onnx:{colour_network(tmp_path_factory.mktemp('onnx'), NAMES)}"


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"hf:{voice_classifier(tmp_path_factory.mktemp('hf'), ['neu', 'hap', 'ang', 'sad'])}"


def labelled(how: Labelling, *paths: Path) -> list[tuple[Segment, ...]]:
    step = how.step()
    done = step([work_on(path) for path in paths])
    step.decoder.close()
    assert [work.outcome.status for work in done] == ["ok"] * len(done)
    return [work.segments for work in done]


def likeliest(probabilities: np.ndarray | None) -> str:
    assert probabilities is not None
    return LABELS[int(probabilities.argmax())]


def test_an_onnx_and_a_transformers_model_label_real_clips_with_voice(
    faces: str, voices: str, corpora: Path
) -> None:
    clips = corpora / "clips" / "labelled"
    ravdess, cremad = clips / "01-01-07-02-02-01-01.mp4", clips / "1001_DFA_HAP_XX.flv"
    how = Labelling(("voice", faces, voices))
    (skin,), (screen,) = labelled(how, ravdess, cremad)
    assert how.together.labels == LABELS
    assert skin.modalities == screen.modalities == ("audio", "face")
    # skin is red, which is what its makers call Sadness; CREMA-D's faces are before a green screen
    assert [likeliest(each.face_probabilities) for each in (skin, screen)] == ["sad", "surprised"]
    ours, seen, theirs = (labelled(Labelling((m,)), cremad)[0][0] for m in ("voice", faces, voices))
    assert seen.modalities == ("face",) and theirs.modalities == ("audio",)
    assert theirs.probabilities[LABELS.index("fearful")] == 0, "it knows none"
    each = [segment.probabilities for segment in (ours, theirs, seen)]
    assert np.abs(each[0] - each[1]).max() > 0.01
    near = {"atol": 1e-5}
    np.testing.assert_allclose(screen.audio_probabilities, np.mean(each[:2], axis=0), **near)
    np.testing.assert_allclose(screen.face_probabilities, each[2], **near)
    np.testing.assert_allclose(screen.probabilities, np.mean(each, axis=0), **near)


def test_whose_they_are_is_said(faces: str, voices: str) -> None:
    how = Labelling(("voice", faces, voices))
    how.check()
    terms = how.terms()
    assert (terms[faces], terms[voices]) == ("MIT", "cc-by-nc-4.0") and "CC BY-NC" in terms["voice"]
    settings = how.settings()
    hashes = {each.model_id: each.weights_hash for each in how.foreign}
    assert settings["foreign_weights"] == hashes and len(hashes) == 2
    assert len(settings["detector"]) == 64, "no model of ours says with which one it learned"
    assert not {"foreign_weights", "detector"} & set(Labelling(("voice", "face")).settings())
    assert "detector" not in Labelling(("face", faces)).settings()
    shown = cards(settings["models"], how.models, [each.facts() for each in how.foreign])
    told = {card.name: card for card in shown}
    assert told["Colours"].terms == "MIT" and "not measured here" in told["Colours"].figure
    assert any("happy, neutral, sad, surprised" in limit for limit in told["Colours"].limits)
    assert "no commercial use" in told["voice"].terms


def test_workers_have_the_models_that_the_job_was_started_with(faces: str) -> None:
    how = Labelling((faces,), model_id="0" * 16)
    with pytest.raises(UsageError, match="lie other models than where the job was started"):
        how.step()
