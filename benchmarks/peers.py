"""Labelling beside a peer, `fer`, on the same videos at the same pictures a second, in one run.

python -m benchmarks.peers VIDEOS --fer-python FER/bin/python [--processes 2] [--repeat 3]

FER is an environment of its own: python -m venv FER && FER/bin/pip install fer==25.10.3. Videos are
shared among the processes of each side by length; seconds count from when the first picture could
be asked for (imports and models are done) to the last answer, in the slowest process. `fer` looks
at faces only, we also hear the sound. A picture counts as seen where at least one face was found.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.table import Table

from emotion_core import cli
from emotion_core.corpora.inputs import collect
from emotion_core.errors import UsageError

_FER = """
import json, sys, time, cv2
from fer.fer import FER
found = FER(mtcnn=sys.argv[1] == "mtcnn")
fps, files = float(sys.argv[2]), sys.argv[3:]
started, pictures, seen = time.monotonic(), 0, 0
for path in files:
    video = cv2.VideoCapture(path)
    rate, place, due = video.get(cv2.CAP_PROP_FPS) or 25.0, 0, 0.0
    while True:
        there, picture = video.read()
        if not there:
            break
        if place / rate >= due - 1e-6:
            due += 1 / fps
            pictures += 1
            seen += bool(found.detect_emotions(picture))
        place += 1
print(json.dumps([time.monotonic() - started, pictures, seen]))
"""
_OURS = """
import sys
from benchmarks.peers import ours
ours(float(sys.argv[2]), sys.argv[3:], exact=sys.argv[1] == "exact")
"""


def ours(fps: float, files: Sequence[str], exact: bool) -> None:
    """One process of our side; prints seconds, pictures and those with a face."""
    import torch

    from emotion_core.clips.clip import manifest_table
    from emotion_core.clips.work import ClipWork
    from emotion_core.labelling.how import Labelling
    from emotion_core.labelling.step import LabelOptions
    from emotion_core.labelling.tracks import TrackFinder

    torch.set_num_threads(1)
    step = Labelling(("voice", "face"), LabelOptions(fps=fps, exact=exact)).step()
    counts = [0, 0]
    piece = TrackFinder.piece

    def counted(self: TrackFinder, *given: Any) -> Any:
        found = piece(self, *given)
        counts[0] += len(found.times_s)
        counts[1] += len({seen.time_s for seen in found.observations})
        return found

    TrackFinder.piece = counted  # type: ignore
    found = {clip.uri: clip for clip in collect(files).clips}
    works = [ClipWork(clip=r) for r in manifest_table([found[f] for f in files]).to_pylist()]
    started = time.monotonic()
    step(works)
    print(json.dumps([time.monotonic() - started, *counts]))


def at_once(command: Sequence[str], shares: Sequence[Sequence[str]]) -> tuple[float, int, int]:
    """The command with each share of the files side by side: longest seconds, sums of counts."""
    jobs = [
        subprocess.Popen([*command, *share], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True)
        for share in shares
    ]  # fmt: skip
    told = []
    for job in jobs:
        out, _ = job.communicate()
        if job.returncode:
            raise UsageError(f"{command[0]} ended with {job.returncode}: run it by hand to see why")
        told.append(json.loads(out.splitlines()[-1]))
    seconds, pictures, seen = zip(*told, strict=True)
    return max(seconds), sum(pictures), sum(seen)


def shares_of(files: Sequence[tuple[str, float]], count: int) -> list[list[str]]:
    """Files with their seconds, the longest first, each to whoever has least."""
    shares: list[tuple[float, list[str]]] = [(0.0, []) for _ in range(count)]
    for path, seconds in sorted(files, key=lambda each: -each[1]):
        least = min(range(count), key=lambda place: shares[place][0])
        shares[least] = (shares[least][0] + seconds, [*shares[least][1], path])
    return [paths for _, paths in shares if paths]


def main(
    videos: Annotated[list[str], typer.Argument(help="Files or folders.")],
    fer_python: Annotated[str | None, typer.Option(help="Python that has fer.")] = None,
    fps: Annotated[float, typer.Option(help="Pictures a second.")] = 5.0,
    processes: Annotated[int, typer.Option(min=1)] = 2,
    times: Annotated[int, typer.Option(min=1, help="Each video so often.")] = 1,
    repeat: Annotated[int, typer.Option(min=1)] = 3,
    json_to: Annotated[Path | None, typer.Option("--json", help="The figures as JSON.")] = None,
) -> None:
    """Measure both sides in turn."""
    from emotion_core.media.container import read_facts

    files = [(c.uri, read_facts(c.uri).info.duration_s) for c in collect(videos).clips] * times
    shares = shares_of(files, processes)
    media_s = sum(seconds for _, seconds in files)
    ours_, fer = [sys.executable, "-c", _OURS], [str(fer_python), "-c", _FER]
    sides = {"ours": [*ours_, "followed"], "ours, --exact": [*ours_, "exact"]}
    if fer_python:
        sides |= {"fer, MTCNN": [*fer, "mtcnn"], "fer, Haar cascades": [*fer, "haar"]}
    runs: dict[str, list[tuple[float, int, int]]] = {name: [] for name in sides}
    for _ in range(repeat):
        for name, command in sides.items():
            runs[name].append(at_once([*command, str(fps)], shares))
    table = Table(title=f"{media_s:.0f} s of video, {processes} processes, medians of {repeat}")
    for heading in ("", "seconds", "times real time", "pictures", "with a face"):
        table.add_column(heading, justify="right" if heading else "left")
    told = {}
    for name, found in runs.items():
        seconds = median(each[0] for each in found)
        pictures, seen = found[0][1:]
        told[name] = {"seconds": seconds, "speed": media_s / seconds, "seen": seen / pictures}
        cells = (f"{seconds:.1f}", f"{media_s / seconds:.1f}", str(pictures))
        table.add_row(name, *cells, f"{seen / pictures:.1%}")
    cli.console.print(table)
    if json_to is not None:
        json_to.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    cli.run(main)
