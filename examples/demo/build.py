"""Making many files in parallel, each of them whole or not there."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Task:
    """One file.

    Attributes:
        path: where it goes.
        make: writes it there atomically; picklable.
    """

    path: Path
    make: Callable[[Path], None]


def missing(tasks: Sequence[Task]) -> list[Task]:
    """The tasks whose file is not there yet."""
    return [task for task in tasks if not task.path.exists()]


def build(tasks: Sequence[Task], workers: int | None = None) -> Iterator[Path]:
    """Make the files, giving each path as it is complete.

    Args:
        tasks: what to make; neighbours may share work (an actor's still picture).
        workers: processes; None: one for every CPU this process may use. A single one is this
            process itself.
    """
    workers = min(workers or _cpus(), len(tasks))
    if workers <= 1:
        yield from map(_make, tasks)
        return
    # spawn: a fork would copy locks of whatever threads the caller runs
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        running = [pool.submit(_make, task) for task in tasks]
        try:
            for done in as_completed(running):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _cpus() -> int:
    # where there is no affinity (macOS), count them all
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _make(task: Task) -> Path:
    import torch

    # one thread: how torch splits its work decides the last bits of a picture
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        task.make(task.path)
    finally:
        torch.set_num_threads(threads)
    return task.path
