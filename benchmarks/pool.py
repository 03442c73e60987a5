"""preprocess beside a bare pool of processes, another engine, and the usual way.

python -m benchmarks.pool VIDEOS [--count 100 --count 400 --count 1600] [--repeat 1] [--usual]
    [--daft]

The files are linked until there are so many clips. Each side is a program of its own, from its
start to its end, in turn: `jobs/preprocess.py`; a ProcessPoolExecutor whose processes call the very
steps of preprocess on four clips at a time, and one Parquet file of what they give; with --usual
the same pool where each file is read as most people do: OpenCV gives every picture, CenterFace
looks at each, librosa opens the file for its sound; with --daft (pip install daft) Daft's engine,
whose processes call the steps of preprocess as the pool's do. Overhead is what preprocess takes
longer than the bare pool; the steady state is what a clip more costs, from one count to the next.
"""

import json
import os
import pickle
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import pairwise
from multiprocessing import get_context
from multiprocessing.util import Finalize
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import psutil
import typer
from rich.table import Table

from benchmarks.fits import line
from benchmarks.processes import memory_of, watched
from emotion_core import cli

AT_ONCE = 4
_LOOK_S = 0.5
_POOL = "import sys; from benchmarks.pool import pool; pool(*sys.argv[1:])"
_steps: list[Any] = []


def _begin(kind: str) -> None:
    """In a process of the pool."""
    from emotion_core.faces.detectors import load_detector
    from emotion_core.preprocessing.job import Preprocessing, declared_steps
    from emotion_core.recipes import load_recipe

    if kind == "usual":
        _steps.append(load_detector("centerface"))
        return
    how = Preprocessing(load_recipe("timedist-blstm"))
    _steps.extend(step.on_cpu.factory() for step in declared_steps(how))
    # what decodes is a child, which a process of a pool would wait for at its end
    Finalize(None, _steps[0].decoder.close, exitpriority=1)


def _bare(rows: list[dict]) -> Any:
    from emotion_core.clips.work import ClipWork
    from emotion_core.preprocessing.rows import feature_rows

    works = [ClipWork(row) for row in rows]
    for step in _steps:
        works = step(works)
    return feature_rows(works)


def _usual(rows: list[dict]) -> int:
    """Every picture of each file, a search for faces in it, and MFCCs of its sound."""
    import cv2
    import librosa

    from emotion_core.storage import path_of

    faces = 0
    for row in rows:
        path = path_of(row["uri"])
        video = cv2.VideoCapture(path)
        while True:
            there, picture = video.read()
            if not there:
                break
            (found,) = _steps[0].detect(picture[None, :, :, ::-1])
            faces += len(found)
        video.release()
        sound, rate = librosa.load(path, sr=16000)
        librosa.feature.mfcc(y=sound, sr=rate, n_mfcc=40)
    return faces


def pool(kind: str, folder: str, out: str, processes: str) -> None:
    """The other sides' program."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from emotion_core.clips.clip import manifest_table
    from emotion_core.corpora import scan

    rows = manifest_table(scan("folder", folder).clips).to_pylist()
    if kind == "daft":
        through_daft(rows, out, processes)
        return
    batches = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    with ProcessPoolExecutor(int(processes), get_context("spawn"), _begin, (kind,)) as workers:
        found = list(workers.map(_usual if kind == "usual" else _bare, batches))
    if kind == "bare":
        pq.write_table(pa.concat_tables(found), out)


def through_daft(rows: list[dict], out: str, processes: str) -> None:
    """The steps in another engine's processes."""
    daft = import_module("daft")  # in no constraints file: it is not a part of this project

    @daft.cls(use_process=True, max_concurrency=int(processes))
    class Prepared:
        """The steps, in a process of Daft's."""

        def __init__(self) -> None:
            _begin("bare")

        @daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=AT_ONCE)
        def rows(self, clips: Any) -> list[bytes]:
            """Rows of features as pickled Arrow: float16 lists are no type of Daft's."""
            found = _bare(clips.to_pylist())
            return [pickle.dumps(found.slice(row, 1)) for row in range(len(found))]

    frame = daft.from_pydict({"clip": rows})
    frame.select(Prepared().rows(frame["clip"])).write_parquet(out)


def linked(videos: list[Path], count: int, folder: Path) -> Path:
    """``count`` clips, of one emotion."""
    (folder / "happy").mkdir(parents=True)
    for number in range(count):
        source = videos[number % len(videos)]
        os.link(source, folder / "happy" / f"{number:05d}{source.suffix}")
    return folder


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds from start to end of a program, and the most that its processes held, GB."""
    peak = 0

    def look(below: set[psutil.Process]) -> None:
        nonlocal peak
        peak = max(peak, sum(map(memory_of, below)))

    return watched(command, look, _LOOK_S), peak / 1e9


def main(
    videos: Annotated[list[Path], typer.Argument(help="Short clips.")],
    count: Annotated[list[int], typer.Option(help="Repeatable.")] = [100, 400, 1600],  # noqa: B006
    repeat: Annotated[int, typer.Option(min=1)] = 1,
    usual: Annotated[bool, typer.Option("--usual", help="The usual way too.")] = False,
    daft: Annotated[bool, typer.Option("--daft", help="Daft's engine too.")] = False,
    json_to: Annotated[Path | None, typer.Option("--json", help="The figures as JSON.")] = None,
) -> None:
    """Measure all sides in turn."""
    processes = str(len(os.sched_getaffinity(0)))
    sides = ["preprocess", "bare", *["daft"] * daft, *["usual"] * usual]
    took: dict[str, dict[int, float]] = {side: {} for side in sides}
    held: dict[str, dict[int, float]] = {side: {} for side in sides}
    # beside the clips: a link stays on its file system
    with tempfile.TemporaryDirectory(dir=videos[0].parent) as folder:
        for many in sorted(count):
            clips = linked(videos, many, Path(folder) / str(many))
            runs: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            for turn in range(repeat):
                for side in sides:
                    out = Path(folder) / f"{side}-{many}-{turn}"
                    ours = ["jobs/preprocess.py", "--corpus", f"folder={clips}", "--out", str(out)]
                    others = ["-c", _POOL, side, str(clips), str(out), processes]
                    command = ours if side == "preprocess" else others
                    runs[side].append(measured([sys.executable, *command]))
            for side in sides:
                took[side][many] = median(seconds for seconds, _ in runs[side])
                held[side][many] = max(peak for _, peak in runs[side])
    cli.console.print(shown(took, held))
    if len(took["preprocess"]) > 2:
        cli.console.print(fitted(took, held))
    if json_to is not None:
        json_to.write_text(json.dumps({"seconds": took, "gb": held}, indent=1))


def shown(took: dict[str, dict[int, float]], held: dict[str, dict[int, float]]) -> Table:
    """Whole jobs, and what a clip more costs."""
    table = Table(title="seconds of whole jobs, and the most that their processes held")
    ours, bare = took["preprocess"], took["bare"]
    for heading in ("clips", *took, "overhead"):
        table.add_column(heading, justify="right")
    for many in ours:
        cells = [f"{took[side][many]:.1f}, {held[side][many]:.2f} GB" for side in took]
        table.add_row(str(many), *cells, f"{ours[many] - bare[many]:.1f}")
    for fewer, most in pairwise(ours):
        more = [1000 * (each[most] - each[fewer]) / (most - fewer) for each in took.values()]
        cells = [f"{each:.0f} ms" for each in more]
        table.add_row(f"one more of {most}", *cells, f"{more[1] / more[0]:.2f} of the pool")
    return table


def fitted(took: dict[str, dict[int, float]], held: dict[str, dict[int, float]]) -> Table:
    """Straight lines through the counts of each side: does a job grow as its clips do?"""
    table = Table(title="a + b * clips, and the share of the variance that this explains")
    for heading in ("", "a, s", "b, ms", "explained", "memory of one more, kB"):
        table.add_column(heading, justify="right" if heading else "left")
    for side, seconds in took.items():
        time = line(list(seconds), list(seconds.values()))
        memory = line(list(held[side]), list(held[side].values()))
        table.add_row(
            side, f"{time.at_zero:.1f}", f"{1e3 * time.each:.0f}", f"{time.explained:.4f}",
            f"{1e6 * memory.each:.0f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    cli.run(main)
