"""Figures of a bundle on features: the right clips, the right features, honest speakers."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from emotion_core.corpora.splits import assign_split
from emotion_core.errors import UsageError
from emotion_core.evaluation.answering import assess_all, evaluate
from emotion_core.evaluation.combining import together
from emotion_core.evaluation.fold_queries import fold_queries, predict, predict_alone
from emotion_core.evaluation.folds import FOLDS, ModelCache, find_folds
from emotion_core.evaluation.metrics import figures
from emotion_core.evaluation.pictures import evaluation_pictures
from emotion_core.evaluation.plots import confusion_png, learning_png, recall_png
from emotion_core.evaluation.speakers import check_speakers, strangers_remark
from emotion_core.models.bundle import Bundle, BundleInfo, load_bundle, save_bundle
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.networks import build_network
from emotion_core.models.samples import Sample
from emotion_core.models.together import mean_of_answers
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import AudioSpec, Recipe
from emotion_core.storage.outputs import made_and_foreign
from emotion_core.training.samples import draw_samples, samples_png
from emotion_core.training.snapshot import EpochRow
from jobs.evaluate import main
from tests.support.jobs import run_here, run_job
from tests.support.synthetic_features import (
    SMALL,
    SPEAKERS,
    load_matching_features,
    rows,
    write_features,
)

FEATURES_SETTINGS = {"detector": {"name": "none", "weights_hash": "0" * 64}}
TRAINED_ON = tuple(f"ravdess/{speaker}" for speaker in SPEAKERS[:22])


def info(**changes: Any) -> BundleInfo:
    made = BundleInfo(SMALL, LABEL_SETS["emotions7"], FEATURES_SETTINGS, 16, ("audio", "face"),
                      "elte", 0, TRAINED_ON, {"ravdess": 176})  # fmt: skip
    return replace(made, **changes)


def bundle(**changes: Any) -> Bundle:
    torch.manual_seed(0)
    return Bundle(info(**changes), "an id", build_network(SMALL).eval())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = rows()
    given[0]["channel"] = "song"
    return write_features(tmp_path_factory.mktemp("features") / "f", given)


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
    model, found = info(), load_features(place, SMALL)

    def speakers(split: str) -> list[str]:
        return found.select(assign_split(split, found.clips) == "test").speakers

    assert check_speakers(model, speakers("elte"), "elte") == []
    assert check_speakers(model, speakers("elte"), None) == []
    with pytest.raises(UsageError, match="trained on 5 of these speakers .*--split elte"):
        check_speakers(model, speakers("luna5:0"), "luna5:0")
    # the nature of its own protocol
    assert len(check_speakers(info(split="random"), speakers("random"), "random")) > 10


def test_a_split_that_does_not_keep_people_apart_is_told() -> None:
    assert strangers_remark("luna5:all", 0) is None and strangers_remark(None, 0) is None
    assert "3 speakers both train and are tested" in (strangers_remark("random", 3) or "")
    for split in ("fer2013", "random:tess+luna5:0"):
        assert "does not keep people apart" in (strangers_remark(split, 0) or "")


def test_pictures_are_pictures(place: str) -> None:
    found = load_features(place, SMALL)
    answers = evaluate(bundle(), found)
    result = answers.figures
    gone = replace(result, per_class_recall={**result.per_class_recall, "sad": None})
    row = asdict(EpochRow(0, 1e-3, 1.0, 0.2, None, None, None, True, 1.0, 0.0, 1))
    phases = [{**row, "epoch": n, "phase": "one" if n < 2 else "two"} for n in range(4)]
    pictures = [recall_png(gone, "t"), learning_png([row], "t"), learning_png(phases, "t")]
    made = evaluation_pictures(assess_all([answers]), "t")
    assert set(made) == {"confusion.png", "recall.png", "reliability.png", "speakers.png"}
    for png in [*pictures, *made.values()]:
        assert png.startswith(b"\x89PNG") and len(png) > 5000
    assert confusion_png(result, "t") == made["confusion.png"], "the same figures, the same picture"
    one_phase = [{**each, "phase": "one"} for each in phases]
    assert learning_png(one_phase, "t") != pictures[2], "phases are drawn"


def test_a_picture_of_samples(place: str) -> None:
    found = load_features(place, SMALL)
    shown = draw_samples(found, seed=0)
    assert len(shown) == 3
    for one in shown:
        speaker, emotion = one.caption.split()[2].removesuffix(".mp4").split("-")
        assert one.caption.split()[1] == f"ravdess/{speaker}"
        assert one.caption.split()[0] == {"calm": "neutral"}.get(emotion, emotion)
    assert [one.caption for one in draw_samples(found, seed=0)] == [o.caption for o in shown]
    assert [one.caption for one in draw_samples(found, seed=1)] != [o.caption for o in shown]
    assert len(draw_samples(found.select(np.arange(2)), 0)) == 2
    pictures = [samples_png(shown, SMALL.audio), samples_png(shown, None)]
    for recipe in (replace(SMALL, audio=None), replace(SMALL, video=None)):
        pictures.append(samples_png(draw_samples(load_features(place, recipe), 0), recipe.audio))
    assert all(png.startswith(b"\x89PNG") and len(png) > 5000 for png in pictures)
    assert pictures[1] == pictures[2], "a recipe without sound shows none"
    assert len(set(pictures)) == 3


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
    assert f"{metrics['war']:.1%}" in done.stdout and "neutral" in done.stdout
    low, high = metrics["intervals"]["uar"]
    assert low <= metrics["uar"] <= high and f"{low:.1%} to {high:.1%}" in done.stdout
    assert metrics["intervals"]["resampled"] == "clips", "two speakers are too few to draw"
    assert f"{metrics['ece']:.3f}" in done.stdout and 0 < metrics["ece"] < 1
    assert set(metrics["per_speaker"]) == set(metrics["speakers"])
    assert metrics["models"][0]["clips"] == 16
    assert set(metrics["alone"]) == {"audio", "face"} and "each modality alone" in done.stdout
    table = pq.read_table(out / "predictions.parquet")
    assert table.num_rows == 16 and "p_surprised" in table.column_names
    assert table["fold"].null_count == 16
    record = json.loads((out / "run.json").read_text())
    assert record["job"] == "evaluate" and record["counts"]["inputs"] == 16
    for picture in ("confusion.png", "recall.png", "reliability.png", "speakers.png"):
        assert picture in record["files"] and (out / picture).stat().st_size > 5000

    with pytest.raises(UsageError, match="made with other settings .*side test"):
        main([model], [place], str(out), side="validation")


def test_a_fusion_is_asked_for_each_modality_alone(place: str, model: str) -> None:
    cache = ModelCache("cpu")
    (query,) = fold_queries(find_folds([model])[1], cache, [place])
    alone = predict_alone(query, cache)
    clips = query.features[0].select(query.rows[0])
    assert set(alone) == {"audio", "face"}
    assert len(alone["audio"]) == clips.has_audio.sum()
    assert len(alone["face"]) == clips.has_faces.sum()
    seen = [replace(s, audio=None) for some in clips.batches() for s in some if any_face(s)]
    expected = cache.bundles(query.fold)[0].predict(seen)
    np.testing.assert_allclose(alone["face"].probabilities, expected, atol=1e-6)
    assert not np.allclose(alone["audio"].probabilities[:4], alone["face"].probabilities[:4])


def any_face(sample: Sample) -> bool:
    return any(face is not None for face in sample.faces)


def test_one_modality_has_no_other_to_hide(place: str, tmp_path: Path) -> None:
    recipe = replace(SMALL, video=None)
    save_fold(tmp_path / "m", recipe, "luna5:0", load_features(place, recipe), 0)
    cache = ModelCache("cpu")
    (query,) = fold_queries(find_folds([str(tmp_path / "m")])[1], cache, [place])
    assert predict_alone(query, cache) == {}


# --- folds ---------------------------------------------------------------------------------------

FOLD_NAMES = [f"luna5:{number}" for number in range(5)]


def save_fold(folder: Path, recipe: Recipe, name: str, found: FeatureSet, seed: int) -> str:
    """A model with random weights that has learned from the speakers of one fold."""
    sides = assign_split(name, found.clips)
    known = found.select((sides == "train") | (sides == "validation")).speakers
    modalities = tuple(m for m, spec in (("audio", recipe.audio), ("face", recipe.video)) if spec)
    torch.manual_seed(seed)
    told = info(recipe=recipe, split=name, speakers=tuple(known), modalities=modalities)
    return save_bundle(str(folder), told, build_network(recipe).state_dict(), {}, [], "")


def save_folds(folder: Path, recipe: Recipe, found: FeatureSet, seed: int = 0) -> str:
    folds = []
    for number, name in enumerate(FOLD_NAMES):
        model_id = save_fold(folder / f"luna5-{number}", recipe, name, found, seed + number)
        folds.append({"split": name, "folder": f"luna5-{number}", "model_id": model_id})
    (folder / FOLDS).write_text(json.dumps({"split": "luna5:all", "folds": folds}))
    return str(folder)


@pytest.fixture(scope="module")
def folds(place: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_folds(tmp_path_factory.mktemp("folds"), SMALL, load_features(place, SMALL))


def test_every_fold_on_its_own_test_side(
    folds: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "e"
    assert main([folds], [place], str(out), latex=True) == 0
    shown = " ".join(capsys.readouterr().out.split())
    metrics = json.loads((out / "metrics.json").read_text())
    table = pq.read_table(out / "predictions.parquet").to_pandas()

    found = load_features(place, SMALL)
    own = []
    for name, fold in zip(FOLD_NAMES, metrics["folds"], strict=True):
        rows = table[table["fold"] == name]
        wanted = found.select(assign_split(name, found.clips) == "test")
        assert rows["clip_id"].tolist() == wanted.clips["clip_id"].to_pylist()
        assert fold["split"] == name and fold["n"] == len(rows)
        assert fold["war"] == pytest.approx((rows["label"] == rows["predicted"]).mean())
        model = load_bundle(f"{folds}/{name.replace(':', '-')}")
        alone = evaluate(model, wanted)
        assert fold["model_id"] == model.model_id
        assert fold["uar"] == pytest.approx(alone.figures.uar)
        own.append(alone)
    assert len({fold["ece"] for fold in metrics["folds"]}) > 1, "the models differ"
    for name in ("war", "uar", "macro_f1", "ece"):
        values = [fold[name] for fold in metrics["folds"]]
        assert metrics["mean"][name] == pytest.approx(np.mean(values))
        assert metrics["std"][name] == pytest.approx(np.std(values, ddof=1))
    assert "sample standard deviation" in metrics["std_of"]
    # pooled, at top level
    assert metrics["n"] == len(table) == 192
    assert metrics["war"] == pytest.approx((table["label"] == table["predicted"]).mean())
    pooled = figures(torch.from_numpy(np.concatenate([each.probabilities for each in own])),
                     torch.from_numpy(np.concatenate([each.labels for each in own])),
                     LABEL_SETS["emotions7"])  # fmt: skip
    assert metrics["macro_f1"] == pytest.approx(pooled.macro_f1)
    assert metrics["intervals"]["resampled"] == "speakers"
    assert metrics["intervals"]["units"] == 24 == len(metrics["per_speaker"])
    assert metrics["split"] == "luna5:all" and metrics["speakers_known_to_model"] == []
    assert metrics["channels"] == {"song": 1}
    assert "songs among the clips (1), and split luna5:all was published for speech" in shown
    text = (out / "tables.tex").read_text()
    mean, std = metrics["mean"], metrics["std"]
    assert (
        f"{mean['war']:.1%} ± {std['war']:.1%}".replace("%", r"\%").replace("±", r"$\pm$") in text
    )
    assert f"mean $\\pm$ deviation &  & {100 * mean['war']:.1f}" in text
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 6
    assert made_and_foreign(str(out))[1] == []


def test_folds_that_do_not_fit(folds: str, model: str, place: str, tmp_path: Path) -> None:
    out = str(tmp_path / "e")
    with pytest.raises(UsageError, match="one is a folder of folds and another is not"):
        main([folds, model], [place], out)
    with pytest.raises(
        UsageError, match="luna5:all is several folds, each with a model of its own"
    ):
        main([model], [place], out, split="luna5:all")
    with pytest.raises(UsageError, match="trained on 5 of these speakers .*--split luna5:0"):
        main([folds], [place], out, split="luna5:1")
    half = tmp_path / "half"
    half.mkdir()
    (half / "settings.json").write_text(json.dumps({"kind": "the folds of a model"}))
    with pytest.raises(UsageError, match="not all trained: repeat the command"):
        main([str(half)], [place], out)
    assert not Path(out).exists()


# --- several models ------------------------------------------------------------------------------

HEARD, SEEN = replace(SMALL, name="heard", video=None), replace(SMALL, name="seen", audio=None)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A model of sound and a model of faces, of one protocol."""
    folder = tmp_path_factory.mktemp("pair")
    for recipe, modality in ((HEARD, "audio"), (SEEN, "face")):
        torch.manual_seed(3)
        told = info(recipe=recipe, modalities=(modality,))
        save_bundle(str(folder / recipe.name), told, build_network(recipe).state_dict(), {}, [], "")
    return str(folder / "heard"), str(folder / "seen")


def test_mean_of_answers_by_hand() -> None:
    first = np.array([[0.8, 0.2], [0.6, 0.4], [9, 9]], np.float32)
    second = np.array([[0.1, 0.9], [-5, np.nan], [0.3, 0.7]], np.float32)
    found = mean_of_answers([first, second], [np.array([1, 1, 0], bool), np.array([1, 0, 1], bool)])
    np.testing.assert_allclose(found, [[0.45, 0.55], [0.6, 0.4], [0.3, 0.7]], rtol=1e-6)
    assert found.dtype == np.float32
    with pytest.raises(ValueError, match="none of the models can judge"):
        mean_of_answers([first], [np.array([1, 1, 0], bool)])


def incomplete(folder: Path) -> tuple[str, str]:
    """Features of sound, where one tested clip has none, and features of faces, likewise."""
    heard, seen = rows(HEARD, ("audio",)), rows(SEEN, ("face",))
    for given, emotion in ((heard, "happy"), (seen, "sad")):
        for row in given:
            if row["uri"] == f"clips/23-{emotion}.mp4":
                row |= {"audio_features": None, "audio_frames": 0, "faces": None}
    return (write_features(folder / "heard", heard, HEARD),
            write_features(folder / "seen", seen[::-1], SEEN))  # fmt: skip


def test_two_models_answer_together(pair: tuple[str, str], tmp_path: Path) -> None:
    places = incomplete(tmp_path)
    _, folds = find_folds(pair)
    cache = ModelCache()
    (query,) = fold_queries(folds, cache, places)
    found = predict(query, cache)

    singles = {}
    for model, place in zip(pair, places, strict=True):
        one = load_bundle(model)
        tested = load_features(place, one.recipe)
        tested = tested.select(assign_split("elte", tested.clips) == "test")
        assert len(tested) == 15
        answers = evaluate(one, tested).probabilities
        uris = tested.clips["uri"].to_pylist()
        singles[one.recipe.name] = dict(zip(uris, answers, strict=True))
    uris = found.clips["uri"].to_pylist()
    assert uris == sorted({*singles["heard"], *singles["seen"]}) and len(uris) == 16
    for uri, answer in zip(uris, found.probabilities, strict=True):
        answers = [each[uri] for each in singles.values() if uri in each]
        np.testing.assert_allclose(answer, np.mean(answers, axis=0), atol=1e-6)
        alone = uri in ("clips/23-happy.mp4", "clips/23-sad.mp4")
        assert len(answers) == (1 if alone else 2)
    labels = found.label_set.labels
    assert [labels[i] for i in found.labels] == [
        {"calm": "neutral"}.get(e, e) for e in found.clips["emotion"].to_pylist()
    ]
    assert found.figures.n == 16


def test_the_job_with_two_models_and_one_kind_of_features(
    pair: tuple[str, str], place: str, tmp_path: Path
) -> None:
    out = tmp_path / "e"
    assert main(list(pair), [place], str(out)) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    ids = [load_bundle(model).model_id for model in pair]
    assert metrics["model_id"] == "+".join(ids) and metrics["recipe"] == "heard + seen"
    assert [(each["recipe"], each["clips"]) for each in metrics["models"]] == [
        ("heard", 16), ("seen", 16)]  # fmt: skip
    assert pq.read_table(out / "predictions.parquet").num_rows == 16


def test_folds_of_two_models_together(place: str, tmp_path: Path) -> None:
    found = load_features(place, SMALL)
    both = []
    for recipe in (HEARD, SEEN):
        (tmp_path / recipe.name).mkdir()
        both.append(save_folds(tmp_path / recipe.name, recipe, found))
    assert main(both, [place], str(tmp_path / "e")) == 0
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())
    assert metrics["n"] == 192 and len(metrics["folds"]) == 5
    cache = ModelCache()
    _, folds = find_folds(both)
    queries = fold_queries(folds, cache, [place])
    second = predict(queries[1], cache)
    alone = [
        evaluate(one, features.select(rows)).probabilities
        for one, features, rows in zip(
            cache.bundles(folds[1]), queries[1].features, queries[1].rows, strict=True
        )
    ]
    np.testing.assert_allclose(second.probabilities, np.mean(alone, axis=0), atol=1e-6)
    assert metrics["folds"][1]["war"] == pytest.approx(second.figures.war)


def test_models_that_cannot_answer_together(
    pair: tuple[str, str], place: str, tmp_path: Path
) -> None:
    out = str(tmp_path / "e")
    other = str(tmp_path / "other")
    weights = build_network(SEEN).state_dict()
    save_bundle(other, info(recipe=SEEN, modalities=("face",), seed=4), weights, {}, [], "")
    with pytest.raises(UsageError, match=r"different protocols \(elte seed 0, elte seed 4\)"):
        main([pair[0], other], [place], out)
    with pytest.raises(UsageError, match="2 of them for 1 --model"):
        main([pair[0]], [place, place], out)
    eight = replace(SEEN, label_set="emotions8")
    told = info(recipe=eight, modalities=("face",), label_set=LABEL_SETS["emotions8"])
    save_bundle(other, told, build_network(eight).state_dict(), {}, [], "")
    with pytest.raises(UsageError, match=r"other classes \(emotions7, emotions8\)"):
        main([pair[0], other], [place], out)
    assert not Path(out).exists()


def test_the_same_clip_with_two_labels(place: str) -> None:
    found = load_features(place, SMALL)
    one = evaluate(bundle(), found)
    labels = one.labels.copy()
    labels[7] = (labels[7] + 1) % 7
    with pytest.raises(UsageError, match="has another label in the other features"):
        together([one, replace(one, labels=labels)])


def test_a_clip_that_one_of_them_has_learned_from_is_not_asked(
    pair: tuple[str, str], tmp_path: Path
) -> None:
    """Under ``random`` the sides depend on which clips there are: nobody judges what it knows."""
    made = []
    for recipe, modality, modalities in ((HEARD, "audio", ("audio",)), (SEEN, "face", ("face",))):
        told = info(recipe=recipe, modalities=modalities, split="random", speakers=())
        save_bundle(str(tmp_path / modality), told, build_network(recipe).state_dict(), {}, [], "")
        made.append(str(tmp_path / modality))
    few = rows(HEARD, ("audio",), speakers=SPEAKERS[:12])
    places = [write_features(tmp_path / "few", few, HEARD),
              write_features(tmp_path / "many", rows(SEEN, ("face",)), SEEN)]  # fmt: skip
    _, folds = find_folds(made)
    (query,) = fold_queries(folds, ModelCache(), places)
    sides = []
    for features in query.features:
        drawn = assign_split("random", features.clips, 0)
        sides.append(dict(zip(features.clips["uri"].to_pylist(), drawn, strict=True)))
    differing = [uri for uri in sides[0] if (sides[0][uri] == "test") != (sides[1][uri] == "test")]
    assert differing, "the two sets are divided otherwise"
    for features, chosen in zip(query.features, query.rows, strict=True):
        for uri in features.select(chosen).clips["uri"].to_pylist():
            assert all(side.get(uri, "test") == "test" for side in sides)


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
        main([model], [place], str(tmp_path / "e"), **arguments)
    assert not (tmp_path / "e").exists()


def test_a_model_of_other_features(place: str, tmp_path: Path) -> None:
    other = replace(SMALL, audio=AudioSpec(n_mfcc=40))
    save_bundle(str(tmp_path / "m"), info(recipe=other), build_network(other).state_dict(), {}, [],
                "")  # fmt: skip
    done = run_here("evaluate", "--model", tmp_path / "m", "--features", place, "--out",
                    tmp_path / "e")  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "n_mfcc=6, this recipe needs 40" in done.stderr
    with pytest.raises(UsageError, match="is no model bundle"):
        main([str(tmp_path)], [place], str(tmp_path / "e"))
