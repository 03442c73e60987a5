"""How memory and time of a training grow with its corpus.

    python -m benchmarks.training_memory --clips 500 --clips 4000

Clips of noise, 200 kB each: the steps of an encoder and two faces, as ``preprocess`` would have
written them, with a network that computes next to nothing. ``jobs/train.py`` trains two epochs on
each corpus in a Ray of its own.

``private`` is memory that is nobody else's and no file's (``RssAnon``), the most that was seen of
the job's own process and of the largest worker that trains, ten times a second. Pages of the mapped
features are not in it: the system keeps them while there is room, and drops them when there is not.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.processes import words_of
from emotion_core import cli, storage
from emotion_core.errors import UsageError
from tests.support.large_features import write_large

ROOT = Path(__file__).resolve().parents[1]
_EVERY_S = 0.1
_MB = 1e6
_WORKER = "ray::RayTrainWorker"  # what Ray calls a process that trains


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        clips: of the corpus; eight of ten are trained on.
        size: bytes of its Parquet files.
        driver, worker: bytes of private memory, at most.
        epoch_s: seconds of the quicker epoch.
        wall_s: of the whole job, Ray's start and the copy of the features included.
    """

    clips: int
    size: int
    driver: int
    worker: int
    epoch_s: float
    wall_s: float


def private(pid: int) -> int:
    """Bytes that only this process has; 0 when it has ended. Linux."""
    try:
        held = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return held.rss - held.shared


def workers() -> list[int]:
    """Ids of the processes that train."""
    return [
        each.pid for each in psutil.process_iter() if " ".join(words_of(each)).startswith(_WORKER)
    ]


def run(features: str, clips: int, count: int, out: Path) -> Run:
    """Train once and watch it."""
    command = [sys.executable, str(ROOT / "jobs" / "train.py"), "--features", features]
    command += ["--recipe", "tests.support.large_features:LARGE", "--out", str(out)]
    command += ["--num-workers", str(count)]
    env = {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT)}
    others, driver, worker, started = set(workers()), 0, 0, time.monotonic()
    with (
        open(f"{out}.log", "wb") as log,
        subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT) as job,
    ):
        while job.poll() is None:
            driver = max(driver, private(job.pid))
            worker = max([worker, *map(private, set(workers()) - others)])
            time.sleep(_EVERY_S)
    if job.returncode:
        raise UsageError(f"jobs/train.py ended with {job.returncode}: see {out}.log")
    wall_s = time.monotonic() - started
    epoch_s = min(row["seconds"] for row in storage.read_json(str(out / "history.json")))
    size = sum(path.stat().st_size for path in Path(features, "features").iterdir())
    return Run(clips, size, driver, worker, epoch_s, wall_s)


def show(runs: list[Run]) -> None:
    """Print all runs as a table."""
    table = Table(title="python jobs/train.py, private memory at most")
    for name in ("clips", "features MB", "driver MB", "worker MB", "s an epoch", "wall s"):
        table.add_column(name, justify="right")
    for each in runs:
        sizes = [f"{size / _MB:,.0f}" for size in (each.size, each.driver, each.worker)]
        table.add_row(f"{each.clips:,}", *sizes, f"{each.epoch_s:.1f}", f"{each.wall_s:.0f}")
    Console(width=100).print(table)


def main(
    clips: Annotated[list[int] | None, typer.Option(help="Of a corpus; repeatable.")] = None,
    num_workers: Annotated[int, typer.Option(min=1, help="Processes that train.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Where features, models and logs stay; nothing without it.")
    ] = None,
) -> None:
    """Train on corpora of several sizes. Needs twice their room: the features and their copy."""
    with tempfile.TemporaryDirectory(prefix="training-memory-") as temporary:
        work = folder or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        runs = []
        for count in clips or [500, 1000, 2000, 4000]:
            features = work / f"features-{count}"
            if not features.exists():
                write_large(features, count)
            runs.append(run(str(features), count, num_workers, work / f"model-{count}"))
            show(runs)


if __name__ == "__main__":
    cli.run(main)
