"""Servers that many workers ask: what is merged, what a death costs, what cannot be made."""

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import ray

from emotion_core.engine.served import Servers, servers
from emotion_core.errors import ClipError, StorageError, UsageError

# Tests that wait for a real Ray wait this long at most.
pytestmark = pytest.mark.timeout(300)


class Adds:
    """Adds one. A question may kill it."""

    def __init__(self, folder: Path, deaths: int = 99):
        self.folder, self.deaths = folder, deaths

    def about(self) -> str:
        return "adds"

    async def answer(self, what: str, load: Any) -> Any:
        if what == "die":
            lives = self.folder / "lives"
            with lives.open("a") as file:
                file.write(".")
            if len(lives.read_text()) <= self.deaths:
                os._exit(1)
        if what == "wait":  # until so many wait together
            place = self.folder / f"{load}-{os.getpid()}"
            place.touch()
            while len(list(self.folder.glob("*-*"))) < 3:
                await asyncio.sleep(0.01)
            return os.getpid()
        if what == "who":
            return os.getpid()
        if what == "bad":
            raise ValueError("no such thing")
        return load + 1


@ray.remote(num_cpus=0.01)
def asks(running: Servers, what: str, load: Any) -> Any:
    try:
        return running.caller().ask(what, load)
    except ClipError as error:
        return str(error)


def test_workers_are_answered_at_the_same_time(ray_local: None, tmp_path: Path) -> None:
    with servers(partial(Adds, tmp_path), 1) as running:
        assert ray.get(asks.remote(running, "add", 1)) == 2
        together = ray.get([asks.remote(running, "wait", number) for number in range(3)])
    assert len(set(together)) == 1, "one process"


def test_every_server_is_asked(ray_local: None, tmp_path: Path) -> None:
    with servers(partial(Adds, tmp_path), 3) as running:
        caller = running.caller()
        assert caller.about == "adds"
        asked = set()
        while len(asked) < 3:  # as they come up
            asked.add(caller.ask("who", 0))


def test_a_question_that_kills_its_server_fails_and_others_are_answered(
    ray_local: None, tmp_path: Path
) -> None:
    with servers(partial(Adds, tmp_path), 1) as running:
        deadly = asks.remote(running, "die", 0)
        others = [asks.remote(running, "add", number) for number in range(20)]
        assert ray.get(others) == list(range(1, 21))
        assert "crash" in ray.get(deadly)
    assert len((tmp_path / "lives").read_text()) == 2, "it is not tried a third time"


def test_a_question_that_kills_its_server_once_is_answered(ray_local: None, tmp_path: Path) -> None:
    with servers(partial(Adds, tmp_path, 1), 1) as running:
        assert ray.get(asks.remote(running, "die", 4)) == 5


def test_what_is_wrong_with_a_question_reaches_who_asked(ray_local: None, tmp_path: Path) -> None:
    with servers(partial(Adds, tmp_path), 1) as running:
        caller = running.caller()
        with pytest.raises(ValueError, match="no such thing"):
            caller.ask("bad", 0)
        assert caller.ask("add", 1) == 2


def _second_cannot(folder: Path) -> Adds:
    """The first one made adds; the second, once it may, cannot be made."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        while not (folder / "go").exists():
            time.sleep(0.05)
        raise UsageError("the GPU cannot be used") from None
    return Adds(folder)


def test_a_server_that_cannot_be_made_later_ends_the_job(ray_local: None, tmp_path: Path) -> None:
    """No input is to blame: what ends a job from within a step is raised, not a row's trouble."""
    with servers(partial(_second_cannot, tmp_path), 2) as running:
        caller = running.caller()
        assert caller.ask("add", 1) == 2
        (tmp_path / "go").touch()
        with pytest.raises(StorageError, match="^the GPU cannot be used$"):
            while True:
                caller.ask("add", 1)


def test_another_server_is_asked_while_one_is_gone(ray_local: None, tmp_path: Path) -> None:
    with servers(partial(Adds, tmp_path), 2) as running:
        caller = running.caller()
        while len({caller.ask("who", 0) for _ in range(4)}) < 2:
            pass
        for actor in running.actors[:1]:
            ray.kill(actor)  # for good: its node is gone
        assert [caller.ask("add", number) for number in range(40)] == list(range(1, 41))


def _cannot() -> Adds:
    raise UsageError("no such model")


def test_what_cannot_be_made_is_one_line_where_it_is_asked(ray_local: None) -> None:
    with servers(_cannot, 1) as running, pytest.raises(UsageError, match="^no such model$"):
        running.caller()
