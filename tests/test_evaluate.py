"""Figures of a bundle on features: the right clips, the right features, honest speakers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from emotion_core.bundle import Bundle, BundleInfo, save_bundle
from emotion_core.corpora.splits import assign_split
from emotion_core.dataset import load_features
from emotion_core.emotions import LABEL_SETS
from emotion_core.errors import UsageError
from emotion_core.evaluation import check_speakers, evaluate, load_matching_features
from emotion_core.networks import build_network
from emotion_core.report.plots import confusion_png, learning_png, recall_png
from emotion_core.specs import AudioSpec
from jobs.evaluate import main
from tests.jobs import run_job
from tests.synthetic_features import SMALL, SPEAKERS, rows, write_features

FEATURES_SETTINGS = {"detector": {"name": "none", "weights_hash": "0" * 64}}
TRAINED_ON = tuple(f"ravdess/{speaker}" for speaker in SPEAKERS[:22])


def info(**changes: Any) -> BundleInfo:
    made = BundleInfo(SMALL, LABEL_SETS["emotions7"], FEATURES_SETTINGS, 16, ("audio", "face"),
                      "elte", 0, TRAINED_ON, {"ravdess": 176})  # fmt: skip
    return replace(made, **changes)


def bundle(**changes: Any) -> Bundle:
    torch.manual_seed(0)
    return Bundle(info(**changes), build_network(SMALL).eval(), "an id")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_features(tmp_path_factory.mktemp("features") / "f", rows())


def test_predictions_and_figures_agree(place: str) -> None:
    model = bundle()
    found = load_matching_features(model, place)
    test = found.select(assign_split("elte", found.clips) == "test")
    result = evaluate(model, test)

    assert result.figures.n == len(test) == 16
    table = result.predictions
    assert table["clip_id"].to_pylist() == test.clips["clip_id"].to_pylist()
    assert set(table["speaker"].to_pylist()) == {"23", "24"}
    right = [a == b for a, b in zip(*(table[n].to_pylist() for n in ("label", "predicted")),
                                    strict=True)]  # fmt: skip
    assert np.mean(right) == pytest.approx(result.figures.war)
    labels = test.label_set.labels
    scores = np.stack([table[f"p_{label}"].to_numpy() for label in labels], axis=1)
    np.testing.assert_array_equal(scores, result.probabilities)
    np.testing.assert_array_equal(table["confidence"].to_numpy(), scores.max(axis=1))
    assert table["predicted"].to_pylist() == [labels[i] for i in scores.argmax(axis=1)]


def test_order_and_size_of_batches_do_not_matter(place: str) -> None:
    model, found = bundle(), load_features(place, SMALL)
    turned = np.arange(len(found))[::-1]
    one = evaluate(model, found).probabilities
    other = evaluate(model, found.select(turned)).probabilities
    np.testing.assert_allclose(one[turned], other, atol=1e-6)


def test_other_features_are_refused(place: str, tmp_path: Path) -> None:
    other = replace(SMALL, audio=AudioSpec(n_mfcc=6, trim_db=20.0))
    made_otherwise = write_features(tmp_path / "f", rows(other), other)
    with pytest.raises(UsageError, match="audio trim_db=20.0, this recipe needs None"):
        load_matching_features(bundle(), made_otherwise)
    detector = {"name": "scrfd", "weights_hash": "12345678ff"}
    with pytest.raises(UsageError, match=r"detector none \(00000000\).*scrfd \(12345678\)"):
        load_matching_features(bundle(features={"detector": detector}), place)
    # who never learned from faces does not care who found them
    heard = bundle(features={"detector": detector}, modalities=("audio",))
    assert len(load_matching_features(heard, place)) == 192


def test_clips_that_the_model_cannot_judge_are_left_out(tmp_path: Path) -> None:
    given = rows()
    for row in given[:5]:
        row |= {"audio_features": None, "audio_frames": 0}
    place = write_features(tmp_path / "some", given)
    assert len(load_matching_features(bundle(), place)) == 192
    assert len(load_matching_features(bundle(modalities=("audio",)), place)) == 187
    silent = write_features(tmp_path / "none", rows(modalities=("face",)))
    with pytest.raises(UsageError, match="have no audio, and that is all"):
        load_matching_features(bundle(modalities=("audio",)), silent)


def test_speakers_of_another_protocol(place: str) -> None:
    model, found = bundle(), load_features(place, SMALL)
    test = found.select(assign_split("elte", found.clips) == "test")
    assert check_speakers(model, test, "elte") == []
    assert check_speakers(model, test, None) == []
    with pytest.raises(UsageError, match="trained on 5 of these speakers .*--split elte"):
        luna = found.select(assign_split("luna5:0", found.clips) == "test")
        check_speakers(model, luna, "luna5:0")
    # the nature of its own protocol
    mixed = bundle(split="random")
    drawn = found.select(assign_split("random", found.clips) == "test")
    assert len(check_speakers(mixed, drawn, "random")) > 10


def test_pictures_are_pictures(place: str) -> None:
    result = evaluate(bundle(), load_features(place, SMALL)).figures
    gone = replace(result, per_class_recall={**result.per_class_recall, "sad": None})
    row = {"epoch": 0, "best": True, "loss": 1.0, "war": 0.2, "validation_loss": None,
           "validation_war": None, "validation_uar": None}  # fmt: skip
    pictures = [confusion_png(result, "t"), recall_png(gone, "t"), learning_png([row], "t")]
    for png in pictures:
        assert png.startswith(b"\x89PNG") and len(png) > 5000
    assert confusion_png(result, "t") == pictures[0], "the same figures, the same picture"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = str(tmp_path_factory.mktemp("model"))
    save_bundle(folder, info(), bundle().network.state_dict(), {}, [], "")
    return folder


def test_the_job(place: str, model: str, tmp_path: Path) -> None:
    out = tmp_path / "e"
    done = run_job("evaluate", "--model", model, "--features", place, "--out", out)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["n"], metrics["split"], metrics["side"]) == (16, "elte", "test")
    assert metrics["speakers"] == ["ravdess/23", "ravdess/24"]
    assert {"war", "uar", "macro_f1", "per_class_recall", "confusion", "model_id"} <= set(metrics)
    assert f"WAR {metrics['war']:.1%}" in done.stdout and "neutral" in done.stdout
    table = pq.read_table(out / "predictions.parquet")
    assert table.num_rows == 16 and "p_surprised" in table.column_names
    for picture in ("confusion.png", "recall.png"):
        assert (out / picture).stat().st_size > 5000
    record = json.loads((out / "run.json").read_text())
    assert record["job"] == "evaluate" and record["counts"]["inputs"] == 16

    with pytest.raises(UsageError, match="made with other settings .*side test"):
        main(model, place, str(out), side="validation")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "luna5:0"}, "trained on 5 of these speakers"),
        ({"side": "all"}, "trained on 22 of these speakers"),
        ({"side": "left"}, "--side left: choose one of test"),
        ({"split": "halves"}, "no split 'halves'"),
    ],
)
def test_wrong_usage(
    place: str, model: str, tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        main(model, place, str(tmp_path / "e"), **arguments)
    assert not (tmp_path / "e").exists()


def test_a_model_of_other_features(place: str, tmp_path: Path) -> None:
    other = replace(SMALL, audio=AudioSpec(n_mfcc=40))
    save_bundle(str(tmp_path / "m"), info(recipe=other), build_network(other).state_dict(), {}, [],
                "")  # fmt: skip
    done = run_job("evaluate", "--model", tmp_path / "m", "--features", place, "--out",
                   tmp_path / "e")  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "n_mfcc=6, this recipe needs 40" in done.stderr
    with pytest.raises(UsageError, match="is no model bundle"):
        main(str(tmp_path), place, str(tmp_path / "e"))
