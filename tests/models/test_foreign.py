"""Other people's models: fed as their descriptions say, and their classes told by name."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx as onnx_library
import pytest
import safetensors.numpy
import torch
import transformers
from onnx import numpy_helper

from emotion_core.errors import ClipError, UsageError
from emotion_core.models.foreign.description import hub_description, onnx_description
from emotion_core.models.foreign.labels import emotions_of, onto
from emotion_core.models.foreign.load import load_foreign
from emotion_core.models.foreign.model import ForeignModel, in_one_label_set
from emotion_core.models.samples import Sample
from emotion_core.models.shipped import bundle_uri, model_uri
from emotion_core.recipes.emotions import LABEL_SETS
from tests.support.encoders import noise
from tests.support.foreign import (
    RATE,
    colour_network,
    face_classifier,
    loudness_network,
    voice_classifier,
)
from tests.support.jobs import ROOT

torch.set_num_threads(1)
SEVEN = LABEL_SETS["emotions7"]
COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


def face(colour: str, size: int = 16) -> np.ndarray:
    return np.full((size, size, 3), COLOURS[colour], np.uint8)


def onnx(folder: Path, labels: list[str], **changes: Any) -> ForeignModel:
    return load_foreign(f"onnx:{colour_network(folder, labels, **changes)}")


def likeliest(model: ForeignModel, *faces: np.ndarray) -> list[str]:
    answers = model.predict([Sample(None, (each,)) for each in faces])
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
    return [model.label_set.labels[place] for place in answers.argmax(axis=1)]


def test_classes_in_another_order_and_spelling_are_not_mixed_up(tmp_path: Path) -> None:
    model = onnx(tmp_path, ["Sadness", "SURPRISE", "joy", "neutral"])
    assert model.label_set == SEVEN and model.label_set.labels.index("sad") != 0
    assert likeliest(model, *map(face, COLOURS)) == ["sad", "surprised", "happy"]
    (answer,) = model.predict([Sample(None, (face("red"),))])
    assert answer[SEVEN.labels.index("disgust")] == 0, "it knows none"


def test_the_order_of_colours_is_the_description_s(tmp_path: Path) -> None:
    labels = ["sad", "angry", "happy"]
    bgr = onnx(tmp_path, labels, face={"colour": "bgr"})
    assert likeliest(bgr, face("red"), face("blue")) == ["happy", "sad"]
    last = onnx(tmp_path, labels, face={"layout": "channels_last"})
    assert likeliest(last, face("red"), face("blue")) == ["sad", "happy"]
    # red is what this mean takes away
    shifted = onnx(tmp_path, labels, face={"mean": [1, 0, 0], "std": [0.5, 1, 1]})
    (answer,) = shifted.predict([Sample(None, (face("red"),))])
    logits = 20 * ((np.array(COLOURS["red"]) / 255 - [1, 0, 0]) / [0.5, 1, 1])
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    found = [answer[SEVEN.labels.index(label)] for label in labels]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_is_merged_or_left_out(tmp_path: Path) -> None:
    labels = ["contempt", "happy", "sad", "Other"]
    merged = onnx(tmp_path, labels, merge={"contempt": "disgust", "Other": None})
    assert likeliest(merged, face("red"), face("green")) == ["disgust", "happy"]
    out = np.array([[0.5, 0.3, 0.2, 0.0], [1.0, 0.0, 0.0, 0.0]], np.float32)
    emotions = emotions_of(labels, {"contempt": None, "Other": None}, "m")
    found = onto(out, emotions, SEVEN)
    happy, sad = SEVEN.labels.index("happy"), SEVEN.labels.index("sad")
    np.testing.assert_allclose(found[:, [happy, sad]], [[0.6, 0.4], [0.5, 0.5]], atol=1e-6)
    calm = onto(np.array([[0.7, 0.3]]), ("calm", "sad"), SEVEN)
    assert calm[0, SEVEN.labels.index("neutral")] == pytest.approx(0.7)
    assert likeliest(onnx(tmp_path, ["calm", "sad", "happy"]), face("red")) == ["calm"]


def test_a_window_s_answer_is_the_mean_of_its_pictures(tmp_path: Path) -> None:
    model = onnx(tmp_path, ["sad", "angry", "happy"])
    alone = model.predict([Sample(None, (face("red"),)), Sample(None, (face("blue"),))])
    (both,) = model.predict([Sample(None, (face("red"), None, face("blue")))])
    np.testing.assert_allclose(both, alone.mean(axis=0), atol=1e-6)


def test_damaged_weights_are_told_before_the_first_video(tmp_path: Path) -> None:
    path = colour_network(tmp_path, ["sad", "angry", "happy"])
    network = onnx_library.load(path)
    (weights,) = network.graph.initializer
    values = np.full_like(numpy_helper.to_array(weights), np.nan)
    weights.CopyFrom(numpy_helper.from_array(values, weights.name))
    onnx_library.save(network, path)
    with pytest.raises(UsageError, match="answers noise with no number"):
        load_foreign(f"onnx:{path}")

    folder = voice_classifier(tmp_path / "voice", ["neu", "hap"])
    weights_of = safetensors.numpy.load_file(folder / "model.safetensors")
    broken = {name: np.full_like(each, np.nan) for name, each in weights_of.items()}
    safetensors.numpy.save_file(broken, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match="answers noise with no number"):
        load_foreign(f"hf:{folder}")


def test_a_waveform_of_any_length(tmp_path: Path) -> None:
    model = load_foreign(f"onnx:{loudness_network(tmp_path, ['angry', 'calm'])}")
    assert model.modalities == ("audio",) and model.recipe.audio is not None
    assert model.recipe.audio.sample_rate == RATE
    sounds = model.features()([5 * noise(2.0), 0.1 * noise(1.3), noise(0.1)])
    answers = model.predict([Sample(each) for each in sounds])
    assert [model.label_set.labels[p] for p in answers.argmax(axis=1)] == ["angry", "calm", "calm"]
    with pytest.raises(ClipError, match="Loudness answers with no number"):
        model.predict([Sample(np.full((RATE, 1), np.nan, np.float32))])


def test_a_classifier_of_sound_is_what_transformers_says(tmp_path: Path) -> None:
    folder = voice_classifier(tmp_path / "voice", ["neu", "hap", "ang", "sad"])
    model = load_foreign(f"hf:{folder}")
    assert model.about.licence == "cc-by-nc-4.0" and model.about.name == "voice"
    sound = noise(1.5)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    whole = transformers.AutoModelForAudioClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        given = extractor(sound, sampling_rate=RATE, return_tensors="pt")
        expected = whole(**given).logits.softmax(dim=1)[0].numpy()
    (answer,) = model.predict([Sample(model.features()([sound])[0])])
    found = [answer[SEVEN.labels.index(each)] for each in ("neutral", "happy", "angry", "sad")]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.ptp(expected) > 0.01


def test_a_classifier_of_faces_and_a_description_of_it(tmp_path: Path) -> None:
    folder = face_classifier(tmp_path / "face", ["LABEL_0", "LABEL_1", "LABEL_2"])
    with pytest.raises(UsageError, match="'LABEL_0', 'LABEL_1', 'LABEL_2' is none of the emotions"):
        load_foreign(f"hf:{folder}")
    place = tmp_path / "mine.json"
    crops = {"margin": 0.5, "pictures": 2}
    said = {"model": "face", "labels": ["fear", "sad", "happy"], "licence": "MIT"}
    place.write_text(json.dumps(said | {"face": crops}))
    model = load_foreign(f"hf:{place}")
    view = model.recipe.view
    assert view is not None and (view.face_size, view.margin, view.count) == (32, 0.5, 2)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (32, 32, 3), np.uint8)
    whole = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.no_grad():
        expected = whole(pixels).logits.softmax(dim=1)[0].numpy()
    (answer,) = model.predict([Sample(None, (picture,))])
    found = [answer[SEVEN.labels.index(each)] for each in ("fearful", "sad", "happy")]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_folder_is_tried_before_the_first_video(tmp_path: Path) -> None:
    folder = face_classifier(tmp_path / "face", ["sad", "happy", "angry"])
    settings = folder / "preprocessor_config.json"
    settings.write_text(settings.read_text().replace("32", "48"))
    with pytest.raises(UsageError, match="cannot be used .*48"):
        load_foreign(f"hf:{folder}")


def test_what_a_model_is_known_by(tmp_path: Path) -> None:
    """By weights and all that decides its answers: not by its terms."""
    labels = ["sad", "angry", "happy"]
    one, other, shown = (
        onnx(tmp_path, labels, **changes)
        for changes in ({}, {"licence": "another"}, {"face": {"colour": "bgr"}})
    )
    assert one.model_id == other.model_id != shown.model_id
    assert one.weights_hash == shown.weights_hash == one.facts()["weights_hash"]
    with pytest.raises(UsageError, match="has the hash .*, its description 0000"):
        onnx(tmp_path, labels, weights_hash="0" * 64)


def test_foreign_models_alone_choose_their_classes(tmp_path: Path) -> None:
    faces = onnx(tmp_path, ["sad", "angry", "happy"])
    voices = load_foreign(f"onnx:{loudness_network(tmp_path, ['angry', 'calm'])}")
    both = in_one_label_set([faces, voices])
    assert {each.label_set.name for each in both} == {"emotions8"}
    assert in_one_label_set([faces])[0].label_set == SEVEN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"licence": None}, "lacks licence"),
        ({"size": 16}, "there is no size, only"),
        ({"labels": ["sad", "angry", "hungry"]}, "'hungry' is none of the emotions"),
        ({"merge": {"hungry": "sad"}}, "merge names 'hungry', which is none of its labels"),
        ({"labels": ["sad", "angry"]}, r"gives \[1, 3\], its description has 2 labels"),
        ({"output": "probabilities"}, "gives no probabilities"),
        ({"face": {"size": 32}}, "does not take what its description says"),
        ({"face": {"colour": "hsv"}}, "face.colour is 'hsv': it should be one of rgb, bgr, grey"),
        ({"face": {"std": [0, 1, 1]}}, "face.std is a list of 3: it should be"),
        ({"audio": {"sample_rate": 16000}}, "needs one of face and audio"),
    ],
)
def test_descriptions_that_do_not_fit(changes: dict, words: str, tmp_path: Path) -> None:
    place = colour_network(tmp_path, ["sad", "angry", "happy"])
    described = place.with_suffix(".json")
    said = json.loads(described.read_text())
    said |= changes | ({"face": said["face"] | changes["face"]} if "face" in changes else {})
    described.write_text(json.dumps({key: said[key] for key in said if said[key] is not None}))
    with pytest.raises(UsageError, match=words) as error:
        load_foreign(f"onnx:{place}")
    assert "\n" not in str(error.value)


def with_code(folder: Path) -> None:
    """A model that would run the code beside it."""
    config = (folder / "config.json").read_text()
    own = config.replace('"model_type": "wav2vec2"', '"model_type": "own"')
    own = own.replace("{", '{"auto_map": {"AutoConfig": "own.Config"},', 1)
    (folder / "config.json").write_text(own)
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Config: pass\n")


def of_another_kind(folder: Path) -> None:
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(
        config.replace("Wav2Vec2ForSequenceClassification", "Wav2Vec2ForSpeechClassification")
    )


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (with_code, "cannot be used"),
        (of_another_kind, "should be a classifier of sound or of pictures"),
        (lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
         "has no model.safetensors, and other weights are not read"),
    ],
)  # fmt: skip
def test_folders_that_are_not_taken(
    harm: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    folder = voice_classifier(tmp_path / "voice", ["neu", "hap", "ang", "sad"])
    harm(folder)
    with pytest.raises(UsageError, match=words) as error:
        load_foreign(f"hf:{folder}")
    assert "\n" not in str(error.value) and not (folder / "ran").exists()


def test_descriptions_that_come_with_the_repository(tmp_path: Path) -> None:
    """Those of examples/models, which nobody could run here, and the one that the page shows."""
    text = (ROOT / "docs" / "labelling.md").read_text(encoding="utf-8")
    (page,) = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "faces.json").write_text(page)
    examples = sorted((ROOT / "examples" / "models").glob("*.json"))
    assert len(examples) == 3
    for place in (tmp_path / "faces.json", *examples):
        of_hub = "model" in json.loads(place.read_text())
        said = (hub_description if of_hub else onnx_description)(str(place))
        assert said.licence and said.url
        if not of_hub:
            known = set(emotions_of(said.labels, said.merge, place.name))
            assert None in known and {"neutral", "happy", "angry"} <= known


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert model_uri("onnx:a.onnx") == f"onnx:{tmp_path}/a.onnx"
    assert model_uri("hf:folder") == f"hf:{tmp_path}/folder"
    assert model_uri("hf:someone/model@main") == "hf:someone/model@main"
    with pytest.raises(UsageError, match="another project's model only labels"):
        bundle_uri("onnx:a.onnx")  # what evaluate and train ask
    with pytest.raises(UsageError, match="b.json is not there: a description of the model"):
        load_foreign("onnx:b.onnx")
