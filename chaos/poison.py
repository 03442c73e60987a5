"""Files that do harm among good ones, under real jobs on Ray: only they have a row that failed.

What a decoder does with a damaged file is made certain: in the job's processes ``av.open`` looks at
the name, and does what it says. Ray, its workers and the children that decode are the real ones.
"""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos.counted import Count
from chaos.trials import Faults, Run, Trial
from emotion_core.storage.parts import read_parts
from tests.support.jobs import ROOT, run_job
from tests.support.labelling import untrained
from tests.support.media_clips import write_clip
from tests.support.small_recipes import small

GOOD = 6
# kind -> the reason in its row
KINDS = {
    "aborts": "crash",
    "segfaults": "crash",
    "exits": "crash",
    "sleeps-for-ever": "timeout",
    "eats-memory": "unreadable",
    "writes-gigabytes": "unreadable",
    "logs-gigabytes": "unreadable",
}
JOBS = ("label", "preprocess")

# Python imports it at its start, in every process whose PYTHONPATH begins with its folder.
SITE = """
import builtins, ctypes, os, signal, sys, tempfile

def poisoned(open_file):
    def open_poisoned(file, *args, **kwargs):
        kind = os.path.basename(str(file)).partition("poison ")[2].partition(" ")[0]
        if kind == "aborts":
            os.abort()
        if kind == "segfaults":
            ctypes.string_at(0)
        if kind == "exits":
            os._exit(3)
        if kind == "sleeps-for-ever":
            while True:
                ctypes.PyDLL(None).pause()  # with the interpreter's lock, as a C library may
        held = []
        while kind == "eats-memory":
            held.append(bytearray(256 << 20))  # never touched: mapped, not taken from others
        if kind == "writes-gigabytes":
            with tempfile.TemporaryFile() as big:
                for _ in range(4096):
                    big.write(bytes(1 << 20))
        if kind == "logs-gigabytes":
            for _ in range(4096):
                os.write(2, b"damaged packet\\n" * 70_000)
        return open_file(file, *args, **kwargs)
    return open_poisoned

plain_import = builtins.__import__

def watched_import(*args, **kwargs):
    module = plain_import(*args, **kwargs)
    av = sys.modules.get("av")
    if hasattr(av, "open") and hasattr(av, "VideoFrame"):
        builtins.__import__ = plain_import
        av.open = poisoned(av.open)
    return module

builtins.__import__ = watched_import
"""


def names(count: int, seed: int) -> Sequence[str]:
    """``3:label:aborts``: each kind under each job, in turn."""
    every = [(job, kind) for kind in KINDS for job in JOBS]
    chosen = (every[number % len(every)] for number in range(count))
    return [f"{number}:{job}:{kind}" for number, (job, kind) in enumerate(chosen)]


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """A model, a good clip and the trap."""
    model = untrained(folder / "model", ("audio",), small("audio-cnn1d"))
    clip = write_clip(folder / "clip.mp4", frames=50)
    trap = folder / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text(SITE)

    def run(name: str) -> Trial:
        _, job, kind = name.split(":")
        # under label decoding a piece has two minutes, whatever the job is told
        victims = 1 if kind == "sleeps-for-ever" else 2
        place = folder / uuid.uuid4().hex[:8]
        uris = []
        (place / "clips" / "happy").mkdir(parents=True)
        for number in range(GOOD + victims):
            called = f"poison {kind} {number}" if number % 3 == 1 and number // 3 < victims else "a"
            path = place / "clips" / "happy" / f"{called} {number}.mp4"
            shutil.copy(clip, path)
            uris.append(str(path))
        words: tuple[object, ...] = ("--videos", place / "clips", "--model", model, "--any-sound")
        if job == "preprocess":
            words = ("--corpus", f"folder={place / 'clips'}", "--recipe", "audio-cnn1d")
            words = (*words, "--timeout", 60, "--decoder", "pyav")
        first = os.pathsep.join([str(trap), str(ROOT)])
        out = place / "out"
        done = run_job(job, *words, "--out", out, "--max-failed", 1, timeout=1500, PYTHONPATH=first)
        count = Count()
        told = (done.stdout + done.stderr)[-1500:]
        count.expect(done.returncode == 0, f"exit code {done.returncode}: {told}")
        table = read_parts(str(out / ("videos" if job == "label" else "features")))
        rows = [] if table is None else table.to_pylist()
        count.all(rows, uris)
        for row in rows:
            wanted = [KINDS[kind]] if "poison" in row["uri"] else []
            told = f"{row['uri']}: {row['status']} {row['reasons']} {row['error']}"
            count.expect(row["reasons"] == wanted, told)
        shutil.rmtree(place)
        line = f"a decoder that {kind.replace('-', ' ')}, among good files"
        return count.trial("poison", name, line, victims)

    yield run


HAPPENS = (
    "the child that decodes meets its limit or dies: its file is `crash`, `timeout` or "
    "`unreadable`, the good ones are `ok`"
)
POISON = Faults(HAPPENS, 2 * len(KINDS), names, ready)
