"""Figures of each epoch on their way from worker 0 to the person who watches."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import ray

from emotion_core.errors import StorageError

if TYPE_CHECKING:  # the actor imports this module, and would import torch with it
    from emotion_core.training.snapshot import EpochRow

Show = Callable[["EpochRow"], None]
_EVERY_S = 0.5


class _Rows:
    """The rows so far, in an actor of its own: it outlives a worker that dies."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}

    def add(self, row: dict[str, Any]) -> None:
        self.rows[row["epoch"]] = row

    def since(self, epoch: int) -> list[dict[str, Any]]:
        return [self.rows[key] for key in sorted(self.rows) if key >= epoch]


@dataclass(frozen=True)
class ProgressBoard:
    """What a worker holds of it."""

    actor: Any

    def add(self, row: "EpochRow") -> None:
        """Put up one epoch. Does not wait, so a slow reader does not hold up training."""
        self.actor.add.remote(asdict(row))


@contextmanager
def watching(show: Show, first: int = 0) -> Iterator[ProgressBoard]:
    """A board whose rows, from epoch ``first`` on, are shown once each, in order.

    A thread of this process shows them: what a worker prints reaches the terminal late, and with
    Ray's prefixes.

    Raises:
        StorageError: as ``show`` did, once the training is over; the rest was not shown.
    """
    actor: Any = ray.remote(num_cpus=0)(_Rows).remote()
    done = threading.Event()
    shown = first
    trouble: list[StorageError] = []

    def follow() -> None:
        from emotion_core.training.snapshot import EpochRow

        nonlocal shown
        while True:
            last_look = done.wait(_EVERY_S)
            if not ray.is_initialized():
                return  # the command was stopped: asking would start another Ray
            try:
                rows = ray.get(actor.since.remote(shown))
            except ray.exceptions.RayError:
                return  # the actor or Ray is gone: the training's own error says why
            for row in (EpochRow(**each) for each in rows):
                try:
                    show(row)
                except StorageError as error:  # for the thread that waits for the training
                    trouble.append(error)
                    return
                shown = row.epoch + 1
            if last_look:
                return

    thread = threading.Thread(target=follow, name="training-progress", daemon=True)
    thread.start()
    try:
        yield ProgressBoard(actor)
    finally:
        done.set()
        thread.join(timeout=10)
        if ray.is_initialized():
            ray.kill(actor)
    if trouble:
        raise trouble[0]
