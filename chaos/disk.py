"""A disk that is full, at every byte: what was published stays, and the same command goes on.

The kernel's limit on the size of a file stands for the end of the disk, as anybody may set it: a
trial forbids files of more than so many bytes, runs what publishes the two tables of ``label``,
and runs it again with room.
"""

import resource
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos.counted import Count
from chaos.trials import Faults, Run, Trial
from emotion_core.errors import StorageError
from tests.support.published_tables import check_seen, holds, manifest, run, seen, tables

STEP = 100  # bytes
VIDEOS = {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"}


def names(count: int, seed: int) -> Sequence[str]:
    """The limits: 0, 100, 200, ... bytes."""
    return [str(STEP * number) for number in range(count)]


@contextmanager
def limited(most: int) -> Iterator[None]:
    """No file of this process gets longer than ``most`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """Nothing is shared."""

    def trial(name: str) -> Trial:
        out, count = str(folder / f"out-{name}"), Count(rows=len(VIDEOS))
        full = False
        try:
            with limited(int(name)):
                run(tables(out), manifest(**VIDEOS))
        except StorageError as error:
            full = True
            count.expect("\n" not in str(error), f"several lines: {error}")
        check_seen(out)
        run(tables(out), manifest(**VIDEOS))
        videos, _, found = seen(out)
        count.lost = len(set(VIDEOS) - set(found))
        count.doubled = sum(videos.values()) - len(videos)
        holds(out, **VIDEOS)
        shutil.rmtree(out)
        line = "a disk that is full: no file of more than 0, 100, 200, ... bytes, while publishing"
        return count.trial("disk", name, line, int(full), {"files that fitted in": int(not full)})

    yield trial


HAPPENS = "one line; what was published stays, and the same command goes on"
DISK = Faults(HAPPENS, 100, names, ready)
