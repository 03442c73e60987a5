"""Corpora to features on a real Ray: one row per clip, resumable, the same whatever the layout."""

import io
import json
import shutil
import signal
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
import ray.data
from PIL import Image

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.corpora import scan
from emotion_core.engine.cluster import connect
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.engine.plan import Group, plan
from emotion_core.engine.run import run_groups
from emotion_core.errors import StorageError, UsageError
from emotion_core.preprocessing import job as pipeline
from emotion_core.preprocessing.job import Preprocessing, declared_steps, preprocess
from emotion_core.preprocessing.rows import FEATURES
from emotion_core.recipes import load_recipe
from emotion_core.storage.parts import parts, read_parts
from emotion_core.storage.published import Published
from tests.support.deadly_step import Deadly, times_begun
from tests.support.jobs import command, environment, run_here, run_job
from tests.support.s3 import environment_of, free_port, start_server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("ray_local")

HOW = Preprocessing(load_recipe("timedist-blstm"))


def quiet(total: int):
    return nullcontext(lambda n, note: None)


def features(out: Path) -> list[dict]:
    """Every row but the time it took, in an order that does not depend on the run."""
    table = read_parts(str(out / "features"))
    assert table is not None
    assert table.schema.remove_metadata() == FEATURES
    assert table.schema.metadata[b"schema_version"] == b"2"
    rows = table.drop_columns(["processing_s"]).sort_by("uri").to_pylist()
    return rows


def manifest_of(folder: Path) -> pa.Table:
    return manifest_table(scan("ravdess", str(folder)).clips)


@pytest.fixture(scope="module")
def made(demo_features: Path) -> Path:
    """Features of the demo corpus."""
    return demo_features


def test_every_clip_has_a_row_with_faces_and_sound(made):
    rows = features(made)
    assert [row["emotion"] for row in rows] == ["happy", "sad"] * 3
    assert len({row["speaker"] for row in rows}) == 3
    for row in rows:
        assert (row["status"], row["reasons"], row["error"]) == ("ok", [], None)
        assert row["modality"] == "audio-visual"
        assert row["duration_s"] == pytest.approx(1.2, abs=0.1)
        assert row["audio_frames"] == len(row["audio_features"]) > 20
        assert {len(step) for step in row["audio_features"]} == {24}
        assert len(row["faces"]) == len(row["face_boxes"]) == len(row["frame_times_s"]) == 6
        assert row["frame_times_s"] == pytest.approx(np.arange(0.1, 1.2, 0.2), abs=0.02)
        seen = [box for box in row["face_boxes"] if box is not None]
        assert len(seen) >= 5
        assert all(0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 for x1, y1, x2, y2 in seen)
        picture = Image.open(io.BytesIO(row["faces"][0]))
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (64, 64))


def test_standardised_sound_has_no_mean(made):
    matrix = np.array(features(made)[0]["audio_features"])
    np.testing.assert_allclose(matrix.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(matrix.std(axis=0), 1, atol=1e-2)


def test_the_detector_and_its_weights_are_recorded(made):
    part = parts(str(made / "features"))[0]
    recorded = storage.read_parquet(part).schema.metadata[b"detector"].decode()
    assert "centerface" in recorded and HOW.settings()["detector"]["weights_hash"] in recorded


def test_duckdb_reads_the_features(made):
    pattern = f"{made}/features/*.parquet"
    found = duckdb.sql(
        f"select emotion, count(*), min(len(faces)), min(audio_frames) > 20 "
        f"from '{pattern}' group by emotion order by emotion"
    ).fetchall()
    assert found == [("happy", 3, 6, True), ("sad", 3, 6, True)]


def test_the_same_again_does_nothing(made, demo, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in (made / "features").iterdir()}
    monkeypatch.setattr(pipeline, "connect", lambda: pytest.fail("Ray was asked for"))
    rows, done = preprocess(manifest_of(demo / "corpus"), HOW, str(made), quiet)
    assert (len(rows), done) == (6, 0)
    assert {path: path.stat().st_mtime_ns for path in (made / "features").iterdir()} == before


@pytest.mark.parametrize(
    "layout",
    [
        "all at once",
        "apart",
        pytest.param("one by one", marks=pytest.mark.slow),
        pytest.param("apart, torchaudio", marks=pytest.mark.slow),
    ],
)
def test_the_layout_of_the_work_does_not_change_a_number(made, demo, tmp_path, layout):
    """Batches, parts, workers and operators are how the work is cut, never what comes out."""
    how = Preprocessing(HOW.recipe, audio_backend="torchaudio" if "torch" in layout else "librosa")
    fused = plan(declared_steps(how), connect())
    apart = [Group((factory,), Needs(cpus=0.3), 1) for factory in fused[0].factories]
    groups = apart if "apart" in layout else fused
    manifest = manifest_of(demo / "corpus")
    order = np.random.default_rng(1).permutation(len(manifest))
    table = Published(str(tmp_path), "features")
    writer = partial(pipeline._write, table, pipeline._metadata(how), frozenset())
    rows_per_part = 1 if layout == "one by one" else 100
    written = list(run_groups(manifest.take(order), groups, writer, rows_per_part))
    assert sum(part.rows for part in written) == 6
    if "torch" not in layout:
        assert features(tmp_path) == features(made)
        return
    for ours, reference in zip(features(tmp_path), features(made), strict=True):
        np.testing.assert_allclose(
            ours.pop("audio_features"), reference.pop("audio_features"), atol=1e-3
        )
        assert ours == reference


def test_a_long_video_is_not_taken_for_a_hang():
    connect()
    assert ray.data.DataContext.get_current().execution_no_progress_timeout_s == -1


@pytest.mark.parametrize("what", ["worker", "store"])
def test_what_ends_a_job_is_told_in_one_line(demo, what, capfd):
    """A worker that cannot make its steps, a store that takes no more: no account of Ray's."""
    error = UsageError("no such model") if what == "worker" else StorageError("the disk is full")

    def make_steps():
        if what == "worker":
            raise error
        return lambda works: works

    def write(works):
        raise error

    groups = [Group((make_steps, make_steps), Needs(), 1)]
    with pytest.raises(type(error), match=str(error)):
        list(run_groups(manifest_of(demo / "corpus"), groups, write, 1))
    shown = capfd.readouterr()
    assert "Traceback" not in shown.out + shown.err


def test_one_broken_file_costs_one_row(demo, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(demo / "corpus", corpus)
    first, second, *_ = sorted(corpus.rglob("*.mp4"))
    first.write_bytes(b"this is not a video at all" * 100)
    second.write_bytes(b"")
    out = tmp_path / "out"
    preprocess(manifest_of(corpus), HOW, str(out), quiet)
    rows = {row["uri"]: row for row in features(out)}
    assert len(rows) == 6
    for broken, reason in ((first, "unreadable"), (second, "empty")):
        row = rows.pop(str(broken))
        assert (row["status"], row["stage"], row["reasons"]) == ("failed", "decode", [reason])
        assert row["emotion"] and row["audio_features"] is None and row["audio_frames"] == 0
    assert {row["status"] for row in rows.values()} == {"ok"}

    # mended, it is done again and replaces its old row; the rest is left alone
    shutil.copy(demo / "corpus" / first.relative_to(corpus), first)
    rows, done = preprocess(manifest_of(corpus), HOW, str(out), quiet)
    assert (len(rows), done) == (6, 1)
    assert [r["status"] for r in features(out)].count("failed") == 1

    # failed clips can be tried again, and a clip that left the corpus leaves the features
    rows, done = preprocess(manifest_of(corpus), HOW, str(out), quiet, retry_failed=True)
    assert (len(rows), done) == (6, 1)
    second.unlink()
    with pytest.raises(UsageError, match="--prune"):
        preprocess(manifest_of(corpus), HOW, str(out), quiet)
    rows, done = preprocess(manifest_of(corpus), HOW, str(out), quiet, prune=True)
    assert (len(rows), done) == (5, 0)
    assert {row["status"] for row in features(out)} == {"ok"}


def test_a_clip_that_kills_its_worker_costs_one_row(made, demo, tmp_path, monkeypatch):
    """The real steps, and one after them that takes the worker down as a library may."""
    deadly = sorted((demo / "corpus").rglob("*.mp4"))[1]
    make = partial(Deadly, tmp_path, {str(deadly): 99})
    step = DeclaredStep(Variant(make, Needs(cpus=1)))
    monkeypatch.setattr(pipeline, "declared_steps", lambda how: [*declared_steps(how), step])
    out = tmp_path / "out"
    preprocess(manifest_of(demo / "corpus"), HOW, str(out), quiet)
    rows = {row["uri"]: row for row in features(out)}
    expected = {row["uri"]: row for row in features(made)}
    row = rows.pop(str(deadly))
    assert (row["status"], row["stage"], row["reasons"]) == ("failed", "worker", ["crash"])
    assert row["emotion"] == expected.pop(str(deadly))["emotion"]
    assert row["error"].startswith("crash: its worker died 2 times")
    assert rows == expected
    assert times_begun(tmp_path).count(str(deadly)) == 2


def test_killed_and_repeated_it_finishes_the_rest(made, demo, tmp_path):
    out = tmp_path / "out"
    job = command("preprocess", "--corpus", f"ravdess={demo / 'corpus'}", "--out", out)
    running = subprocess.Popen(
        job, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: parts(str(out / "features")) or running.poll() is not None)
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate()
    assert not (out / "run.json").exists(), "it was killed before the end"
    committed = len(features(out))
    assert committed > 0

    done = run_here("preprocess", "--corpus", f"ravdess={demo / 'corpus'}", "--out", out)
    assert done.returncode == 0, done.stderr
    record = json.loads((out / "run.json").read_text())
    assert record["counts"] == {"inputs": 6, "ok": 6, "degraded": 0, "failed": 0}
    assert record["extra"]["decoded"] <= 6 - committed
    assert features(out) == features(made)


def test_from_one_bucket_to_another(made, demo, s3_env, tmp_path):
    bucket = s3_env.bucket("corpus")
    shutil.copytree(demo / "corpus", bucket / "ravdess")
    s3_env.bucket("results")
    done = run_job(
        "preprocess", "--corpus", "ravdess=s3://corpus/ravdess", "--out", "s3://results/demo"
    )
    assert done.returncode == 0, done.stderr
    folder = "s3://results/demo"
    ours = read_parts(f"{folder}/features")
    assert ours is not None
    places = {"uri", "version", "clip_id", "processing_s"}
    kept = [name for name in FEATURES.names if name not in places]
    assert sorted(map(str, ours.select(kept).to_pylist())) == sorted(
        str({name: row[name] for name in kept}) for row in features(made)
    )
    assert storage.read_json(f"{folder}/run.json")["counts"]["ok"] == 6


def test_a_server_that_dies_before_the_features_are_counted(
    demo, tmp_path, monkeypatch, s3_env, ray_local
):
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # the default of five takes its seconds
    process = start_server(tmp_path, port := free_port())
    monkeypatch.setenv("AWS_ENDPOINT_URL", environment_of(port)["AWS_ENDPOINT_URL"])

    def lose_the_server(*_):
        process.kill()
        process.wait()

    monkeypatch.setattr(pipeline, "follow", lose_the_server)
    how, wanted = Preprocessing(load_recipe("timedist-blstm")), manifest_of(demo / "corpus")[:1]
    with pytest.raises(StorageError, match=r"s3://out/.*check AWS_ENDPOINT_URL"):
        preprocess(wanted, how, "s3://out", quiet)


def test_audio_only_corpora_are_complete_as_they_are(corpora, tmp_path):
    """RAVDESS and SAVEE as sound files: nothing is missing, nothing is decoded twice."""
    arguments = (
        "--corpus", f"ravdess={corpora / 'corpora/ravdess/Audio_Speech_Actors_01-24/Actor_05'}",
        "--corpus", f"savee={corpora / 'corpora/savee'}",
        "--limit", "90", "--out", tmp_path / "out",
    )  # fmt: skip
    assert run_here("preprocess", *arguments).returncode == 0
    rows = features(tmp_path / "out")
    assert len(rows) == 90
    assert {row["status"] for row in rows} == {"ok"}
    assert [row["corpus"] for row in rows].count("ravdess") == 60
    assert all(row["faces"] is None and row["audio_frames"] > 10 for row in rows)
    again = run_here("preprocess", *arguments)
    assert "0 of 90 clips decoded" in again.stdout


def test_numpy_is_not_needed_to_ask_for_help():
    """The heavy libraries are imported after the command line was understood."""
    check = (
        "import sys; import jobs.preprocess; print('torch' in sys.modules, 'ray' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], env=environment(), capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "False"], done.stderr
