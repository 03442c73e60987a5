"""A student learns from a teacher who hears other features, and never from people who test it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.networks import build_network
from emotion_core.recipes import with_training
from emotion_core.training.folds import prepare_folds
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan, targets_of
from emotion_core.training.task import Task, divide
from emotion_core.training.teacher import Teacher, load_teacher
from tests.support.jobs import run_here
from tests.support.synthetic_features import SMALL, rows, write_features

HEARD = with_training(replace(SMALL, video=None), epochs=8)
SEEN = with_training(replace(SMALL, audio=None), epochs=2)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the teacher hears: the last speaker's clips are not there."""
    place = tmp_path_factory.mktemp("heard") / "f"
    return write_features(place, everybody(("audio",))[:-8], HEARD)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_features(tmp_path_factory.mktemp("seen") / "f", everybody(("face",)), SEEN)


def everybody(modalities: tuple[str, ...]) -> list[dict]:
    """The clips of ``rows``; actors 13 and 24 speak in another corpus."""
    given = rows(SMALL, modalities)
    for row in given:
        if row["speaker"] in ("13", "24"):
            row["corpus"] = "other"
        row["audio_features"] = row["audio_features"] if "audio" in modalities else None
        row["faces"] = row["faces"] if "face" in modalities else None
    return given


def learned_from(task: Task) -> list[str]:
    return [*task.sides["train"].speakers, *task.sides["validation"].speakers]


@pytest.fixture(scope="module")
def place(heard: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    return trained(heard, str(tmp_path_factory.mktemp("teacher") / "model"))


def trained(features: str, out: str, split: str = "elte", knows: tuple[str, ...] = ()) -> str:
    task = divide(load_features(features, HEARD), HEARD, split, 0)
    state = Training(task.plan, task.sides["train"], task.sides["validation"]).run(lambda _: None)
    assert state is not None
    save_bundle(
        out,
        BundleInfo(
            recipe=HEARD, label_set=task.sides["train"].label_set,
            features=task.sides["train"].settings, audio_frames=task.plan.frames,
            modalities=("audio",), split=split, seed=0,
            speakers=(*learned_from(task), *knows),
        ),
        state.best, {}, [], "",
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def teacher(place: str, heard: str) -> Teacher:
    return load_teacher(place, heard)


def student(seen: str, teacher: Teacher | None) -> tuple[FeatureSet, Task]:
    found = load_features(seen, SEEN)
    return found, divide(found, SEEN, "elte", 0, teacher=teacher)


def test_each_clip_has_its_teacher_s_answer(
    seen: str, heard: str, teacher: Teacher, place: str
) -> None:
    _, task = student(seen, teacher)
    bundle = load_bundle(place)
    hears = load_features(heard, HEARD)
    row_of = {clip: row for row, clip in enumerate(hears.clips["clip_id"].to_pylist())}
    for name in ("train", "validation"):
        side = task.sides[name]
        assert side.taught is not None and side.taught.shape == (len(side), 7)
        for row in range(0, len(side), 5):
            clip = side.clips["clip_id"][row].as_py()
            said = bundle.predict([hears.sample(row_of[clip])])[0]
            np.testing.assert_allclose(side.taught[row], said, atol=1e-5)
    assert task.sides["test"].taught is None, "nobody whispers in a test"


def test_a_clip_that_the_teacher_cannot_judge_keeps_its_label(seen: str, tmp_path: Path) -> None:
    """His network could see, but he learned from sound alone: of silence he knows nothing."""
    given = everybody(("audio", "face"))
    for row in given[1::2]:
        row["audio_features"], row["audio_frames"] = None, 0
    place = write_features(tmp_path / "both", given, SMALL)
    both = load_features(place, SMALL)
    his = divide(both, SMALL, "elte", 0)
    info = BundleInfo(
        recipe=SMALL, label_set=both.label_set, features=both.settings, seed=0, split="elte",
        audio_frames=his.plan.frames, modalities=("audio",), speakers=tuple(learned_from(his)),
    )  # fmt: skip
    save_bundle(str(tmp_path / "m"), info, build_network(SMALL, 7).state_dict(), {}, [], "")

    _, task = student(seen, load_teacher(str(tmp_path / "m"), place))

    train = task.sides["train"]
    assert train.taught is not None
    silent = {row["clip_id"] for row in given[1::2]}
    heard = np.array([clip not in silent for clip in train.clips["clip_id"].to_pylist()])
    np.testing.assert_array_equal(train.taught[~heard], train.one_hot[~heard])
    assert heard.sum() > 20 < (~heard).sum() and (train.taught[heard].max(axis=1) < 1).all()


def test_faces_from_another_detector_are_not_the_teacher_s(tmp_path: Path) -> None:
    place = write_features(tmp_path / "seen", everybody(("face",)), SEEN)
    found = load_features(place, SEEN)
    other = {**found.settings, "detector": {"name": "scrfd", "weights_hash": "0" * 64}}
    info = BundleInfo(
        recipe=SEEN, label_set=found.label_set, features=other, audio_frames=0,
        modalities=("face",), split="elte", seed=0,
    )  # fmt: skip
    save_bundle(str(tmp_path / "m"), info, build_network(SEEN, 7).state_dict(), {}, [], "")
    with pytest.raises(UsageError, match="come from detector .*, the model learned from scrfd"):
        load_teacher(str(tmp_path / "m"), place)


def test_clips_outside_the_protocol_are_learned_without_their_labels(
    seen: str, teacher: Teacher
) -> None:
    found, task = student(seen, teacher)
    _, alone = student(seen, None)
    train = task.sides["train"]
    joined = train.clips.slice(len(alone.sides["train"]))
    # actor 24's clips are not among what the teacher hears, so nobody knows what they say
    assert set(joined["corpus"].to_pylist()) == {"other"}
    assert set(joined["speaker"].to_pylist()) == {"13"}
    assert train.taught is not None
    place = slice(len(alone.sides["train"]), None)
    np.testing.assert_array_equal(train.labels[place], train.taught[place].argmax(axis=1))
    test = set(task.sides["test"].speakers)
    assert test and not test & set(learned_from(task))
    assert len(found) > len(train)


def test_people_who_test_are_not_learned_from_another_corpus_s_clips(
    tmp_path: Path, heard: str, teacher: Teacher
) -> None:
    """Songs of the same actors: outside the protocol, but theirs all the same."""
    given = everybody(("face",))
    tested = divide(
        load_features(write_features(tmp_path / "a", given, SEEN), SEEN), SEEN, "elte", 0
    )
    names = {name.split("/")[1] for name in tested.sides["test"].speakers}
    for row in given:  # what is left of them after the protocol: nobody's sides
        if row["speaker"] == "13":
            row["speaker"], row["corpus"] = sorted(names)[0], "ravdess"
    found = load_features(write_features(tmp_path / "b", given, SEEN), SEEN)
    sides = np.array(
        ["" if "13-" in uri else "test" if speaker in names else "train"
         for uri, speaker in zip(found.clips["uri"].to_pylist(),
                                 found.clips["speaker"].to_pylist(), strict=True)]
    )  # fmt: skip
    assert (sides == "").any()
    task = divide(found, SEEN, "elte", 0, sides, teacher=teacher)
    assert len(task.sides["train"]) == (sides == "train").sum()


def test_sides_that_he_does_not_know_keep_their_labels_and_every_clip_counts_once(
    seen: str, heard: str, teacher: Teacher
) -> None:
    """A refit puts both sides together: what is taught must not be lost for a silent side."""
    hears = teacher.features
    found, task = student(seen, teacher)
    others = set(task.sides["validation"].clips["clip_id"].to_pylist())
    keep = np.array([clip not in others for clip in hears.clips["clip_id"].to_pylist()])
    task = divide(found, SEEN, "elte", 0, teacher=replace(teacher, features=hears.select(keep)))
    train, validation = task.sides["train"], task.sides["validation"]
    assert train.taught is not None and validation.taught is not None
    np.testing.assert_array_equal(validation.taught, np.eye(7)[validation.labels])
    assert train.with_clips_of(validation).taught is not None
    used = sum(len(side) for side in task.sides.values())
    assert used + task.left_out["outside_split"] == len(found)


def test_the_label_has_its_share(seen: str, teacher: Teacher) -> None:
    _, task = student(seen, teacher)
    side = task.sides["train"]
    assert side.taught is not None
    labels = np.eye(7)[side.labels]
    np.testing.assert_allclose(targets_of(side, 0.0), labels)
    np.testing.assert_allclose(targets_of(side, 1.0), side.taught)
    np.testing.assert_allclose(targets_of(side, 0.25), 0.75 * labels + 0.25 * side.taught)
    np.testing.assert_allclose(targets_of(side, 0.7).sum(axis=1), 1, atol=1e-5)
    untaught = replace(side, taught=None)
    np.testing.assert_allclose(targets_of(untaught, 0.7), labels)
    assert untaught.fingerprint != side.fingerprint, "another teacher is another training"
    plan = TrainPlan(with_training(SEEN, epochs=1), 0)
    told = Training(plan, side, task.sides["validation"])
    np.testing.assert_allclose(told.targets, targets_of(side, 0.7), atol=1e-6)


def test_a_student_learns_what_no_label_says(seen: str, teacher: Teacher) -> None:
    """Labels turned by one class and a teacher who is right: the student follows the teacher."""
    found = load_features(seen, SEEN)
    task = divide(found, SEEN, "elte", 0, teacher=teacher)
    train, validation = task.sides["train"], task.sides["validation"]
    wrong = replace(train, labels=(train.labels + 1) % 7)
    recipe = replace(SEEN, training=replace(SEEN.training, teacher_share=1.0, epochs=12))
    state = Training(TrainPlan(recipe, 0), wrong, validation).run(lambda _: None)
    assert state is not None and (state.best_row.validation_uar or 0) > 0.5


def test_a_teacher_who_knows_the_test_is_refused(seen: str, heard: str, tmp_path: Path) -> None:
    tested = divide(load_features(seen, SEEN), SEEN, "elte", 0).sides["test"].speakers
    place = trained(heard, str(tmp_path / "other"), knows=(tested[0],))
    with pytest.raises(UsageError, match=f"learned from 1 speakers who test .*{tested[0]}"):
        student(seen, load_teacher(place, heard))


def test_a_teacher_of_other_classes_or_other_clips_is_refused(
    seen: str, heard: str, teacher: Teacher, tmp_path: Path
) -> None:
    eight = replace(SEEN, label_set="emotions8")
    with pytest.raises(UsageError, match="answers with emotions7, the student with emotions8"):
        divide(load_features(seen, eight), eight, "elte", 0, teacher=teacher)
    given = [{**row, "clip_id": "x" + row["clip_id"]} for row in everybody(("face",))]
    found = load_features(write_features(tmp_path / "f", given, SEEN), SEEN)
    with pytest.raises(
        UsageError, match="none of the student's .* clips: make them of the same files"
    ):
        divide(found, SEEN, "elte", 0, teacher=teacher)


def test_folds_are_taught_by_folds_of_the_same_name(seen: str, heard: str, place: str) -> None:
    teacher = replace(load_teacher(place, heard), split="luna5:all")
    teacher = replace(teacher, folds=(replace(teacher.folds[0], name="luna5:0"),))
    found = load_features(seen, SEEN)
    assert teacher.fold("luna5:0") is teacher.folds[0]
    with pytest.raises(UsageError, match="folds of luna5:all, none for luna5:1"):
        prepare_folds(found, SEEN, "luna5:all", ["luna5:0", "luna5:1"], 0, teacher=teacher)
    alone = prepare_folds(found, SEEN, "luna5:all", ["luna5:0"], 0)
    taught = prepare_folds(found, SEEN, "luna5:all", ["luna5:0"], 0, teacher=teacher)
    assert taught.settings == {**alone.settings, "teacher": teacher.settings}


@pytest.mark.slow
def test_the_job_trains_a_student(ray_local: None, seen: str, heard: str, tmp_path: Path) -> None:
    """Of one model; that a fold has its own teacher is shown above, without Ray."""
    recipes = tmp_path / "small_two.py"
    recipes.write_text("from tests.training.test_teacher import HEARD, SEEN\n")
    words = ("--split", "elte", "--epochs", 2)
    first = ("--features", heard, "--recipe", f"{recipes}:HEARD", "--out", tmp_path / "teacher")
    done = run_here("train", *first, *words)
    assert done.returncode == 0, done.stderr
    second = ("--features", seen, "--recipe", f"{recipes}:SEEN", "--out", tmp_path / "student")
    alone = run_here("train", *second, *words, "--teacher", tmp_path / "teacher")
    assert alone.returncode == 2 and "--teacher-features belong together" in alone.stderr
    told = ("--teacher", tmp_path / "teacher", "--teacher-features", heard)
    done = run_here("train", *second, *words, *told)
    assert done.returncode == 0, done.stderr
    card = (tmp_path / "student" / "README.md").read_text()
    assert (
        f"Taught by {HEARD.name}, model {load_bundle(str(tmp_path / 'teacher')).model_id}" in card
    )
    again = run_here("train", *second, *words)
    assert again.returncode == 2, "another training than what lies there"
