"""A job that makes no progress says what it waits for, and ends where that was asked for."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from emotion_core import cli
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.engine.needs import Needs
from emotion_core.engine.patience import Patience, Standing, Watch, awaited
from emotion_core.engine.plan import Group
from emotion_core.engine.reach import Node
from emotion_core.engine.run import run_groups
from emotion_core.errors import StorageError, UsageError
from tests.support.jobs import run_job
from tests.support.waiting_step import Waiting

STUCK = Standing(12, 30, ("s3://in/a.mp4", "s3://in/b.mp4"), 2, 1, 0, (Needs(1),), (Node(4),))


# --- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "words"),
    [
        (
            STUCK,
            "12 inputs to do, 2 of them in work (s3://in/a.mp4); 2 of 3 workers run; "
            "the cluster has 4 CPUs and 0 GPUs",
        ),
        (
            Standing(5, 0, (), 1, 1, 7, (Needs(1), Needs(0.5, 0.25)), (Node(2), Node(2))),
            "5 inputs to do, 0 of them in work; 1 of 2 workers run; workers died 7 times; "
            "waiting for a node with 0.5 CPU and 0.25 GPU; the cluster has 4 CPUs and 0 GPUs",
        ),
    ],
)
def test_the_words_say_what_there_is_and_what_is_waited_for(standing, words):
    assert standing.words == words


# --- when they are said --------------------------------------------------------------------------


class Run:
    """A run that stands as it is told to, at a time that is told."""

    def __init__(self, patience: Patience):
        self.standing, self.time, self.said = STUCK, 0.0, list[str]()
        self.watch = Watch(patience, lambda: self.standing, self.said.append, lambda: self.time)

    def at(self, time: float) -> int:
        """How often it has spoken up after a look at this time."""
        self.time = time
        self.watch()
        return len(self.said)


def test_it_speaks_up_now_and_then_while_nothing_is_finished():
    run = Run(Patience(say_s=300))
    assert [run.at(time) for time in (10, 299, 300, 599, 600, 899)] == [0, 0, 1, 1, 2, 2]
    assert run.said[1] == f"no input finished for 10 min: {STUCK.words}"


@pytest.mark.parametrize("change", [{"done": 31}, {"left": 11}], ids=["an input", "a part"])
def test_what_is_finished_begins_the_time_anew(change):
    run = Run(Patience(say_s=300, most_s=400))
    run.at(299)
    run.standing = Standing(**{**vars(STUCK), **change})
    assert [run.at(time) for time in (399, 400, 698, 699)] == [0, 0, 0, 1]
    assert run.said[0].startswith("no input finished for 5 min")


def test_it_ends_after_the_time_that_was_given():
    run = Run(Patience(say_s=300, most_s=120))
    run.at(119)
    with pytest.raises(
        StorageError, match=f"no input finished for 2 min: {re.escape(STUCK.words)}"
    ):
        run.at(120)


def test_no_time_at_all_is_wrong_usage():
    with pytest.raises(UsageError, match="--stall-timeout 0"):
        Patience(most_s=0).check()


# --- waiting -------------------------------------------------------------------------------------


def test_items_come_as_they_are_and_errors_too():
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise KeyError("3")

    found = awaited(items(), lambda: None, 60)
    assert [next(found), next(found)] == [1, 2]
    with pytest.raises(KeyError, match="3"):
        next(found)
    assert list(awaited(iter(()), lambda: None, 60)) == []


def groups(folder: Path) -> list[Group]:
    return [Group((partial(Waiting, folder / "go"),), Needs(cpus=0.3), 1, 1)]


def run(folder: Path, patience: Patience) -> int:
    """Three clips, each of which waits for the file ``go``; how many were done."""
    clips = manifest_table([Clip(f"clip-{number}", 1, "v") for number in range(3)])

    def write(works: list[ClipWork]) -> str:
        path = folder / f"{works[0].clip['uri']}.txt"
        path.touch()
        return str(path)

    return sum(p.rows for p in run_groups(clips, groups(folder), write, 1, 1, patience))


class Console:
    """Takes what would be printed, and does something then."""

    def __init__(self, then: Callable[[], object]):
        self.said, self.then = list[str](), then

    def print(self, words: str, **_: object) -> None:
        self.said.append(words)
        if "1 of them in work" in words:  # else the worker is not there yet
            self.then()


def test_a_run_that_stands_still_says_so_and_goes_on(
    ray_local: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console((tmp_path / "go").touch)
    monkeypatch.setattr(cli, "console", console)

    assert run(tmp_path, Patience(say_s=0.5)) == 3
    assert re.fullmatch(
        r"no input finished for [\d.]+ s: 3 inputs to do, 1 of them in work \(clip-\d\); "
        r"1 of 1 workers run; the cluster has 2 CPUs and 0 GPUs",
        next(line for line in console.said if "1 of them in work" in line),
    )


def test_a_run_that_stands_still_ends_when_it_may(ray_local: None, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no input finished for .*: 3 inputs to do"):
        run(tmp_path, Patience(most_s=1.0))
    (tmp_path / "go").touch()  # what is left of it ends


@pytest.mark.slow
def test_a_job_that_stands_still_ends_with_one_line_and_goes_on_when_repeated(
    demo: Path, tmp_path: Path
) -> None:
    """A second is less than a worker takes to start."""
    job = ("--corpus", f"ravdess={demo / 'corpus'}", "--out", tmp_path / "out")
    stopped = run_job("preprocess", *job, "--stall-timeout", 1)
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    # Ray's own complaint about its actors (ray-project/ray#53727) goes where nobody can stop it
    told = [line for line in stopped.stderr.splitlines() if "core_worker.cc" not in line]
    assert len(told) == 1, stopped.stderr
    assert told[0].startswith("error: no input finished for ")
    assert told[0].endswith("the same command goes on from there")

    done = run_job("preprocess", *job, "--stall-timeout", 600)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["ok"] == 6
