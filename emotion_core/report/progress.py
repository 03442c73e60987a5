"""A bar for people, lines for logs: the same progress on a terminal and in a submitted job."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 20.0


@contextmanager
def progress(console: Console, what: str, total: int) -> Iterator[Callable[[int, str], None]]:
    """Gives ``advance(n, note)``: ``n`` more are done, and a few words to show beside the bar."""
    if console.is_terminal:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        ) as bars:
            task = bars.add_task(what, total=total, note="")
            yield lambda n, note: bars.update(task, advance=n, note=note)
        return
    yield _Lines(console, what, total)


class _Lines:
    """One line now and then, and one at the end."""

    def __init__(self, console: Console, what: str, total: int):
        self._console = console
        self._what = what
        self._total = total
        self._done = 0
        self._start = self._last = time.monotonic()

    def __call__(self, n: int, note: str) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES and self._done < self._total:
            return
        self._last = now
        passed = now - self._start
        self._console.print(f"{self._what}: {self._done}/{self._total} after {passed:.0f} s {note}")
