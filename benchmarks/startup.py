"""Where the seconds go before and beside the work: a labelling job, and a Ray Data job without any.

python -m benchmarks.startup VIDEOS [--repeat 3]

Both run in processes of their own, one after the other, each --repeat times. Prints the seconds of
each, their ratio, and the processor seconds of every kind of process below them. Linux.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.table import Table

from benchmarks.processes import processor_s, watched
from emotion_core import cli

_EMPTY = """
import logging, ray
ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
class Nothing:
    def __call__(self, batch):
        return batch
ray.data.DataContext.get_current().enable_progress_bars = False
ray.data.range(64, override_num_blocks=8).map_batches(
    Nothing, concurrency=2, num_cpus=0.4, batch_size=8
).materialize()
"""
_LOOK_S = 0.1


def kind_of(words: Sequence[str]) -> str:
    """What a process is, by its command line."""
    told = " ".join(words)
    for sign, kind in (
        ("multiprocessing", "decoders"),
        ("ray::", "workers"),
        ("default_worker", "workers"),
        ("gcs_server", "Ray's head"),
        ("raylet", "Ray's head"),
        ("ray/", "Ray's helpers"),
    ):
        if sign in told:
            return kind
    return "the job"


def measured(command: Sequence[str]) -> tuple[float, dict[str, float]]:
    """Seconds until a command ends, and processor seconds by kind of process.

    What a process used within its last tenth of a second is not seen.
    """
    seen: dict[psutil.Process, tuple[str, float]] = {}

    def look(below: set[psutil.Process]) -> None:
        for process in below:
            with suppress(psutil.Error):  # it has just ended
                seen[process] = kind_of(process.cmdline()), processor_s(process)

    seconds = watched(command, look, _LOOK_S)
    used: dict[str, float] = {}
    for kind, spent in seen.values():
        used[kind] = used.get(kind, 0.0) + spent
    return seconds, used


def main(
    videos: Annotated[list[Path], typer.Argument(help="What to label.")],
    repeat: Annotated[int, typer.Option(min=1)] = 3,
    fps: Annotated[float, typer.Option(help="Pictures a second.")] = 5.0,
    json_to: Annotated[Path | None, typer.Option("--json", help="The figures as JSON.")] = None,
) -> None:
    """Measure a labelling job beside an empty one."""
    root = Path(__file__).resolve().parent.parent
    found: dict[str, list[tuple[float, dict[str, float]]]] = {"empty": [], "label": []}
    for _ in range(repeat):
        with tempfile.TemporaryDirectory() as folder:
            words = [str(word) for each in videos for word in ("--videos", each)]
            label = [sys.executable, str(root / "jobs" / "label.py"), *words,
                     "--fps", str(fps), "--out", f"{folder}/out"]  # fmt: skip
            found["empty"].append(measured([sys.executable, "-c", _EMPTY]))
            found["label"].append(measured(label))
    kinds = sorted({kind for runs in found.values() for _, used in runs for kind in used})
    table = Table(title=f"medians of {repeat}, seconds")
    for heading in ("", "whole", *(f"CPU: {kind}" for kind in kinds)):
        table.add_column(heading, justify="right" if heading else "left")
    told = {}
    for name, runs in found.items():
        row = {"seconds": median(seconds for seconds, _ in runs)}
        row |= {kind: median(used.get(kind, 0.0) for _, used in runs) for kind in kinds}
        told[name] = row
        table.add_row(name, *(f"{value:.1f}" for value in row.values()))
    cli.console.print(table)
    ratio = told["label"]["seconds"] / told["empty"]["seconds"]
    cli.say(f"label takes {ratio:.2f} times as long as a job without work")
    if json_to is not None:
        json_to.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    cli.run(main)
