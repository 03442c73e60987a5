"""How fast decord and PyAV take the same pictures from the same files, and how far they differ.

    python benchmarks/decoders.py clips/*.mp4 --count 6 --repeat 3

Both run in turn, in one process, with one decoding thread each, after one unmeasured round;
decord's times include the check of its table against PyAV's. ``wall`` is the best of the rounds in
milliseconds, ``cpu`` the best sum over the threads (decord has threads of its own besides the
decoding one): on a machine that others use too, go by that. ``ratio`` is decord's cpu over PyAV's.
The difference is the mean absolute one, in grey levels of 255.
"""

import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from emotion_core.errors import ClipError
from emotion_core.media.container import Facts, read_facts
from emotion_core.media.decord_reader import DecordError, DecordReader
from emotion_core.media.pyav_reader import PyavReader
from emotion_core.media.sampling import sample_times
from emotion_core.recipes.specs import VideoSpec

READERS: dict[str, type[DecordReader] | type[PyavReader]] = {
    "decord": DecordReader,
    "pyav": PyavReader,
}


def main(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    count: Annotated[int, typer.Option(help="pictures a file, evenly spread")] = 6,
    fps: Annotated[float, typer.Option(help="pictures a second instead of --count")] = 0.0,
    repeat: Annotated[int, typer.Option(help="measured rounds")] = 3,
) -> None:
    """Compare the two decoders on FILES."""
    spec = VideoSpec(count=count)
    if fps > 0:
        spec = VideoSpec(sampling="fps", fps=fps, max_frames=10**6)
    table = Table("file", title="decord / PyAV, one decoding thread")
    for heading in ("pictures", "decord wall", "cpu", "pyav wall", "cpu", "ratio", "difference"):
        table.add_column(heading, justify="right")
    sums = np.zeros(4)
    for path in files:
        sums += _add_row(table, str(path), spec, repeat)
    if sums.any():
        table.add_section()
        table.add_row("both could", "", *(f"{v:.0f}" for v in sums), f"{sums[1] / sums[3]:.2f}", "")
    Console(width=120).print(table)


def _add_row(table: Table, path: str, spec: VideoSpec, repeat: int) -> np.ndarray:
    """Measure one file; wall and cpu milliseconds of both, zeros where one of them could not."""
    name = Path(path).name
    try:
        facts = read_facts(path)
    except ClipError as error:
        table.add_row(name, str(error))
        return np.zeros(4)
    if facts.video is None:
        table.add_row(name, "no picture")
        return np.zeros(4)
    times = sample_times(spec, 0.0, facts.video.end_s, facts.info.fps)
    pyav, ours = _best("pyav", path, facts, times, repeat)
    try:
        decord, theirs = _best("decord", path, facts, times, repeat)
    except DecordError as error:
        columns = [f"{value:.0f}" for value in pyav]
        table.add_row(name, str(len(times)), "-", "-", *columns, "", str(error))
        return np.zeros(4)
    gaps = [np.abs(a.astype(int) - b).mean() for a, b in zip(ours, theirs, strict=True)]
    row = np.array([*decord, *pyav])
    columns = [f"{value:.0f}" for value in row]
    ratio = f"{decord[1] / pyav[1]:.2f}"
    table.add_row(name, str(len(times)), *columns, ratio, f"{np.mean(gaps):.4f}")
    return row


def _best(
    name: str, path: str, facts: Facts, times: np.ndarray, repeat: int
) -> tuple[tuple[float, float], list[np.ndarray]]:
    """Least wall and cpu milliseconds of the rounds, and the pictures."""
    runs = []
    for _ in range(repeat + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        reader = READERS[name](path, facts)
        pictures = [picture for _, picture in reader.frames_at(times)]
        reader.close()
        runs.append((1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)))
    walls, cpus = zip(*runs[1:], strict=True)
    return (min(walls), min(cpus)), pictures


if __name__ == "__main__":
    typer.run(main)
