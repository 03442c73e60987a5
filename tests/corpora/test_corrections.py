"""Corrections come back: Label Studio's export, the exported CSV, and stretches of files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table, stretch_member, stretch_of
from emotion_core.clips.work import ClipWork
from emotion_core.corpora import scan_all
from emotion_core.corpora.scanning import Scan
from emotion_core.corpora.splits import assign_split
from emotion_core.errors import UsageError
from emotion_core.exports.command import Format
from emotion_core.exports.command import main as export
from emotion_core.models.dataset import load_features
from emotion_core.preprocessing.decode import DecodeStep
from emotion_core.preprocessing.job import Preprocessing, declared_steps
from emotion_core.preprocessing.rows import feature_rows
from emotion_core.recipes import load_recipe
from tests.exports.test_export import LABELS, LabelTables, segment, work
from tests.support.jobs import run_here


def region(start: float | None, end: float | None, label: str, lane: str = "") -> dict[str, Any]:
    """A region as Label Studio 1.x exports it."""
    value: dict[str, Any] = {"labels": [label], "channel": 0}
    if start is not None:
        value |= {"start": start, "end": end}
    meta = {"meta": {"text": [lane]}} if lane else {}
    return {"id": "x", "from_name": "emotion", "to_name": "sound", "type": "labels",
            "origin": "manual", "value": value, **meta}  # fmt: skip


def task(video: object, *regions: dict[str, Any], at: str = "2026-01-02T00:00:00Z", **more: Any):
    answer = {"id": 1, "was_cancelled": False, "updated_at": at, "result": list(regions)}
    return {"data": {"video": str(video), **more}, "annotations": [answer], "predictions": []}


def labelled(folder: Path, *tasks: dict[str, Any]) -> Scan:
    (folder / "project.json").write_text(json.dumps(tasks))
    (found,) = scan_all([f"labelstudio={folder / 'project.json'}"])
    return found


def told(found: Scan) -> list[tuple]:
    return [(c.uri.rsplit("/", 1)[-1], stretch_of(c.member), c.emotion, c.speaker)
            for c in found.clips]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c+d.wav", "e.mp4"):
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_regions_are_clips_and_files_are_speakers(folder: Path) -> None:
    found = labelled(
        folder,
        task(folder / "a.mp4", region(0, 2.5, "happy", "person 0"), region(2.5, 4, "Sad", "sound"),
             region(0, 1, "bored")),
        task("/data/local-files/?d=b.mp4", region(1, 2, "angry", "Anna")),
        task("c+d.wav", region(None, None, "sad")),
        task("e.mp4", region(0, 1, "sad", "Anna"), region(1, 2, "sad", "Ben"), speaker="both"),
    )  # fmt: skip
    assert told(found) == [
        ("a.mp4", (0.0, 2.5), "happy", "a"),
        ("a.mp4", (2.5, 4.0), "sad", "a"),
        ("b.mp4", (1.0, 2.0), "angry", "Anna"),
        ("c+d.wav", None, "sad", "c_d"),
        ("e.mp4", (0.0, 1.0), "sad", "both"),
        ("e.mp4", (1.0, 2.0), "sad", "both"),
    ]
    assert len({clip.clip_id for clip in found.clips}) == 6
    assert [uri.rsplit("/", 1)[-1] for uri in found.unparsed] == ["a.mp4"], "no label is guessed"
    assert {clip.corpus for clip in found.clips} == {"labelstudio"}


def test_the_last_annotation_counts_and_the_rest_is_counted(folder: Path) -> None:
    twice = task("a.mp4", region(0, 1, "happy"), at="2026-01-02T00:00:00Z")
    later = task("a.mp4", region(0, 1, "sad"), at="2026-01-03T00:00:00Z")["annotations"][0]
    skipped = {**later, "was_cancelled": True, "updated_at": "2026-01-04T00:00:00Z"}
    empty = {**later, "result": [], "updated_at": "2026-01-05T00:00:00Z"}
    twice["annotations"] = [later, *twice["annotations"], skipped, empty]
    found = labelled(
        folder,
        twice,
        task("a.mp4", region(0, 1, "angry"), at="2026-01-01T00:00:00Z"),
        {"data": {"video": "b.mp4"}, "annotations": [], "predictions": [{"result": []}]},
        task("e.mp4", region(0, 2, "sad", "person 0"), region(0, 2, "happy", "person 1"),
             region(2, 3, "sad", "person 0"), region(2, 3, "sad", "person 1"),
             region(3, 3, "sad")),
    )  # fmt: skip
    assert told(found) == [("a.mp4", (0.0, 1.0), "sad", "a"), ("e.mp4", (2.0, 3.0), "sad", "e")]
    assert found.left_out == {
        "skipped annotations": 1,
        "empty annotations": 1,
        "annotations that a later one replaces": 2,
        "tasks without an annotation": 1,
        "regions that last no time": 1,
        "stretches with two labels": 1,
    }


@pytest.mark.parametrize(
    ("tasks", "line"),
    [
        ([], "nobody has labelled anything in it .no task."),
        ([{"data": {"video": "a.mp4"}}], "nobody has labelled .*1 tasks without an annotation"),
        ([{"video": "a.mp4", "emotion": []}], "task 1: no data; looked for .*not JSON-MIN"),
        ([task("gone.mp4", region(0, 1, "sad"))], "task 1: .*gone.mp4 is no file"),
        ([task("a.mp4", region(0, 1, "bored"))], "none of 1 media files"),
        ([{"data": {"text": 1}, "annotations": []}], "task 1: data names no file"),
        ([{"data": {"video": "\ud800.mp4"}}], "task 1: a name that is not UTF-8"),
        *(
            ([{"data": {"video": "a.mp4"}, "annotations": given}], "task 1: .* not as Label Studio")
            for given in (
                3,
                ["x"],
                [{"result": "x"}],
                [{"result": [{"value": ["sad"]}]}],
                [{"result": [{"value": {"labels": "sad"}}]}],
                [{"result": [{"value": {"labels": ["sad"]}, "meta": {"text": [1]}}]}],
            )
        ),
    ],
)
def test_what_is_no_export_is_one_line(folder: Path, tasks: list, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        labelled(folder, *tasks)
    assert "\n" not in str(caught.value) and "project.json" in str(caught.value)


def test_a_folder_is_no_export(folder: Path) -> None:
    with pytest.raises(UsageError, match="no JSON file; looked for Label Studio's export"):
        scan_all([f"labelstudio={folder}"])


def table(folder: Path, text: str) -> Scan:
    (folder / "mine.csv").write_text(text, "utf-8-sig")
    (found,) = scan_all([f"manifest={folder / 'mine.csv'}"])
    return found


def test_a_table_may_name_stretches(folder: Path) -> None:
    found = table(
        folder,
        "path;label;speaker;start_s;end_s\r\na.mp4;sad;x;0;1,5\r\na.mp4;happy;x;1,5;\r\n"
        "a.mp4;sad;x;;\r\nb.mp4;sad;y;1:00:01.5;3700\r\n",
    )
    assert [(stretch_of(c.member), c.emotion) for c in found.clips] == [
        (None, "sad"), ((0.0, 1.5), "sad"), ((1.5, None), "happy"), ((3601.5, 3700.0), "sad")
    ]  # fmt: skip
    for rows, line in (
        ("a.mp4,sad,2,1\n", "line 2: it ends at 1 s, before it begins at 2 s"),
        ("a.mp4,sad,soon,3\n", "line 2: 'soon' is no time"),
        ("a.mp4,sad,1,3\na.mp4,sad,1.0,3\n", "line 3: the file of line 2 again"),
    ):
        with pytest.raises(UsageError, match=line):
            table(folder, "path,label,start_s,end_s\n" + rows)


def exported(folder: Path, delimiter: str = ",") -> Path:
    """``segments.csv`` of a video with two people and one with one."""
    tables = LabelTables(str(folder / "labels"), LABELS, "model")
    two = (segment(0, 0, 0), segment(2, 0, 1), segment(0, 1, 2), segment(2, 1, 1))
    tables.write([work(str(folder / "a.mp4"), two),
                  work(str(folder / "b.mp4"), (segment(0, 0, 0),))])  # fmt: skip
    export(str(folder / "labels"), str(folder / "export"), [Format.csv], delimiter=delimiter)
    return folder / "export" / "segments.csv"


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_an_exported_table_comes_back_corrected(folder: Path, delimiter: str) -> None:
    place = exported(folder, delimiter)
    text = place.read_text("utf-8-sig")
    place.write_text(text.replace("happy", "fearful").replace("fearful", "happy", 1), "utf-8-sig")
    (found,) = scan_all([f"manifest={place}"])
    assert told(found) == [
        ("a.mp4", (2.0, 6.0), "sad", "a"),
        ("b.mp4", (0.0, 4.0), "fearful", "b"),
    ]
    assert found.left_out == {"stretches with two labels": 1}


def test_a_table_of_contradictions_says_so(folder: Path) -> None:
    with pytest.raises(UsageError, match="no clip is left .1 stretches with two labels."):
        table(folder, "path,who,label\na.mp4,Anna,happy\na.mp4,Ben,sad\n")


def test_a_spreadsheet_that_makes_2_000_into_2000_is_found_out(folder: Path) -> None:
    place = exported(folder)
    place.write_text(place.read_text("utf-8-sig").replace("2.000", "2000"), "utf-8-sig")
    with pytest.raises(UsageError, match="line 2: 2000 s and 0:00:02.0 are two times"):
        scan_all([f"manifest={place}"])


def test_a_stretch_is_what_the_file_holds_there(demo: Path) -> None:
    path = min((demo / "corpus").rglob("*.mp4"))
    recipe = load_recipe("timedist-blstm")
    step = DecodeStep(recipe.audio, recipe.video, "auto", 60.0)

    def decoded(member: str | None) -> ClipWork:
        (row,) = manifest_table([Clip(str(path), 0, "", member)]).to_pylist()
        (done,) = step([ClipWork(row)])
        return done

    whole, part, rest = (decoded(m) for m in (None, stretch_member(0.2, 0.7), "t=0.700"))
    assert whole.media and part.media and rest.media
    rate = part.media.sample_rate
    assert part.duration_s == pytest.approx(0.5) and part.outcome.status == "ok"
    assert rest.duration_s == pytest.approx(whole.duration_s - 0.7)
    first, last = round(0.2 * rate), round(0.7 * rate)
    np.testing.assert_array_equal(part.media.audio, whole.media.audio[first:last])
    assert all(0.2 <= time < 0.7 for time in part.media.frame_times_s)
    assert len(part.media.frames) == len(whole.media.frames), "sampled as a clip of its own"
    late = decoded(stretch_member(60, 61))
    assert late.failed and late.outcome.reasons == ("empty",)


def preprocessed(found: Scan, out: Path) -> pa.Table:
    """What ``jobs/preprocess.py`` makes for ``voice-small``, without Ray."""
    how = Preprocessing(load_recipe("voice-small"))
    works = [ClipWork(row) for row in manifest_table(found.clips).to_pylist()]
    for step in declared_steps(how):
        works = step.on_cpu.factory()(works)
    storage.start_output(str(out), "features", how.settings())
    rows = feature_rows(works)
    storage.write_parquet(str(out / "features" / "part-0.parquet"), rows)
    return rows


@pytest.mark.slow
def test_corrections_are_trained_on_and_evaluated(
    demo: Path, ray_one: None, trains_here: None, tmp_path: Path
) -> None:
    """A Label Studio project about clips of three actors: features, a start from ``voice``, and
    the figures of both."""
    videos = sorted((demo / "corpus").rglob("*.mp4"))
    tasks = [
        task(video, region(0, 0.6, emotion), region(0.6, 1.2, emotion),
             speaker=video.parent.name)
        for video in videos
        for emotion in [("happy", "sad")[video.name.split("-")[2] != "03"]]
    ]  # fmt: skip
    features = tmp_path / "features"
    rows = preprocessed(labelled(tmp_path, *tasks), features)
    assert len(rows) == 12 and set(rows["status"].to_pylist()) == {"ok"}

    split = ("--split", "loso:labelstudio/Actor_01", "--features", features)
    small = ("--option", "training.epochs=1", "--num-workers", 1)
    done = run_here("train", "--recipe", "voice-small", "--init", "voice", *split, *small,
                    "--out", tmp_path / "model")  # fmt: skip
    assert done.returncode == 0, done.stderr
    clips = load_features(str(features), load_recipe("voice-small")).clips
    sides = dict(zip(clips["speaker"].to_pylist(), assign_split(split[1], clips), strict=True))
    assert sorted(sides.values()) == ["test", "train", "validation"]
    for model in (tmp_path / "model", "voice"):
        out = tmp_path / f"figures-{Path(model).name}"
        done = run_here("evaluate", "--model", model, *split, "--out", out)
        assert done.returncode == 0, done.stderr
        predictions = storage.read_parquet([str(out / "predictions.parquet")])
        assert len(predictions) == 4, "the stretches of one actor"
