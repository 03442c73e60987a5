"""Valence, arousal and dominance of other people's models: told beside the labels, never votes."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnx import TensorProto, helper

from emotion_core.errors import UsageError
from emotion_core.labelling.ensemble import Ensemble
from emotion_core.models.foreign.load import load_foreign
from emotion_core.models.foreign.model import ForeignModel
from emotion_core.models.samples import Sample
from tests.support.encoders import noise
from tests.support.foreign import RATE, colour_network, voice_classifier

torch.set_num_threads(1)
LABELS = ["sad", "angry", "happy"]
RED = np.full((16, 16, 3), (255, 0, 0), np.uint8)
GREY = np.full((16, 16, 3), 51, np.uint8)  # a fifth of white
VALENCE = {"valence": {"column": 3, "range": [0, 1]}}


def of_faces(folder: Path, labels: list[str], dimensions: Any) -> ForeignModel:
    folder.mkdir(exist_ok=True)
    place = colour_network(folder, labels, dimensions=dimensions, name=folder.name)
    return load_foreign(f"onnx:{place}")


def test_they_are_taken_out_of_the_answer_and_scaled(tmp_path: Path) -> None:
    plain = load_foreign(f"onnx:{colour_network(tmp_path, LABELS)}")
    wide = {"arousal": {"column": 4, "range": [-3, 1]}, **VALENCE}
    model = of_faces(tmp_path / "both", LABELS, wide)
    assert (plain.dimensions, model.dimensions) == ((), ("valence", "arousal"))
    samples = [Sample(None, (RED,)), Sample(None, (GREY, None, RED))]
    told = model.told(samples)
    np.testing.assert_allclose(told.probabilities, plain.predict(samples), atol=1e-6)
    # red is 1, and 0.6 in the mean of both pictures: of [0, 1], and of [-3, 1]
    np.testing.assert_allclose(told.dimensions, [[1, 1], [0.2, 0.8]], atol=1e-5)
    assert model.facts()["dimensions"] == ["valence", "arousal"]
    other = of_faces(tmp_path / "scale", LABELS, {"valence": {"column": 3, "range": [-1, 1]}})
    assert len({plain.model_id, model.model_id, other.model_id}) == 3, "a scale decides numbers"


def test_a_model_of_dimensions_alone_has_no_vote(tmp_path: Path) -> None:
    plain = load_foreign(f"onnx:{colour_network(tmp_path, LABELS)}")
    only = of_faces(tmp_path / "only", [], {"valence": {"column": 0, "range": [0, 1]}})
    more = of_faces(
        tmp_path / "more", LABELS, VALENCE | {"dominance": {"column": 4, "range": [0, 5]}}
    )
    assert not only.votes and only.facts()["emotions"] == []
    with pytest.raises(UsageError, match="only tells valence but no emotion: give it beside"):
        Ensemble([only])
    asked = [Sample(None, (RED,)), Sample(None, (GREY,))]
    alone, both, three = (
        Ensemble(models) for models in ([plain], [only, plain], [only, plain, more])
    )
    assert (alone.dimensions, both.dimensions) == ((), ("valence",))
    assert three.dimensions == ("valence", "dominance") and both.labels == alone.labels
    answers = [
        ensemble.answers([query(ensemble, sample) for sample in asked])
        for ensemble in (alone, both, three)
    ]
    for one, other in zip(answers[0], answers[1], strict=True):
        np.testing.assert_array_equal(one.probabilities, other.probabilities)
    assert answers[0][0].dimensions is None
    np.testing.assert_allclose([s.dimensions for s in answers[1]], [[1], [-0.6]], atol=1e-5)
    np.testing.assert_allclose(
        [s.dimensions for s in answers[2]], [[1, -0.6], [-0.6, -0.92]], atol=1e-5
    )


def query(ensemble: Ensemble, sample: Sample) -> Any:
    from emotion_core.labelling.ensemble import Query

    return Query(0.0, 4.0, 0, (sample,) * len(ensemble.models))


def test_where_none_that_tells_was_asked_it_is_unknown(tmp_path: Path) -> None:
    voice = load_foreign(f"hf:{voice_classifier(tmp_path / 'voice', ['neu', 'hap', 'sad'])}")
    only = of_faces(tmp_path / "only", [], {"valence": {"column": 0, "range": [0, 1]}})
    both = Ensemble([voice, only])
    sound = Sample(noise(1.0)[:, None])
    heard = [sound if member.modalities == ("audio",) else Sample(None) for member in both.models]
    seen = [
        Sample(None) if member.modalities == ("audio",) else Sample(None, (RED,))
        for member in both.models
    ]
    from emotion_core.labelling.ensemble import Query

    first, second = (
        Query(0.0, 4.0, None, tuple(heard)),
        Query(
            0.0,
            4.0,
            0,
            tuple(h if h.audio is not None else s for h, s in zip(heard, seen, strict=True)),
        ),
    )
    answers = both.answers([first, second])
    told = np.array([segment.dimensions for segment in answers])
    np.testing.assert_allclose(told, [[np.nan], [1.0]], atol=1e-5)
    np.testing.assert_allclose(answers[0].probabilities, answers[1].probabilities, atol=1e-6)


def test_a_regression_of_the_hub(tmp_path: Path) -> None:
    folder = voice_classifier(tmp_path / "vad", ["arousal", "dominance", "valence"], "regression")
    with pytest.raises(UsageError, match="answers with regression, not with one label"):
        load_foreign(f"hf:{folder}")
    place = tmp_path / "vad.json"
    scale = {"range": [0, 1]}
    dimensions = {"valence": {"column": 2} | scale, "arousal": {"column": 0} | scale,
                  "dominance": {"column": 1} | scale}  # fmt: skip
    place.write_text(json.dumps({"model": "vad", "dimensions": dimensions}))
    model = load_foreign(f"hf:{place}")
    assert model.dimensions == ("valence", "arousal", "dominance") and not model.votes
    sound = noise(1.5)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    whole = transformers.AutoModelForAudioClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        raw = whole(**extractor(sound, sampling_rate=RATE, return_tensors="pt")).logits[0].numpy()
    told = model.told([Sample(model.features()([sound])[0])])
    assert told.probabilities.shape == (1, 0)
    np.testing.assert_allclose(told.dimensions[0], 2 * raw[[2, 0, 1]] - 1, atol=1e-4)
    wrong = dimensions | {"valence": {"column": 3} | scale}
    place.write_text(json.dumps({"model": "vad", "dimensions": wrong}))
    with pytest.raises(UsageError, match="3 outputs in one tensor: dimensions.valence"):
        load_foreign(f"hf:{place}")


def test_dimensions_of_another_output(tmp_path: Path) -> None:
    place = colour_network(tmp_path, LABELS)
    network = onnx.load(place)
    network.graph.node.append(helper.make_node("Neg", ["means"], ["mood"]))
    network.graph.output.append(helper.make_tensor_value_info("mood", TensorProto.FLOAT, ["n", 3]))
    onnx.save(network, place)
    described = place.with_suffix(".json")
    said = json.loads(described.read_text())
    mood = {"arousal": {"column": 0, "range": [-1, 0], "tensor": "mood"}}
    described.write_text(json.dumps(said | {"dimensions": mood}))
    told = load_foreign(f"onnx:{place}").told([Sample(None, (RED,)), Sample(None, (GREY,))])
    np.testing.assert_allclose(told.dimensions, [[-1], [0.6]], atol=1e-5)
    assert told.probabilities.shape == (2, 7)
    mood["arousal"]["tensor"] = "modo"
    described.write_text(json.dumps(said | {"dimensions": mood}))
    with pytest.raises(UsageError, match="has no output 'modo', .*only logits, mood"):
        load_foreign(f"onnx:{place}")


@pytest.mark.parametrize(
    ("dimensions", "words"),
    [
        ({}, "should be an object with some of valence, arousal, dominance"),
        ({"mood": {"column": 3, "range": [0, 1]}}, "should be an object with some of valence"),
        ({"valence": {"column": 3}}, "dimensions.valence is .*object of column, range"),
        ({"valence": {"column": -1, "range": [0, 1]}}, "valence.column is -1"),
        ({"valence": {"column": 3, "range": [1, 1]}}, "valence.range is .*two numbers"),
        ({"valence": {"column": 3, "range": [0, 1]}, "arousal": {"column": 3, "range": [0, 1]}},
         "two dimensions have the same column"),
        ({"valence": {"column": 9, "range": [0, 1]}}, "has valence in column 9"),
    ],
)  # fmt: skip
def test_descriptions_that_do_not_fit(dimensions: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words) as error:
        of_faces(tmp_path / "model", LABELS, dimensions)
    assert "\n" not in str(error.value)


def test_a_dimension_among_the_labels_is_recognised(tmp_path: Path) -> None:
    place = colour_network(tmp_path, ["sad", "angry", "Valence"])
    with pytest.raises(UsageError, match="'?Valence'? belongs to its dimensions") as error:
        load_foreign(f"onnx:{place}")
    assert re.search("none of the emotions", str(error.value))
