"""What a file may take before it is decoded: bytes, time, room, and the content that was listed."""

import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emotion_core import storage
from emotion_core.errors import ClipError, StorageError
from emotion_core.storage import fetching, temporary
from tests.support.s3 import S3Server


def refused(uri: str, told: str, **listed: object) -> None:
    with pytest.raises(ClipError, match=told) as raised, storage.local_copy(uri, None, **listed):
        pass
    assert raised.value.stage == "fetch" and "\n" not in str(raised.value)


# --- content that changed after it was listed ----------------------------------------------------


def test_a_file_that_changed_is_not_taken_for_what_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    (info,) = storage.list_files(str(path))
    with storage.local_copy(info.uri, None, info.size, info.version) as same:
        assert same == path
    path.write_bytes(b"newer")
    os.utime(path, ns=(5, 5))
    refused(info.uri, "gone: .*a.mp4: not what it was when it was listed: repeat", **listed(info))


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    (info,) = storage.list_files(str(path))
    with (
        pytest.raises(ClipError, match="not what it was"),
        storage.local_copy(info.uri, None, info.size, info.version),
    ):
        os.utime(path, ns=(5, 5))


def test_a_member_of_an_archive_that_changed(tmp_path: Path) -> None:
    uri = tmp_path / "z.zip"
    with zipfile.ZipFile(uri, "w") as packed:
        packed.writestr("a.mp4", b"old")
    os.utime(uri, ns=(5, 5))
    (info,) = storage.list_files(str(uri))
    with storage.local_copy(info.uri, None, info.size, info.version) as path:
        assert path.read_bytes() == b"old"
    with zipfile.ZipFile(uri, "w") as packed:
        packed.writestr("a.mp4", b"new")
    os.utime(uri, ns=(6, 6))
    refused(info.uri, "not what it was", **listed(info))


def test_an_object_that_changed(s3_env: S3Server) -> None:
    s3_env.bucket("videos")
    s3_env.upload("videos", {"a.mp4": b"old"})
    (info,) = storage.list_files("s3://videos")
    with storage.local_copy(info.uri, None, info.size, info.version) as path:
        assert path.read_bytes() == b"old"
    s3_env.upload("videos", {"a.mp4": b"new"})
    refused(info.uri, "not what it was", **listed(info))
    s3_env.upload("videos", {"a.mp4": b"much longer"})
    refused(info.uri, "11 bytes came of 3 that were listed", **listed(info))


def listed(info: storage.FileInfo) -> dict[str, object]:
    return {"size": info.size, "version": info.version}


# --- what is no file -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pipe.mp4", "unreadable: .*pipe.mp4: a pipe or a device, not a file"),
        ("/dev/zero", "unreadable: /dev/zero: a pipe or a device"),
        ("folder", "unreadable: .*folder: a folder, not a file"),
        ("loop.mp4", "unreadable: .*loop.mp4: too many levels of symbolic links"),
        ("x" * 300 + ".mp4", "unreadable: .*: file name too long"),
        ("nul\0.mp4", "unreadable: .*embedded null"),
        ("none.mp4", "gone: .*none.mp4: no such file or folder"),
    ],
)
def test_what_is_no_file_is_one_clips_trouble(tmp_path: Path, name: str, told: str) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    refused(os.path.join(tmp_path, name), told)


# --- archives ------------------------------------------------------------------------------------


def test_every_member_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    names = (
        "./dot.mp4",
        "../up.mp4",
        "/abs.mp4",
        "//two.mp4",
        "a/../b.mp4",
        "x\\..\\y.mp4",
        "d.mp4",
    )
    uri = str(tmp_path / "z.zip")
    with zipfile.ZipFile(uri, "w") as packed, pytest.warns(UserWarning, match="Duplicate"):
        for name in (*names, "d.mp4", "d.mp4"):
            packed.writestr(name, f"{name} {len(packed.filelist)}")
    found = storage.list_files(uri)
    assert len(found) == len(names) + 2
    contents = set()
    for info in found:
        with storage.local_copy(info.uri, None, info.size, info.version) as path:
            assert path.name == "clip.mp4" and path.parent.parent == Path(fetching_root())
            contents.add(path.read_text())
    assert contents == {*(f"{n} {i}" for i, n in enumerate(names)), "d.mp4 7", "d.mp4 8"}
    assert storage.read_bytes(f"zip://d.mp4::{uri}") == b"d.mp4 8"  # as every tool unpacks it


def fetching_root() -> str:
    with temporary.temporary_folder() as folder:
        return os.path.dirname(folder)


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "_BOMB_BYTES", 1 << 20)
    uri = str(tmp_path / "z.zip")
    with zipfile.ZipFile(uri, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb.mp4", bytes(8 << 20))
        packed.writestr("fine.mp4", os.urandom(2 << 20))
    refused(f"zip://bomb.mp4::{uri}", "unreadable: .*8,388,608 bytes packed into")
    with storage.local_copy(f"zip://fine.mp4::{uri}") as path:
        assert path.stat().st_size == 2 << 20


def test_a_damaged_member_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.mp4", b"A" * 100)
    path.write_bytes(path.read_bytes().replace(b"A" * 100, b"A" * 99 + b"B"))
    refused(f"zip://a.mp4::{path}", "unreadable: .*a.mp4.*: .*not a ZIP file, or a damaged one")


# --- how much and how long -----------------------------------------------------------------------


@contextmanager
def serving(body: Callable[[], Iterable[bytes]], length: int | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            if length is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            try:
                for chunk in body():
                    self.wfile.write(chunk)
            except OSError:
                pass  # who reads has had enough

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip.mp4"
    finally:
        server.shutdown()
        server.server_close()


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(1 << 16)


def test_an_endless_stream_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_UNSTATED", 4 << 20)
    with serving(endless) as uri:
        refused(uri, "unreadable: .*more than 4,194,304 bytes, and no end")


def test_a_body_that_ends_early_is_not_the_file() -> None:
    with serving(lambda: [b"12345"]) as uri:
        refused(uri, "gone: .*5 bytes came of 10 that were listed", size=10)


def test_what_comes_too_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PATIENCE_S", 0.0)
    monkeypatch.setattr(fetching, "LEAST_RATE", 10**12)
    with serving(endless) as uri:
        refused(uri, "timeout: .*bytes in")


def test_no_room_is_not_the_clips_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_RESERVE", 1 << 60)
    with (
        serving(lambda: [b"1"], 1) as uri,
        pytest.raises(StorageError, match="no room for a copy of .*clip.mp4.*TMPDIR"),
        storage.local_copy(uri),
    ):
        pass


# --- temporary copies ----------------------------------------------------------------------------

HOLD = """
import sys, time
from emotion_core.storage.temporary import temporary_folder
with temporary_folder() as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_copies_do_not_outlive_a_kill_for_long(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD]
    env = {**os.environ, "TMPDIR": str(tmp_path)}

    def start() -> tuple[subprocess.Popen[str], Path]:
        held = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert held.stdout is not None
        return held, Path(held.stdout.readline().strip())

    killed, left = start()
    (left / "clip.mp4").write_bytes(b"gigabytes")
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert left.is_dir()  # SIGKILL: nobody could
    living, kept = start()
    assert not left.exists() and kept.is_dir()
    another, _ = start()
    assert kept.is_dir()  # somebody holds it
    foreign = tmp_path / "emotion-core-young"  # its maker may be about to lock it
    foreign.mkdir()
    another.communicate()
    third, _ = start()
    assert foreign.is_dir()
    os.utime(foreign, (time.time() - 7200, time.time() - 7200))
    fourth, _ = start()
    assert not foreign.exists()
    for process in (living, third, fourth):
        process.communicate()
    assert not list(tmp_path.iterdir())
