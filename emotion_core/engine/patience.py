"""Waiting for work that may never come: what a job waits for, and how long.

Ray Data waits without a word: for a node that no cloud gives, for a worker that dies at its start
again and again, for an input that takes hours. Its own guard would end the job after a time without
a finished part, with an account of itself; so it is off (``cluster``), and this one stands in.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import ray
from ray._private.state import state

from emotion_core import cli
from emotion_core.engine.attempts import notes_of
from emotion_core.engine.cluster import nodes_now
from emotion_core.engine.needs import Needs
from emotion_core.engine.reach import Node, count_cpus, count_gpus, room
from emotion_core.errors import StorageError, UsageError
from emotion_core.report.progress import duration

Item = TypeVar("Item")

_LOOK_S = 10.0


@dataclass(frozen=True)
class Patience:
    """How long a job goes on without an input that is finished.

    Attributes:
        say_s: seconds after which it says what it waits for, and says it again.
        most_s: seconds after which it ends; None: never.
    """

    say_s: float = 300.0
    most_s: float | None = None

    def check(self) -> None:
        """Raises ``UsageError`` for a time that makes no sense."""
        if self.most_s is not None and not self.most_s > 0:
            raise UsageError(f"--stall-timeout {self.most_s:g}: give more than 0 seconds")


# Actors that do a run's work: ``adapter.Steps`` within Ray Data's, and ``served.Server``.
_KINDS = ("Steps", "Server")


@dataclass(frozen=True)
class Standing:
    """How a run stands.

    Attributes:
        left: inputs that are in no part yet.
        done: inputs that workers have handed on, to each other or to be written.
        in_work: URIs of those in work.
        running, waiting: workers, and servers that they ask, that run, and that wait for their
            place on a node.
        deaths: how often workers died.
        needs: what a worker of each kind takes.
        nodes: those that are alive.
    """

    left: int
    done: int
    in_work: tuple[str, ...]
    running: int
    waiting: int
    deaths: int
    needs: tuple[Needs, ...]
    nodes: tuple[Node, ...]

    @property
    def words(self) -> str:
        """What it waits for, for people."""
        such = f" ({self.in_work[0]})" if self.in_work else ""
        told = [
            f"{self.left} inputs to do, {len(self.in_work)} of them in work{such}",
            f"{self.running} of {self.running + self.waiting} workers run",
        ]
        if self.deaths:
            told.append(f"workers died {self.deaths} times")
        if self.waiting and (
            homeless := [needs for needs in self.needs if not room(self.nodes, needs)]
        ):
            told.append(f"waiting for a node with {_asked(homeless[0])}")
        there = f"{count_cpus(self.nodes)} CPUs and {count_gpus(self.nodes)} GPUs"
        return "; ".join([*told, f"the cluster has {there}"])


class Watch:
    """Speaks up when no input is finished for long, and ends the job where that was asked for.

    Args:
        patience: how long.
        look: says how the run stands.
        say: takes a line for the user.
        clock: seconds that pass.
    """

    def __init__(
        self,
        patience: Patience,
        look: Callable[[], Standing],
        say: Callable[[str], object] = cli.say,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._patience, self._look, self._say, self._clock = patience, look, say, clock
        self._stood = look()
        self._since = self._said = clock()

    @property
    def look_s(self) -> float:
        """Seconds from one look to the next."""
        shortest = min(self._patience.say_s, self._patience.most_s or self._patience.say_s)
        return min(_LOOK_S, shortest / 4)

    def __call__(self) -> None:
        """A look at the run.

        Raises:
            StorageError: it has stood still for too long.
        """
        standing, now = self._look(), self._clock()
        if (standing.left, standing.done) != (self._stood.left, self._stood.done):
            self._stood, self._since, self._said = standing, now, now
        still_s, most_s = now - self._since, self._patience.most_s
        if most_s is not None and still_s >= most_s:
            raise StorageError(f"no input finished for {duration(still_s)}: {standing.words}")
        if now - self._said >= self._patience.say_s:
            self._said = now
            self._say(f"no input finished for {duration(still_s)}: {standing.words}")


def standing(run: str, left: int, needs: Sequence[Needs]) -> Standing:
    """How a run stands, asked of Ray.

    Args:
        run: its name (see ``attempts``).
        left: inputs that are in no part yet.
        needs: what a worker of each group takes, and what servers do that they ask.
    """
    notes = notes_of(run)
    mine = ray.get_runtime_context().get_job_id()
    workers = [
        actor
        for actor in state.actor_table(None, ray.JobID.from_hex(mine)).values()
        if any(kind in actor["ActorClassName"] for kind in _KINDS) and actor["State"] != "DEAD"
    ]
    running = [actor for actor in workers if actor["State"] == "ALIVE"]
    return Standing(
        left,
        sum(note.done for note in notes.values()),
        tuple(uri for note in notes.values() for uri in note.in_work.values()),
        len(running),
        len(workers) - len(running),
        sum(actor["NumRestarts"] for actor in workers),
        tuple(needs),
        nodes_now(),
    )


def awaited(items: Iterable[Item], look: Callable[[], object], every_s: float) -> Iterator[Item]:
    """``items`` as they come, with a call of ``look`` whenever none came for ``every_s`` seconds.

    They are asked for in a thread, because the wait for the next cannot be broken off. What
    ``look`` raises ends the waiting; the thread ends with the item that it waits for, or with the
    process.
    """
    found: queue.SimpleQueue[Item | None | BaseException] = queue.SimpleQueue()
    enough = threading.Event()

    def ask() -> None:
        try:
            for item in items:
                found.put(item)
                if enough.is_set():
                    return
            found.put(None)
        except BaseException as error:  # it is the caller's
            found.put(error)

    threading.Thread(target=ask, name="awaited", daemon=True).start()
    try:
        while True:
            try:
                item = found.get(timeout=every_s)
            except queue.Empty:
                look()
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            yield item
    finally:
        enough.set()


def _asked(needs: Needs) -> str:
    words = [f"{needs.cpus:g} CPU"]
    if needs.gpus:
        words.append(f"{needs.gpus:g} GPU")
    return " and ".join(words)
