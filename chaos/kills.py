"""SIGKILL of what a job runs on, at random moments: its output is the undisturbed run's.

A trial is one ``--out`` and some kills, one after the other, on a cluster of three nodes. Who has
lost a driver, or the whole cluster with its head, gives the command again.
"""

import subprocess
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from chaos.counted import Count
from chaos.kill_jobs import Job, Row, damage_newest_checkpoint, made
from chaos.nodes import Nodes, kill, three_nodes
from chaos.trials import Faults, Run, Trial
from tests.support.cluster import MARK
from tests.support.waiting import wait_for

JOBS = ("label", "preprocess", "train")
# Of an actor, a worker and a node one at most in the life of a driver: what was in work at two
# deaths of its worker is held to blame for them (engine/attempts.py), and would get its row.
PATTERNS = (
    ("actor", "driver", "raylet"),
    ("worker", "driver", "actor"),
    ("raylet", "driver", "worker"),
    ("driver", "head"),
    ("actor", "driver", "driver", "worker"),
)
WORDS = {
    "actor": "actor",
    "worker": "worker process",
    "raylet": "node",
    "driver": "driver",
    "head": "head",
    "checkpoint": "newest checkpoint damaged as well",
}
_ENDED = "ended by itself, and the command again"
_MOST_ENDS = 3
_LONG_S = 900.0
# a driver that has lost its head: Ray's own limit, which nodes.py makes shorter, and some more
_ENDS_S = 240.0


def names(count: int, seed: int) -> Sequence[str]:
    """``1:4:train:driver,head``: trial 4 of seed 1; all together kill ``count`` times."""
    found, left, number = [], count, 0
    while left > 0:
        victims = PATTERNS[number % len(PATTERNS)][:left]  # 3 and 5: every pair comes
        found.append(f"{seed}:{number}:{JOBS[number % len(JOBS)]}:{','.join(victims)}")
        left, number = left - len(victims), number + 1
    return found


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbed.

    Attributes:
        rows: what it left.
        start_s: until it had done something.
        step_s: for each step of its progress from there on.
    """

    rows: list[Row]
    start_s: float
    step_s: float


@dataclass
class Killing:
    """One ``--out`` while its job is killed.

    Attributes:
        calm: a run of the same job that nobody disturbed.
        done: what was killed or damaged.
        ended: how often the job ended by itself, though its driver was not killed.
    """

    job: Job
    nodes: Nodes
    out: Path
    rng: np.random.Generator
    calm: Undisturbed | None = None
    done: list[str] = field(default_factory=list)
    ended: int = 0

    @contextmanager
    def driver(self) -> Iterator[subprocess.Popen]:
        """The job as a program; what it told is in ``log``."""
        env = {**self.nodes.env, MARK: self.nodes.mark}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                self.job.command(self.out), env=env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> Path:
        return self.out.with_suffix(".log")

    def through(self, victims: Sequence[str]) -> int:
        """Kill these in order, and then let it end; gives its last exit code."""
        waiting = list(enumerate(victims))
        while True:
            with self.driver() as process:
                while waiting:
                    number, victim = waiting.pop(0)
                    if not self._waited(process, (number + self.rng.random()) / len(victims)):
                        break
                    if not self._kill(victim, process):
                        continue
                    self.done.append(victim)
                    if victim in ("driver", "head"):
                        break
                else:
                    code = process.wait(_LONG_S)
                    if not code or self.ended == _MOST_ENDS:
                        return code
                    self.ended += 1
                    continue
                if not self._restored(process):
                    return int(process.returncode)
            if self.job.name == "train" and damage_newest_checkpoint(self.out, self.rng):
                self.done.append("checkpoint")

    def _restored(self, process: subprocess.Popen) -> bool:
        """After a driver or head went: whether there is something to go on with."""
        if self.done and self.done[-1] == "head":
            process.wait(_ENDS_S)
            self.nodes.heal()
            return True
        code = process.wait(_LONG_S)
        self.ended += bool(code) and "driver" not in self.done[-1:]
        return bool(code)

    def _waited(self, process: subprocess.Popen, share: float) -> bool:
        """Until so much of the work is done, and a moment; False when the job ended before."""
        assert self.calm is not None
        wanted = int(share * self.job.steps)
        longest_s = self.calm.start_s if wanted == 0 else 2 * self.calm.step_s
        wait_for(
            lambda: process.poll() is not None or self.job.progress(self.out) >= wanted, _LONG_S
        )
        try:
            process.wait(self.rng.uniform(0, longest_s))
        except subprocess.TimeoutExpired:
            return True
        return False

    def _kill(self, victim: str, process: subprocess.Popen) -> bool:
        """False when there is nobody of that kind (any more)."""
        there = {
            "actor": lambda: self.nodes.actors(self.job.actors),
            "worker": self.nodes.workers,
            "raylet": self.nodes.raylets,
            "head": self.nodes.head,
            "driver": lambda: [process.pid],
        }[victim]()
        return bool(there) and kill(int(self.rng.choice(there)))


def undisturbed(job: Job, nodes: Nodes, out: Path) -> Undisturbed:
    """Run it once."""
    killing = Killing(job, nodes, out, np.random.default_rng(0))
    start = time.monotonic()
    with killing.driver() as process:
        wait_for(lambda: process.poll() is not None or job.progress(out) > 0, _LONG_S)
        begun = time.monotonic()
        code = process.wait(_LONG_S)
    assert code == 0, killing.log.read_text()[-3000:]
    ended = time.monotonic()
    return Undisturbed(job.rows(out), begun - start, (ended - begun) / job.steps)


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """The cluster, and the inputs and models of the jobs."""
    jobs = made(folder)
    calm: dict[str, Undisturbed] = {}
    with three_nodes() as nodes:

        def run(name: str) -> Trial:
            seed, number, which, victims = name.split(":")
            job, out = jobs[which], folder / f"out-{uuid.uuid4().hex[:8]}"
            nodes.heal()
            if which not in calm:
                calm[which] = undisturbed(job, nodes, folder / f"calm-{which}")
            rng = np.random.default_rng([int(seed), int(number)])
            killing = Killing(job, nodes, out, rng, calm[which])
            code = killing.through(victims.split(","))
            return _judged(name, killing, code)

        yield run


def _judged(name: str, killing: Killing, code: int) -> Trial:
    count, job, told = Count(), killing.job, killing.log.read_text()
    count.expect(code == 0, f"exit code {code}: {told[-1500:]}")
    if code == 0:
        assert killing.calm is not None
        found = job.rows(killing.out)
        count.all(found, job.inputs)
        count.expect(found == killing.calm.rows, "another output than the undisturbed run's")
    else:
        count.rows = len(job.inputs)
    count.expect("Traceback" not in told, f"a traceback: {told[-1500:]}")
    parts = Counter(WORDS[victim] for victim in killing.done)
    parts[_ENDED] += killing.ended
    parts = +parts  # without what never was
    kills = sum(victim != "checkpoint" for victim in killing.done)
    return count.trial("kills", name, f"SIGKILL under `{job.name}`, three nodes", kills, parts)


HAPPENS = (
    "the job goes on by itself, or the same command goes on; the output is the undisturbed run's"
)
KILLS = Faults(HAPPENS, 120, names, ready)
