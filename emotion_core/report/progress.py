"""A bar for people, lines for logs: the same progress on a terminal and in a submitted job."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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

from emotion_core.text import printable

SECONDS_BETWEEN_LINES = 20.0
_MOST_REASONS = 3


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
            TextColumn("{task.fields[note]}", markup=False),
            console=console,
        ) as bars:
            task = bars.add_task(what, total=total, note="")
            yield lambda n, note: bars.update(task, advance=n, note=printable(note))
        return
    yield _Lines(console, what, total)


class Tally:
    """What has been done since the start, in a few words: media, speed, what failed and why."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._start = clock()
        self._media_s = 0.0
        self._failures: Counter[str] = Counter()

    def add(self, media_s: float, failures: Sequence[str]) -> str:
        """``media_s`` more seconds of media are done, and clips failed for these reasons.

        Returns:
            Such as ``3.2 h of media, 14x real time, failed: unreadable 2, timeout 1``.
        """
        self._media_s += media_s
        self._failures.update(failures)
        words = []
        if self._media_s:
            speed = self._media_s / max(self._clock() - self._start, 1e-3)
            words = [f"{duration(self._media_s)} of media", f"{speed:,.3g}x real time"]
        if self._failures:
            common = self._failures.most_common(_MOST_REASONS)
            told = [f"{reason} {count:,}" for reason, count in common]
            rest = self._failures.total() - sum(count for _, count in common)
            words.append("failed: " + ", ".join([*told, *([f"others {rest:,}"] if rest else [])]))
        return ", ".join(words)


def duration(seconds: float) -> str:
    """Seconds for people: ``7.5 s``, ``12 min``, ``3.2 h``."""
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:,.3g} h" if seconds < 3.6e6 else f"{seconds / 3600:,.0f} h"


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
        words = [f"{self._what}: {self._done}/{self._total} after {duration(round(passed))}"]
        if 0 < self._done < self._total:
            left = passed * (self._total - self._done) / self._done
            words.append(f"about {duration(round(left))} left")
        # not wrapped, and a name in it is no markup: a log's reader greps
        line = printable(", ".join([*words, *([note] if note else [])]))
        self._console.print(line, soft_wrap=True, markup=False)
