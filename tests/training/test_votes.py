"""What a crowd took clips for is learned as soft labels, and measured against the intended one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.corpora import scan
from emotion_core.errors import UsageError
from emotion_core.models.dataset import load_features
from emotion_core.preprocessing.job import Preprocessing, declared_steps
from emotion_core.preprocessing.rows import FEATURES, feature_rows
from emotion_core.recipes import load_recipe, with_training
from emotion_core.recipes.emotions import EMOTIONS, LABEL_SETS
from emotion_core.recipes.specs import Recipe
from emotion_core.storage.published import Published
from emotion_core.storage.schemas import MANIFEST, VOTES
from emotion_core.training.loop import Training
from emotion_core.training.show import remarks
from emotion_core.training.task import divide
from emotion_core.training.teacher import _unvoted
from emotion_core.training.votes import require_votes, soft_labels, voted
from jobs.train import main
from tests.support.synthetic_features import SMALL, rows, start_features, write_features, write_part
from tests.support.votes import write_votes

SEVEN = LABEL_SETS["emotions7"].labels


def counts(**votes: int) -> list[int]:
    return [votes.get(emotion, 0) for emotion in EMOTIONS]


def asked() -> list[dict[str, Any]]:
    """Four clips of one actor: both modalities, sound alone, a face alone, and nobody was asked."""
    made = rows(SMALL, emotions=("neutral", "happy", "sad", "angry"), speakers=("01",))
    for row in made[:3]:
        row["votes_audio"] = counts(neutral=1, calm=2, happy=1)
        row["votes_face"] = counts(sad=5)
        row["votes_audio_visual"] = counts(neutral=1, fearful=3)
    made[1]["faces"] = None
    made[2].update(audio_features=None, audio_frames=0)
    return made


def test_a_clip_has_the_votes_on_what_the_network_gets(tmp_path: Path) -> None:
    place = write_features(tmp_path / "f", asked())
    found = load_features(place, SMALL)
    order = [uri.split("-")[1][:-4] for uri in found.clips["uri"].to_pylist()]
    at = {emotion: soft_labels(found)[row] for row, emotion in enumerate(order)}

    def shares(**of: float) -> list[float]:
        return [of.get(label, 0.0) for label in SEVEN]

    np.testing.assert_allclose(at["neutral"], shares(neutral=0.25, fearful=0.75))
    np.testing.assert_allclose(at["happy"], shares(neutral=0.75, happy=0.25))  # calm is neutral
    np.testing.assert_allclose(at["sad"], shares(sad=1))
    np.testing.assert_allclose(at["angry"], shares(angry=1))  # as intended
    assert voted(found).sum() == 3
    # a network of sound alone learns what people heard, also in clips that show a face
    heard = load_features(place, replace(SMALL, video=None))
    row = heard.clips["emotion"].to_pylist().index("neutral")
    np.testing.assert_allclose(soft_labels(heard)[row], shares(neutral=0.75, happy=0.25))
    assert not voted(replace(found, clips=_unvoted(found.clips))).any()


def test_older_features_have_no_votes_beside_newer_ones_that_do(tmp_path: Path) -> None:
    made = asked()
    start_features(tmp_path, SMALL)
    write_part(tmp_path, 0, made[:2])
    before = pa.schema([field for field in FEATURES if field not in VOTES])
    old = [{name: row[name] for name in before.names} for row in made[2:]]
    table = pa.Table.from_pylist(old, schema=before)
    storage.write_parquet(str(tmp_path / "features" / "part-000002.parquet"), table)

    found = load_features(str(tmp_path), SMALL)

    told = dict(zip(found.clips["emotion"].to_pylist(), voted(found), strict=True))
    assert told == {"neutral": True, "happy": True, "sad": False, "angry": False}
    # a clip of the old part changed: its new row takes the place of the old one there
    made[2].update(clip_id="f" * 32, version="2")
    manifest = pa.Table.from_pylist([{n: row[n] for n in MANIFEST.names} for row in made], MANIFEST)
    held = Published(str(tmp_path), "features")

    def work(todo: pa.Table, changed: frozenset[str]) -> None:
        assert changed == {"f" * 32} == set(todo["clip_id"].to_pylist())
        held.write(pa.Table.from_pylist(made[2:3], FEATURES), None, changed)

    assert held.fill(manifest, work) == 1
    assert voted(load_features(str(tmp_path), SMALL)).sum() == 3


def test_votes_that_nobody_gave_are_refused(tmp_path: Path) -> None:
    place = write_features(tmp_path / "f", rows(SMALL, emotions=("happy",)))
    asks = {"recipe": "tests.training.test_votes:SMALL", "labels_from": "votes"}
    with pytest.raises(UsageError, match="no clip has votes .* finishedResponses.csv"):
        main(features=place, out=str(tmp_path / "m"), **asks)
    with pytest.raises(UsageError, match="labels from 'crowd': choose one of intended, votes"):
        main(features=place, out=str(tmp_path / "m"), **{**asks, "labels_from": "crowd"})
    assert not (tmp_path / "m").exists()


# What people say of the three real clips when they hear and see them.
REAL = {
    ("1001_DFA_ANG_XX", 3): "AAAAADN",
    ("1001_DFA_HAP_XX", 3): "HNNF",
    ("1001_DFA_SAD_XX", 3): "NNS",
    ("1001_DFA_SAD_XX", 1): "SSSS",
}


def prepared(folder: Path, out: Path, recipe: Recipe) -> str:
    """What ``jobs/preprocess.py`` makes of a corpus, without Ray."""
    how = Preprocessing(recipe)
    clips = scan("cremad", str(folder)).clips
    works = [ClipWork(clip=row) for row in manifest_table(clips).to_pylist()]
    for step in declared_steps(how):
        works = step.on_cpu.factory()(works)
    storage.start_output(str(out), "features", how.settings())
    storage.write_parquet(str(out / "features" / "part-0.parquet"), feature_rows(works))
    return str(out)


def test_three_real_clips_train_on_their_votes(corpora: Path, tmp_path: Path) -> None:
    folder = tmp_path / "VideoFlash"
    folder.mkdir()
    for clip in (corpora / "clips" / "labelled").glob("1001_*.flv"):
        (folder / clip.name).symlink_to(clip)
    write_votes(tmp_path / "finishedResponses.csv", REAL)
    recipe = load_recipe("timedist-blstm")
    recipe = replace(
        with_training(recipe, epochs=1, labels_from="votes"),
        network_options=SMALL.network_options,
    )

    found = load_features(prepared(tmp_path, tmp_path / "f", recipe), recipe)

    assert found.clips["emotion"].to_pylist() == ["angry", "happy", "sad"]
    assert found.has_audio.all() and found.has_faces.all()
    require_votes(found, recipe)
    sides = np.array(["train", "train", "train"])
    task = divide(found, recipe, "everybody", 0, sides)
    training = Training(task.plan, task.sides["train"], task.sides["validation"])
    wanted = [
        {"angry": 5 / 7, "disgust": 1 / 7, "neutral": 1 / 7},
        {"happy": 1 / 4, "neutral": 2 / 4, "fearful": 1 / 4},
        {"neutral": 2 / 3, "sad": 1 / 3},
    ]
    np.testing.assert_allclose(
        training.targets, [[of.get(label, 0) for label in SEVEN] for of in wanted], atol=1e-6
    )
    # a class that nobody played, but people saw, counts
    assert training.class_weights[SEVEN.index("neutral")] == pytest.approx(3 / 6 / (1 / 7 + 7 / 6))
    state = training.run(lambda _: None)
    assert state is not None and len(state.history) == 1 and state.history[0].loss > 0
    assert "votes on 3 of 3 clips, the others are as intended" in remarks(task)
    assert found.labels.tolist() == [SEVEN.index(name) for name in ("angry", "happy", "sad")]
