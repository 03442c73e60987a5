"""What benchmarks see of the processes below them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import Process, descendants, memory_of, name_of, watched, words_of
from benchmarks.startup import kind_of
from emotion_core.errors import UsageError

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux")

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
        child = int(parent.stdout.readline())
        try:
            found = descendants(os.getpid(), ())
            assert found[parent.pid].parent == os.getpid() and found[child].parent == parent.pid
            assert memory_of(child) > 1e6 and "time.sleep" in name_of(child)
            parent.kill()
            parent.wait()
            known = [(pid, process.started) for pid, process in found.items()]
            assert child in descendants(os.getpid(), known)
        finally:
            os.kill(child, signal.SIGKILL)
    assert words_of(parent.pid) == [] and name_of(parent.pid) == "ended"
    assert memory_of(parent.pid) == 0


def test_a_program_is_watched_to_its_end() -> None:
    seen: list[dict[int, Process]] = []
    words = [sys.executable, "-c", "import time; time.sleep(1)"]
    # what else runs below this process is none of it
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        try:
            assert watched(words, seen.append, 0.1) >= 1
        finally:
            other.kill()
    assert seen and all(len(below) == 1 and other.pid not in below for below in seen)


def test_a_program_that_fails_says_so() -> None:
    words = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(UsageError, match="-c ended with 1: no such thing"):
        watched(words, lambda below: None, 0.1)


def test_kinds_of_processes() -> None:
    assert kind_of(["python", "-c", "from multiprocessing.spawn import spawn_main"]) == "decoders"
    assert kind_of(["ray::MapWorker(MapBatches(Steps))"]) == "workers"
    assert kind_of(["/x/ray/core/src/ray/gcs/gcs_server"]) == "Ray's head"
    assert kind_of(["python", "jobs/label.py"]) == "the job"
