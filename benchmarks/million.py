"""What a very large collection costs beside the work itself: listed inputs, and a step of no work.

python -m benchmarks.million --inputs 100000 --out FOLDER

Everything but the step is the labelling job's own: the manifest, Ray Data, the tables that grow
while it runs, and their check at the end. The first run is killed when half of the inputs are
published, the second one goes on; a third finds nothing to do. Linux.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from emotion_core import cli, storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Segment
from emotion_core.errors import UsageError

if __name__ != "__main__":
    # the workers find the stand-in here
    from emotion_core.labelling.how import Labelling
    from emotion_core.labelling.job import label

    @dataclass(frozen=True)
    class StandIn(Labelling):
        """Labels without looking: one segment each."""

        def step(self, device: str = "cpu") -> "Quick":  # type: ignore[override]
            return Quick(len(self.together.labels))

    class Quick:
        """A step that says the same of every video."""

        def __init__(self, labels: int):
            answer = np.full(labels, 1 / labels, np.float32)
            said = Segment(0.0, 1.0, None, None, None, None, answer, ("audio",), answer, None)
            self.segments = (said,)

        def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
            return [w.with_(segments=self.segments, n_tracks=0, duration_s=1.0) for w in works]


def run(inputs: int, out: str) -> None:
    """The job, in a process of its own; the last line tells what it took, as JSON."""
    started = time.monotonic()
    places = (f"s3://archive/{n // 1000:06d}/{n:09d}.mp4" for n in range(inputs))
    manifest = manifest_table([Clip(place, 5_000_000, "v") for place in places])
    listed_s = time.monotonic() - started
    how = StandIn(("voice",))
    shown = {"rows": 0, "first_s": 0.0}

    @contextmanager
    def show(total: int) -> Iterator:
        def advance(rows: int, note: str) -> None:
            shown["first_s"] = shown["first_s"] or time.monotonic() - started
            shown["rows"] += rows
            print(f"published {shown['rows']}", flush=True)

        yield advance

    with storage.hold_output(out, "labels", how.settings(), say=cli.say) as claim:
        _, done = label(manifest, how, out, show, check=claim.check)
    status = Path("/proc/self/status").read_text()
    peak_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    told = {
        "done": done, "seconds": time.monotonic() - started, "manifest_s": listed_s,
        "first_s": shown["first_s"], "driver_gb": peak_kb / 1e6,
    }  # fmt: skip
    print(json.dumps(told), flush=True)


def in_process(inputs: int, out: str, kill_at: float | None) -> dict | None:
    """Run ``run``; None where it was killed, when this share of the inputs was published."""
    code = f"from benchmarks.million import run; run({inputs}, {out!r})"
    job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                           start_new_session=True)  # fmt: skip
    assert job.stdout is not None
    last = ""
    for line in job.stdout:
        last = line
        if kill_at and line.startswith("published ") and int(line.split()[1]) >= kill_at * inputs:
            os.killpg(job.pid, signal.SIGKILL)
            job.wait()
            return None
    if job.wait():
        raise UsageError(f"the job ended with {job.returncode}")
    return json.loads(last)


def main(
    inputs: Annotated[int, typer.Option(min=100)] = 100_000,
    out: Annotated[Path, typer.Option(help="A new folder for the labels.")] = Path("out/million"),
) -> None:
    """Measure the job on made-up inputs: begun and killed, resumed, and with nothing to do."""
    in_process(inputs, str(out), kill_at=0.5)
    resumed = in_process(inputs, str(out), kill_at=None)
    again = in_process(inputs, str(out), kill_at=None)
    assert resumed is not None and again is not None
    table = Table(title=f"{inputs:,} inputs")
    for heading in ("", "done", "seconds", "first published, s", "ms a row", "driver, GB"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, told in (("resumed at half", resumed), ("nothing to do", again)):
        work_s = told["seconds"] - told["first_s"] if told["done"] else 0.0
        table.add_row(
            name, f"{told['done']:,}", f"{told['seconds']:.1f}", f"{told['first_s']:.1f}",
            f"{1e3 * work_s / max(1, told['done']):.2f}", f"{told['driver_gb']:.2f}",
        )  # fmt: skip
    cli.console.print(table)


if __name__ == "__main__":
    cli.run(main)
