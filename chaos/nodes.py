"""A Ray cluster of three nodes on this machine, whose processes are there to be killed."""

import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.processes import words_of
from tests.support.cluster import (
    MARK,
    START_SECONDS,
    bare_env,
    free_ports,
    make_token,
    ray_start,
    stop_nodes,
)
from tests.support.jobs import ROOT
from tests.support.waiting import wait_for

NODES = 3
_TRIES = 5


@dataclass
class Nodes:
    """A head and two more nodes, of one CPU each, with a token.

    Attributes:
        folder: of the cluster's own files.
        env: of somebody who holds the token, with ``RAY_ADDRESS``.
        mark: in the environment of all its processes.
        starters: what started each node, the head first.
    """

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    mark: str = ""
    starters: list[subprocess.Popen] = field(default_factory=list)
    _count: int = 0

    def start(self) -> None:
        """All three, at a port that is free now."""
        if not (self.folder / ".ray" / "auth_token").exists():
            make_token(self.folder)
        (port, client), self.mark = free_ports(2), uuid.uuid4().hex
        self.env = {
            **bare_env(),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.folder / ".ray" / "auth_token"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "120",
            # how long everybody waits for a head that is gone; Ray: a minute
            "RAY_gcs_rpc_server_reconnect_timeout_s": "15",
            "RAY_ADDRESS": f"127.0.0.1:{port}",
        }
        head = ["--head", f"--port={port}", f"--ray-client-server-port={client}"]
        self._begin([*head, "--include-dashboard=false"])
        while len(self.starters) < NODES:
            self._begin([f"--address=127.0.0.1:{port}"])

    def _begin(self, options: list[str]) -> None:
        """One more node. On a busy machine Ray may give up on it: then another try is made."""
        options = [*options, f"--temp-dir={self.folder / 'ray'}"]
        if not any(self._started(options) for _ in range(_TRIES)):
            raise RuntimeError(f"no node started in {_TRIES} tries, see {self.folder}/node-*.log")

    def _started(self, options: list[str]) -> bool:
        self._count += 1
        log = self.folder / f"node-{self._count}.log"
        started = ray_start(options, {**self.env, MARK: self.mark}, log)
        self.starters.append(started)
        wait_for(lambda: _is_up(log) or started.poll() is not None, 3 * START_SECONDS)
        if started.poll() is not None:
            self.starters.remove(started)
            return False
        return True

    def stop(self) -> None:
        """Every process of it, dead or alive."""
        stop_nodes(self.starters, self.mark)
        self.starters = []

    def heal(self) -> None:
        """As it was at first: nodes that are gone come again; without its head all of it."""
        if not self.starters or self.starters[0].poll() is not None:
            self.stop()
            self.start()
        alive = [starter for starter in self.starters if starter.poll() is None]
        lost = [starter for starter in self.starters if starter not in alive]
        for starter in lost:
            starter.wait()
        self.starters = alive
        while len(self.starters) < NODES:
            self._begin([f"--address={self.env['RAY_ADDRESS']}"])

    def head(self) -> list[int]:
        """What the cluster cannot be without: the process that knows all the others."""
        return [pid for pid in children(self.starters[0].pid) if "gcs_server" in title(pid)]

    def raylets(self) -> list[int]:
        """The processes that are the nodes beside the head."""
        starters = [starter.pid for starter in self.starters[1:]]
        return [pid for start in starters for pid in children(start) if "raylet" in title(pid)]

    def workers(self) -> list[int]:
        """Ray's own Python processes: actors, and those that wait for a task."""
        found = [(pid, title(pid)) for pid in _below(self.starters)]
        return [pid for pid, name in found if name.startswith("ray::") and "Agent" not in name]

    def actors(self, named: tuple[str, ...]) -> list[int]:
        """Those of them whose title says one of these."""
        return [pid for pid in self.workers() if any(name in title(pid) for name in named)]


def _is_up(log: Path) -> bool:
    return "Ray runtime started" in log.read_text()


def _below(starters: list[subprocess.Popen]) -> Iterator[int]:
    for starter in starters:
        for pid in children(starter.pid):
            yield from children(pid)


@contextmanager
def three_nodes() -> Iterator[Nodes]:
    """The cluster, which ends with the block."""
    # Short: Ray puts sockets below it, and their paths may have 107 bytes only.
    nodes = Nodes(Path(tempfile.mkdtemp(prefix="ec-", dir="/tmp")))
    try:
        nodes.start()
        yield nodes
    finally:
        nodes.stop()
        shutil.rmtree(nodes.folder, ignore_errors=True)


def children(parent: int) -> list[int]:
    """Processes that this one started and that are there."""
    with suppress(psutil.Error):
        return [each.pid for each in psutil.Process(parent).children()]
    return []


def title(pid: int) -> str:
    """What a process calls itself; nothing when it is gone."""
    with suppress(psutil.Error):
        return " ".join(words_of(psutil.Process(pid)))
    return ""


def kill(pid: int) -> bool:
    """SIGKILL; False when it was gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
