"""The processes below one, and what they use."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from emotion_core.errors import UsageError

Look = Callable[[set[psutil.Process]], None]


def descendants(root: int, known: Collection[psutil.Process] = ()) -> set[psutil.Process]:
    """All processes below ``root``, and below ``known`` ones, whose parents may be gone.

    Those ``known`` ones that live are among them, ``root`` is only where it is known.
    """
    parents: dict[psutil.Process, int] = {}
    for each in psutil.process_iter():
        with suppress(psutil.Error):  # it has just ended
            parents[each] = each.ppid()
    ours = parents.keys() & set(known)
    numbers = {root, *(each.pid for each in ours)}
    while more := {each for each, parent in parents.items() if parent in numbers} - ours:
        ours |= more
        numbers |= {each.pid for each in more}
    return ours


def watched(command: Sequence[str], look: Look, every_s: float) -> float:
    """Seconds from start to end of a program; processes that are not below it are not looked at.

    Args:
        command: its words.
        look: called every now and then with the processes that are there.
        every_s: seconds between two looks; what was used since the last one is not seen.

    Raises:
        UsageError: it failed.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as errors:
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
        known = {psutil.Process(job.pid)}  # nobody has waited for it: it is there
        while True:
            try:
                job.wait(every_s)
                break
            except subprocess.TimeoutExpired:
                below = descendants(job.pid, known)
                known |= below
                look(below)
        seconds = time.monotonic() - started
        if job.returncode:
            errors.seek(0)
            raise UsageError(f"{command[1]} ended with {job.returncode}: {errors.read()[-500:]}")
    return seconds


def processor_s(process: psutil.Process) -> float:
    """Processor seconds that it has used, without its children's.

    Raises:
        psutil.Error: it has ended.
    """
    times = process.cpu_times()
    return times.user + times.system


def memory_of(process: psutil.Process) -> int:
    """Bytes that it holds, its share of each page where that is told; 0 when it has ended."""
    with suppress(psutil.NoSuchProcess):
        try:
            held = process.memory_full_info()
        except psutil.AccessDenied:
            return process.memory_info().rss
        return getattr(held, "pss", held.rss)
    return 0


def words_of(process: psutil.Process) -> list[str]:
    """Its command line; empty when it has ended."""
    try:
        return [word for word in process.cmdline() if word]
    except psutil.Error:
        return []


def name_of(process: psutil.Process) -> str:
    """What it is, by its command line."""
    named = words_of(process)[:3]
    # Ray's workers tell in their first word what they do
    if named and named[0].startswith("ray::"):
        return named[0]
    return " ".join(Path(word).name for word in named) or "ended"
