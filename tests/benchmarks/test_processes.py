"""What benchmarks see of the processes below them."""

import os
import subprocess
import sys

import psutil
import pytest

from benchmarks.processes import descendants, memory_of, name_of, processor_s, watched, words_of
from benchmarks.startup import kind_of
from emotion_core.errors import UsageError

_WITH_A_CHILD = """
import subprocess, sys
waits = "import time; print(flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
input()
"""


def test_a_process_and_its_child_are_seen_and_so_is_one_whose_parent_is_gone() -> None:
    command = [sys.executable, "-c", _WITH_A_CHILD]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        try:
            found = descendants(os.getpid())
            first = psutil.Process(parent.pid)
            assert {first, child} <= found and descendants(parent.pid) == {child}
            assert memory_of(child) > 1e6 and "time.sleep" in name_of(child)
            assert processor_s(child) > 0
            parent.kill()
            parent.wait()
            left = descendants(os.getpid(), found)
            assert child in left and first not in left
        finally:
            child.kill()
    assert words_of(first) == [] and name_of(first) == "ended" and memory_of(first) == 0


def test_a_program_is_watched_to_its_end() -> None:
    seen: list[set[psutil.Process]] = []
    words = [sys.executable, "-c", "import time; time.sleep(1)"]
    # what else runs below this process is none of it
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        try:
            assert watched(words, seen.append, 0.1) >= 1
        finally:
            other.kill()
    assert seen and all(len(below) == 1 for below in seen)
    assert other.pid not in {process.pid for below in seen for process in below}


def test_a_program_that_fails_says_so() -> None:
    words = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(UsageError, match="-c ended with 1: no such thing"):
        watched(words, lambda below: None, 0.1)


def test_kinds_of_processes() -> None:
    assert kind_of(["python", "-c", "from multiprocessing.spawn import spawn_main"]) == "decoders"
    assert kind_of(["ray::MapWorker(MapBatches(Steps))"]) == "workers"
    assert kind_of(["/x/ray/core/src/ray/gcs/gcs_server"]) == "Ray's head"
    assert kind_of(["python", "jobs/label.py"]) == "the job"
