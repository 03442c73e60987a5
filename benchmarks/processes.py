"""The processes below one, and what they use: Linux."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from emotion_core.errors import UsageError

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A process, as it was when it was looked at.

    Attributes:
        parent: its parent's number.
        started: clock ticks, as the system spells it: with its number it tells it from every other.
        cpu_s: processor seconds.
    """

    parent: int
    started: str
    cpu_s: float


def descendants(root: int, known: Collection[tuple[int, str]]) -> dict[int, Process]:
    """All processes below ``root``, and below ``known`` ones, whose parents may be gone; Linux.

    Those ``known`` ones that live are among them, ``root`` is only where it is known.
    """
    found: dict[int, Process] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                found[int(entry.name)] = _process(int(entry.name))
    ours = {pid for pid, process in found.items() if (pid, process.started) in known}
    while more := {p for p, process in found.items() if process.parent in ours | {root}} - ours:
        ours |= more
    return {pid: found[pid] for pid in ours}


def _process(pid: int) -> Process:
    # the name in parentheses may hold anything, parentheses too
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return Process(int(words[1]), words[19], (int(words[11]) + int(words[12])) / _TICKS)


def watched(
    command: Sequence[str], look: Callable[[dict[int, Process]], None], every_s: float
) -> float:
    """Seconds from start to end of a program; processes that are not below it are not looked at.

    Args:
        command: its words.
        look: called every now and then with the processes that are there, by their number.
        every_s: seconds between two looks; what was used since the last one is not seen.

    Raises:
        UsageError: it failed.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        known = {(job.pid, _process(job.pid).started)}  # nobody has waited for it: it is there
        while True:
            try:
                job.wait(every_s)
                break
            except subprocess.TimeoutExpired:
                below = descendants(job.pid, known)
                known |= {(pid, process.started) for pid, process in below.items()}
                look(below)
        seconds = time.monotonic() - started
        if job.returncode:
            errors.seek(0)
            raise UsageError(f"{command[1]} ended with {job.returncode}: {errors.read()[-500:]}")
    return seconds


def memory_of(pid: int) -> int:
    """Bytes that a process holds: its share of each page; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration):
        pass
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def words_of(pid: int) -> list[str]:
    """A process's command line; empty when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
    return [word.decode(errors="replace") for word in words if word]


def name_of(pid: int) -> str:
    """What a process is, by its command line."""
    named = words_of(pid)[:3]
    # Ray's workers tell in their first word what they do
    if named and named[0].startswith("ray::"):
        return named[0]
    return " ".join(Path(word).name for word in named) or "ended"
