"""``jobs/label.py`` from bucket to bucket, against a real S3 server that checks its keys."""

import json
import re
import shutil
import subprocess
from contextlib import nullcontext
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from emotion_core.engine.reach import Node, Reach
from emotion_core.errors import StorageError
from emotion_core.labelling import job
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.job import label
from emotion_core.storage.parts import parts as parts_of
from emotion_core.storage.parts import read_parts
from tests.labelling.test_tables import manifest, write
from tests.support.cluster import RayCluster
from tests.support.jobs import ROOT, command, environment, run_here, run_job
from tests.support.labelling import untrained
from tests.support.s3 import S3Server, environment_of, free_port, serve, start_server
from tests.support.small_recipes import small
from tests.support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("ray_local")

Row = dict[str, Any]

# What two places of the same files cannot share.
PLACES = ("clip_id", "version", "processing_s")
TWO_OF_EIGHT = ("--max-failed", 0.25)
ONCE = {"AWS_MAX_ATTEMPTS": "1"}  # the default of five takes its seconds


@pytest.fixture(scope="module")
def archive(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight files under names that are hard to carry, three of them the same in other folders."""
    folder = tmp_path_factory.mktemp("archive")
    clips = sorted((demo / "corpus").rglob("*.mp4"))
    takes = {
        f"{actor}/take #1, 100%.mp4": clips[i] for i, actor in enumerate(("a b", "a%20b", "ü"))
    }
    wild = ("voice memo.m4a", "cut short.mp4", "not a video.mp4", "phone/café 100 %.mp4",
            "phone/empty room.mp4")  # fmt: skip
    for name, source in {**takes, **{name: demo / "wild" / name for name in wild}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    (folder / "notes #1.txt").write_text("no media")
    return folder


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("ears"), ("audio",), small("audio-cnn1d"))


@pytest.fixture(scope="module")
def local(archive: Path, ears: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the job makes of the same files on a local disk."""
    out = tmp_path_factory.mktemp("local")
    done = run_here("label", "--videos", archive, "--model", ears, "--out", out, *TWO_OF_EIGHT)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def buckets(archive: Path, ears: Path, s3_server: S3Server) -> S3Server:
    """The archive and the model in buckets, and an empty one for results."""
    for bucket, folder in (("label-in", archive), ("label-models", ears), ("label-out", None)):
        s3_server.bucket(bucket)
        if folder:
            s3_server.upload(bucket, {f"x/{key}": path for key, path in files(folder).items()})
    return s3_server


def files(folder: Path) -> dict[str, Path]:
    return {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}


def told(out: Path, inputs: str) -> tuple[dict[str, Row], list[Row]]:
    """Both tables as if no place had a name: rows of videos by key, those of segments in order."""
    tables = [read_parts(str(out / name)) for name in ("videos", "segments")]
    videos, segments = (
        [{k: v for k, v in row.items() if k not in PLACES} for row in table.to_pylist()]
        for table in tables
        if table is not None
    )
    for row in (*videos, *segments):
        assert row["uri"].startswith(inputs)
        row["uri"] = row["uri"].removeprefix(inputs).lstrip("/")
    found = {row["uri"]: row for row in videos}
    assert len(found) == len(videos)
    return found, sorted(segments, key=lambda row: (row["uri"], row["start_s"]))


def counts(out: Path) -> dict[str, int]:
    return json.loads((out / "run.json").read_text())["counts"]


def test_from_buckets_to_a_bucket(archive, buckets, local, demo):
    job = ("--videos", "s3://label-in/x", "--model", "s3://label-models/x",
           "--out", "s3://label-out/of 2026/#1", *TWO_OF_EIGHT)  # fmt: skip
    out = buckets.folder / "label-out" / "of 2026" / "#1"
    done = run_job("label", *job, **buckets.env)
    assert done.returncode == 0, done.stderr
    assert "8 of 8 inputs to label" in done.stdout
    expected = told(local, str(archive))
    assert told(out, "s3://label-in/x/") == expected
    assert (len(expected[0]), len(expected[1])) == (8, 6)
    record = json.loads((out / "run.json").read_text())
    assert record["counts"] == counts(local)
    assert record["counts"]["inputs"] == 8 and record["counts"]["failed"] == 1
    assert record["extra"]["not_media"] == 1
    named = {*record["files"], "run.json", "settings.json"}
    assert named == {next((n for n in named if fnmatch(file, n)), file) for file in files(out)}

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    again = run_here("label", *job, **buckets.env)
    assert again.returncode == 0, again.stderr
    assert "0 of 8 inputs labelled" in again.stdout
    tables = [path for path in before if path.parent.name in ("videos", "segments")]
    assert {path.parent.name for path in tables} == {"videos", "segments"}
    assert all(path.stat().st_mtime_ns == before[path] for path in tables)

    changed, other = "a b/take #1, 100%.mp4", "a%20b/take #1, 100%.mp4"
    buckets.upload("label-in", {f"x/{changed}": archive / other})
    done = run_job("label", *job, **buckets.env)
    assert done.returncode == 0, done.stderr
    assert "1 of 8 inputs to label" in done.stdout
    videos, segments = expected
    videos = {**videos, changed: {**videos[other], "uri": changed}}
    copied = [{**row, "uri": changed} for row in segments if row["uri"] == other]
    assert copied != [row for row in segments if row["uri"] == changed]  # another sound
    segments = copied + [row for row in segments if row["uri"] != changed]
    segments.sort(key=lambda row: (row["uri"], row["start_s"]))
    assert told(out, "s3://label-in/x/") == (videos, segments)


@pytest.mark.slow
@pytest.mark.cluster
def test_a_submitted_job_from_buckets_to_a_bucket(ray_cluster: RayCluster, archive, buckets, local):
    assert len(ray_cluster.nodes()) == 2
    submitted = ray_cluster.submit(
        "python", "jobs/label.py", "--videos", "s3://label-in/x", "--model", "s3://label-models/x",
        "--out", "s3://label-out/labels", *map(str, TWO_OF_EIGHT),
        working_dir=ROOT,
        job_env=buckets.env,
        timeout=580,
    )  # fmt: skip
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    out = buckets.folder / "label-out" / "labels"
    assert told(out, "s3://label-in/x/") == told(local, str(archive))
    assert counts(out) == counts(local)


@pytest.mark.parametrize(
    ("videos", "out", "env", "words"),
    [
        (
            "s3://label-in/x", "s3://label-out/labels", {"AWS_SECRET_ACCESS_KEY": "wrong"},
            ("s3://label-in/x: access refused", "check AWS_ACCESS_KEY_ID"),
        ),
        (
            None, "s3://label-out/labels", {"AWS_ACCESS_KEY_ID": "wrong"},
            ("s3://label-out/labels: access refused", "check AWS_ACCESS_KEY_ID"),
        ),
        (
            "s3://label-nowhere/x", "s3://label-out/labels", {},
            ("s3://label-nowhere/x: no such bucket", "make it first"),
        ),
        (
            None, "s3://label-nowhere/labels", {},
            ("s3://label-nowhere/labels: no such bucket", "make it first"),
        ),
        (
            None, "s3://label-out/labels", {"AWS_ENDPOINT_URL": "a port that nobody listens on"},
            ("s3://label-out/labels: the server cannot be reached", "check AWS_ENDPOINT_URL"),
        ),
    ],
    ids=["keys for the input", "keys for the output", "input", "output", "server"],
)  # fmt: skip
def test_what_is_wrong_with_a_bucket_is_one_line(archive, ears, buckets, videos, out, env, words):
    if "AWS_ENDPOINT_URL" in env:
        env = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    job = ("--videos", videos or archive, "--model", ears, "--out", out)
    done = run_here("label", *job, **{**buckets.env, **ONCE, **env})
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not files(buckets.folder / "label-out")
    assert not (buckets.folder / "label-nowhere").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("secret", "way_out"),
    [(None, "check AWS_ENDPOINT_URL"), ("another", "access refused: check AWS_ACCESS_KEY_ID")],
    ids=["a server that dies", "keys that it does not take any more"],
)
def test_what_is_lost_midway_costs_one_line_and_nothing_else(
    archive, ears, local, tmp_path, secret, way_out
):
    folder = tmp_path / "buckets"
    shutil.copytree(archive, folder / "in")
    out = folder / "out" / "labels"
    out.parent.mkdir()
    options = ("--videos", "s3://in", "--model", ears, "--out", "s3://out/labels", *TWO_OF_EIGHT)
    stdout, stderr = (tmp_path / name for name in ("stdout", "stderr"))
    with serve(folder) as server, stdout.open("wb") as shown, stderr.open("wb") as complained:
        env = server.env if secret else {**server.env, **ONCE}
        running = subprocess.Popen(
            command("label", *options), env=environment(**env), stdin=subprocess.DEVNULL,
            stdout=shown, stderr=complained,
        )  # fmt: skip
        wait_for(lambda: parts(out) or running.poll() is not None, 900)
    port = int(server.endpoint.rpartition(":")[2])
    with serve(folder, port, secret) if secret else nullcontext():
        try:
            running.wait(timeout=600)
        finally:
            running.kill()
            running.wait()
    words = stderr.read_text() + stdout.read_text()
    assert running.returncode == 1, words
    (line,) = (line for line in stderr.read_text().splitlines() if "error: " in line)
    assert re.match(f"error: s3://(in|out)/.*{way_out}.*; .* goes on", line), line
    assert "Traceback" not in words
    assert not (out / "run.json").exists()
    done = {row["uri"]: row["processing_s"] for row in committed(out / "videos")}
    assert 0 < len(done) < 8
    assert "gone" not in [word for row in committed(out / "videos") for word in row["reasons"]]

    with serve(folder, port):
        again = run_job("label", *options, **env)
    assert again.returncode == 0, again.stderr
    assert f"{8 - len(done)} of 8 inputs to label" in again.stdout
    assert told(out, "s3://in/") == told(local, str(archive))
    assert counts(out) == counts(local)
    # what was committed before has still the rows that it had, to the microsecond
    now = {row["uri"]: row["processing_s"] for row in committed(out / "videos")}
    assert done.items() <= now.items()


def test_a_server_that_dies_while_the_tables_are_completed(ears, tmp_path, monkeypatch):
    (tmp_path / "buckets" / "out").mkdir(parents=True)
    process = start_server(tmp_path / "buckets", port := free_port())
    for name, value in {**environment_of(port), **ONCE}.items():
        monkeypatch.setenv(name, value)
    how, wanted = Labelling((str(ears),)), manifest(a="1", b="1")

    def done_and_lose_the_server(*_):
        write(how.tables("s3://out/labels"), wanted)
        process.kill()
        process.wait()

    monkeypatch.setattr(job, "follow", done_and_lose_the_server)
    monkeypatch.setattr(job, "connect", lambda: Reach((Node(1),), None))
    with pytest.raises(StorageError, match="s3://out/labels.*check AWS_ENDPOINT_URL"):
        label(wanted, how, "s3://out/labels", show=lambda pending: nullcontext())
    assert len(committed(tmp_path / "buckets" / "out" / "labels" / "videos")) == 2


def parts(out: Path) -> list[str]:
    return parts_of(str(out / "videos"))


def committed(folder: Path) -> list[Row]:
    table = read_parts(str(folder))
    assert table is not None
    return table.to_pylist()
