"""Trouble with an input is its row; trouble with the store, the disk or the keys ends the job."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import fsspec
import pytest
import s3fs

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork
from emotion_core.errors import ClipError, StorageError, UsageError
from emotion_core.storage.troubles import retrying
from tests.support.jobs import ROOT
from tests.support.s3 import AnyS3, environment_of

LISTED = (200, "<ListBucketResult></ListBucketResult>")
REFUSED = (403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")
BUSY = (503, "<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>")
FOUND = (200, "sound")


@dataclass
class Store:
    """A server that gives each kind of request the next of its answers, the last one for ever."""

    objects: list[tuple[int, str]]
    listing: list[tuple[int, str]] = field(default_factory=lambda: [LISTED])
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, str]:
        kind = "listing" if "list-type" in urlsplit(target).query else "objects"
        self.asked.append(kind)
        answers: list[tuple[int, str]] = getattr(self, kind)
        return answers.pop(0) if len(answers) > 1 else answers[0]


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # botocore's waits are not what is tested
    yield monkeypatch
    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def serving(store: Store, env: pytest.MonkeyPatch) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(self.begin().encode())

        def do_HEAD(self) -> None:
            self.begin()

        def begin(self) -> str:
            status, text = store.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            return text

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in environment_of(server.server_port).items():
        env.setenv(name, value)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def fetch(uri: str) -> bytes:
    with storage.local_copy(uri) as path:
        return path.read_bytes()


def test_an_object_that_is_gone_is_one_clips_trouble(any_s3: AnyS3) -> None:
    storage.write_bytes(f"{any_s3.root}/there", b"1")
    with pytest.raises(ClipError, match="gone.mp4: no such file") as raised:
        fetch(f"{any_s3.root}/gone.mp4")
    assert raised.value.stage == "fetch"
    assert fetch(f"{any_s3.root}/there") == b"1"


def test_a_bucket_that_is_gone_is_everybodys(any_s3: AnyS3) -> None:
    any_s3.server.client().delete_bucket(Bucket=any_s3.root.removeprefix("s3://"))
    with pytest.raises(StorageError, match="no such bucket"):
        fetch(f"{any_s3.root}/x")


def test_an_object_that_is_refused_is_one_clips_trouble_while_its_bucket_answers(env) -> None:
    with serving(store := Store([REFUSED]), env), pytest.raises(ClipError, match="access refused"):
        fetch("s3://clips/private.mp4")
    assert store.asked == ["objects", "listing"]


def test_one_that_is_refused_when_it_is_looked_up_is_one_too(env) -> None:
    with serving(Store([REFUSED]), env):
        ((info,),) = storage.look_up(["s3://clips/private.mp4"])
    assert (info.uri, info.version) == ("s3://clips/private.mp4", storage.UNREADABLE)
    s3fs.S3FileSystem.clear_instance_cache()
    with serving(Store([REFUSED], [REFUSED]), env), pytest.raises(UsageError, match="refused"):
        list(storage.look_up(["s3://clips/private.mp4"]))


def test_a_bucket_that_refuses_everything_is_everybodys(env) -> None:
    with serving(Store([REFUSED], [REFUSED]), env), pytest.raises(StorageError, match="refused"):
        fetch("s3://clips/x.mp4")


def test_a_store_that_stays_too_busy_is_everybodys_trouble(env) -> None:
    with serving(Store([BUSY]), env), pytest.raises(StorageError, match="reduce your rate"):
        fetch("s3://clips/x.mp4")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed"])
def test_keys_that_ran_out_are_everybodys_trouble(env, code: str) -> None:
    with (
        serving(Store([(403, REFUSED[1].replace("AccessDenied", code))]), env),
        pytest.raises(StorageError, match="s3://clips/x.mp4"),
    ):
        fetch("s3://clips/x.mp4")


def test_what_passes_is_tried_again_after_growing_waits(env) -> None:
    waits: list[float] = []
    env.setenv("AWS_MAX_ATTEMPTS", "4")
    answers = iter([ConnectionError("1"), TimeoutError("2"), b"sound"])

    def attempt() -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retrying(attempt, waits.append) == b"sound"
    assert 1 <= waits[0] <= 2 and 4 <= waits[1] <= 8 and len(waits) == 2


def test_a_store_that_comes_back_costs_nothing(env) -> None:
    # s3fs itself tries five times
    with serving(Store([BUSY] * 3 + [FOUND]), env):
        assert fetch("s3://clips/x.mp4") == b"sound"


def test_what_does_not_pass_is_tried_once(env) -> None:
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise FileNotFoundError("gone")

    env.setenv("AWS_MAX_ATTEMPTS", "4")
    with pytest.raises(FileNotFoundError):
        retrying(attempt, lambda seconds: pytest.fail("it waited"))
    assert len(tries) == 1


def test_a_full_disk_is_not_the_clips_fault() -> None:
    """The kernel's limit on what this process may write stands for the end of the disk."""
    script = (
        "import resource, fsspec\n"
        "from emotion_core import storage\n"
        "fsspec.filesystem('memory').pipe('/box/x.mp4', bytes(10_000))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))\n"
        "try:\n"
        "    with storage.local_copy('memory://box/x.mp4'): pass\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("StorageError memory://box/x.mp4: no room for its copy in /"), (
        done.stdout + done.stderr
    )
    assert "TMPDIR" in done.stdout


def test_no_folder_for_copies_is_not_the_clips_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.filesystem("memory").pipe("/box/y.mp4", b"1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(StorageError, match="no folder for copies"):
        fetch("memory://box/y.mp4")


@pytest.mark.parametrize("answer", [BUSY, REFUSED], ids=["busy", "refused"])
def test_an_archive_out_of_reach_is_everybodys_trouble(env, answer: tuple[int, str]) -> None:
    """It is asked about itself first (HEAD), where an error has no words."""
    store = Store([answer], [REFUSED])
    with serving(store, env), pytest.raises(StorageError, match="^s3://x/clips.zip: "):
        fetch("zip://a.mp4::s3://x/clips.zip")


def test_a_file_that_was_deleted_after_it_was_listed_is_a_row(any_s3: AnyS3) -> None:
    storage.write_bytes(f"{any_s3.root}/x.mp4", b"1")
    (info,) = storage.list_files(any_s3.root)
    (row,) = manifest_table([Clip(info.uri, info.size, info.version)]).to_pylist()
    storage.remove(info.uri)

    def step(work: ClipWork) -> ClipWork:
        fetch(work.clip["uri"])
        return work

    (done,) = each([ClipWork(row)], "decode", step)
    assert (done.outcome.status, done.outcome.stage) == ("failed", "fetch")
    assert done.outcome.reasons == ("gone",)


def test_a_step_does_not_take_the_stores_trouble_for_its_clips() -> None:
    (row,) = manifest_table([Clip("/a", 1, "v")]).to_pylist()

    def step(work: ClipWork) -> ClipWork:
        raise StorageError("the store is gone")

    with pytest.raises(StorageError, match="the store is gone"):
        each([ClipWork(row)], "decode", step)
