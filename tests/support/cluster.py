"""A real Ray cluster of two nodes on this machine, for tests of ``ray job submit``.

Both nodes are started with ``ray start --block``, as a cluster launcher would, with token
authentication on. Every process of the cluster carries a mark in its environment, so that stopping
it touches no other Ray cluster of the machine (``ray stop`` would end them all).
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

RAY = str(Path(sys.executable).with_name("ray"))
MARK = "EMOTION_CORE_TEST_CLUSTER"
STORE_BYTES = 200 * 1024 * 1024
START_SECONDS = 180
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class RayCluster:
    """A running cluster.

    Attributes:
        address: of the dashboard and the job server, ``http://127.0.0.1:PORT``.
        env: environment of a user who holds the token; ``RAY_ADDRESS`` names the cluster.
        folder: of the cluster's own files: token, logs, sessions.
    """

    address: str
    env: Mapping[str, str]
    folder: Path

    def submit(
        self,
        *command: str,
        working_dir: Path,
        env: Mapping[str, str] | None = None,
        job_env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """``ray job submit --working-dir DIR -- COMMAND``; waits for the job, output captured.

        ``env`` replaces ``self.env``; ``job_env`` is added to the environment of the job's own
        processes, on every node. The exit code is 0 when the job succeeded, 1 otherwise.
        """
        options = ["--working-dir", str(working_dir)]
        if job_env:
            options += ["--runtime-env-json", json.dumps({"env_vars": dict(job_env)})]
        return subprocess.run(
            [RAY, "job", "submit", *options, "--", *command],
            env=dict(self.env if env is None else env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def nodes(self) -> list[dict]:
        """The nodes that are alive, as Ray's state API describes them."""
        request = urllib.request.Request(
            f"{self.address}/api/v0/nodes",
            headers={"Authorization": f"Bearer {token_of(self.env)}"},
        )
        with urllib.request.urlopen(request, timeout=5) as reply:
            rows = json.load(reply)["data"]["result"]["result"]
        return [row for row in rows if row["state"] == "ALIVE"]


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """Two nodes of one CPU each, token authentication on; all tests submit to this one."""
    if not sys.platform.startswith("linux"):
        pytest.skip("Ray joins several nodes on one machine only on Linux")
    with two_nodes() as cluster:
        yield cluster


@contextmanager
def two_nodes() -> Iterator[RayCluster]:
    """Start the cluster, and on the way out end its processes and remove its files."""
    # Short: Ray puts sockets below it, and their paths may have 107 bytes only.
    folder = Path(tempfile.mkdtemp(prefix="ec-", dir="/tmp"))
    mark = uuid.uuid4().hex
    starters: list[subprocess.Popen] = []
    try:
        yield _start(folder, mark, starters)
    finally:
        stop_nodes(starters, mark)
        shutil.rmtree(folder, ignore_errors=True)


def stranger_env(home: Path) -> dict[str, str]:
    """The environment of somebody on the same machine who holds no token."""
    return {**bare_env(), "HOME": str(home)}


def token_of(env: Mapping[str, str]) -> str:
    """The token that ``env`` points at."""
    return Path(env["RAY_AUTH_TOKEN_PATH"]).read_text().strip()


def _start(folder: Path, mark: str, starters: list[subprocess.Popen]) -> RayCluster:
    gcs, dashboard, client = free_ports(3)
    env = {
        **bare_env(),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(make_token(folder)),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    cluster = RayCluster(
        address=f"http://127.0.0.1:{dashboard}",
        env={**env, "RAY_ADDRESS": f"http://127.0.0.1:{dashboard}"},
        folder=folder,
    )
    head = ["--head", f"--port={gcs}", f"--ray-client-server-port={client}"]
    head += ["--include-dashboard=true", f"--dashboard-port={dashboard}"]
    head += [f"--temp-dir={folder / 'ray'}"]
    worker = [f"--address=127.0.0.1:{gcs}", f"--temp-dir={folder / 'ray'}"]
    for count, (name, options) in enumerate((("head", head), ("worker", worker)), start=1):
        log = folder / f"{name}.log"
        starters.append(ray_start(options, {**env, MARK: mark}, log))
        _wait_for_nodes(cluster, count, starters[-1], log)
    return cluster


def bare_env() -> dict[str, str]:
    """This process's environment without what would lead to another cluster or another checkout."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("RAY_") and k != "PYTHONPATH"}
    # "python" of a submitted command is this environment's, as it is in a node's image
    return {**env, "PATH": str(Path(sys.executable).parent) + os.pathsep + env.get("PATH", "")}


def make_token(folder: Path) -> Path:
    """A token of this cluster only, made as a user makes one, but in ``folder`` as home."""
    subprocess.run(
        [RAY, "get-auth-token", "--generate"],
        env=stranger_env(folder),
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
    )
    return folder / ".ray" / "auth_token"


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def ray_start(
    options: list[str], env: Mapping[str, str], log: Path, cpus: int = 1
) -> subprocess.Popen:
    # Port 0: one that is free. The defaults would clash between two nodes of one machine.
    ports = ("min-worker-port", "max-worker-port", "dashboard-agent-listen-port")
    common = ["--node-ip-address=127.0.0.1", f"--num-cpus={cpus}"]
    common += [f"--object-store-memory={STORE_BYTES}"]
    common += [f"--{port}=0" for port in ports]
    with log.open("wb") as output:
        return subprocess.Popen(
            [RAY, "start", "--block", *options, *common],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for_nodes(cluster: RayCluster, count: int, process: subprocess.Popen, log: Path) -> None:
    """Ask until ``count`` nodes are alive; fail when ``process`` ends, or at the deadline."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if len(cluster.nodes()) >= count:
                return
        except (OSError, ValueError, KeyError):  # not listening yet, or not ready to answer
            pass
        time.sleep(POLL_SECONDS)
    state = "still running" if process.poll() is None else f"exit code {process.returncode}"
    raise RuntimeError(f"ray start ({state}) gave no node:\n{log.read_text()[-3000:]}")


def stop_nodes(starters: list[subprocess.Popen], mark: str) -> None:
    """Ask the nodes to end, last one first; then kill whatever still carries the mark."""
    for process in reversed(starters):
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    deadline = time.monotonic() + 30
    while (left := marked_processes(mark)) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(POLL_SECONDS)


def marked_processes(mark: str) -> list[int]:
    """Ids of the processes whose environment holds this cluster's mark."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return found
