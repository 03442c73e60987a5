"""How memory and time of labelling grow with the length of a video.

    python -m benchmarks.long_video --minutes 120

A scene of 24 seconds (a moving face, a speech-like voice; 1280 x 720, H.264 and AAC) is repeated,
packet by packet, to a video of 2 minutes and to a longer one, or several (``--minutes``).
``jobs/label.py`` labels each in a Ray of its own: short, long, and short again, because a machine
that others use too is not the same half an hour later. Then straight lines are laid through them.

``wall`` is the whole job, Ray's start included; ``work`` is the column ``seconds`` of ``videos/``;
``cpu`` is the processor time of the worker and its decoder from the moment on that it has one: on a
machine that others use too, go by that. ``peak`` is the largest sum over the whole process tree of
what each process holds, taken every half second: proportional set sizes, in which a page that
several processes share counts once, or resident ones where the system does not tell those.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import av
import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.fits import line
from benchmarks.processes import descendants, memory_of, name_of, processor_s
from emotion_core import cli, storage
from emotion_core.errors import UsageError

ROOT = Path(__file__).resolve().parents[1]
SCENE_S = 24  # a whole number of AAC's frames (1,024 samples) at 48 kHz
SHORT_MIN = 2.0
_EVERY_S = 0.5
_MB = 1e6
_WORKER = "ray::MapWorker(MapBatches(Steps))"  # what Ray calls the process that labels


def scene(path: Path) -> Path:
    """The scene: one person of the demo corpus, who changes their mood twice."""
    from examples.demo.actors import actor
    from examples.demo.files import write_clip
    from examples.demo.performance import Part, perform
    from examples.demo.picture import Scene

    who = actor(7, 0)
    parts = [Part(mood, True, SCENE_S / 3) for mood in ("happy", "sad", "angry")]
    take = perform(who, parts, 1, (0, 7))
    still = Scene(who.look.wall, [who.look])
    write_clip(path, (still.frame([pose]) for pose in take.poses), take.sound, "scene", "made up")
    return path


def repeat(source: Path, path: Path, times: int) -> Path:
    """``source`` over and over in one MP4 file: its packets again, nothing is encoded."""
    with ExitStack() as stack:
        clip = stack.enter_context(av.open(str(source)))
        film = stack.enter_context(av.open(str(path), "w"))
        streams = [film.add_stream_from_template(stream) for stream in clip.streams]
        found = []
        for packet in clip.demux():
            pts, dts, base = packet.pts, packet.dts, packet.time_base
            # what lies outside of the scene is the encoder's run-up, in the way of a neighbour
            if pts is not None and dts is not None and 0 <= pts * base < SCENE_S:
                found.append((packet, streams[packet.stream.index], pts, dts, base))
        for turn in range(times):
            for packet, stream, pts, dts, base in found:
                late = round(turn * SCENE_S / base)
                packet.stream, packet.time_base = stream, base  # muxing has changed them
                packet.pts, packet.dts = pts + late, dts + late
                film.mux(packet)
    return path


def untrained(out: Path) -> Path:
    """A model with fresh weights: what it has learned changes neither memory nor time."""
    import torch

    from emotion_core.faces.detectors import detector_id
    from emotion_core.models.bundle import BundleInfo, save_bundle
    from emotion_core.models.networks import build_network
    from emotion_core.recipes import load_recipe
    from emotion_core.recipes.emotions import LABEL_SETS

    torch.manual_seed(1)
    recipe = load_recipe("timedist-blstm")
    assert recipe.audio is not None and recipe.video is not None
    settings = {
        "recipe": recipe.name,
        "audio": asdict(recipe.audio),
        "video": asdict(recipe.video),
        "detector": detector_id("centerface"),
        "decoder": "auto",
        "audio_backend": "librosa",
    }
    labels = LABEL_SETS[recipe.label_set]
    info = BundleInfo(recipe, labels, settings, 200, ("audio", "face"), "elte", 0)
    network = build_network(recipe, len(labels.labels))
    save_bundle(str(out), info, network.state_dict(), {}, [], "# untrained")
    return out


@dataclass
class Usage:
    """What a process tree was seen to use.

    Attributes:
        peak: bytes held by all its processes together, at most.
        largest: name and bytes of the largest of them at that moment.
        cpu_s: processor time of labelling, see the module.
    """

    peak: int = 0
    largest: list[tuple[str, int]] = field(default_factory=list)
    cpu_s: float = 0.0
    _known: set[psutil.Process] = field(default_factory=set)
    # by worker: until it had a decoder
    _before_s: dict[psutil.Process, float] = field(default_factory=dict)

    def look(self) -> None:
        """Look at every process of the tree once."""
        tree = descendants(os.getpid(), self._known)
        self._known |= tree
        names = {process: name_of(process) for process in tree}
        held = [(name, memory_of(process)) for process, name in names.items()]
        total = sum(size for _, size in held)
        if total > self.peak:
            self.peak = total
            self.largest = sorted(held, key=lambda each: -each[1])[:4]
        for worker in (each for each, name in names.items() if name.startswith(_WORKER)):
            with suppress(psutil.Error):  # it has just ended
                if children := worker.children():
                    used_s = processor_s(worker)
                    before_s = self._before_s.setdefault(worker, used_s)
                    used_s += sum(map(processor_s, children)) - before_s
                    self.cpu_s = max(self.cpu_s, used_s)


@dataclass(frozen=True)
class Run:
    """One labelled video: minutes of it, seconds of everything else; see the module."""

    minutes: float
    segments: int
    wall_s: float
    work_s: float
    usage: Usage


def run(video: Path, model: str, out: Path) -> Run:
    """Label one video and watch it."""
    command = [sys.executable, str(ROOT / "jobs" / "label.py"), "--videos", str(video)]
    command += ["--model", model, "--out", str(out), "--overwrite"]
    env = {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT)}
    usage, started = Usage(), time.monotonic()
    with (
        open(f"{out}.log", "wb") as log,
        subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT) as job,
    ):
        while job.poll() is None:
            before = time.monotonic()
            usage.look()
            # to look must not become the work
            time.sleep(max(_EVERY_S, 20 * (time.monotonic() - before)))
    if job.returncode:
        raise UsageError(f"jobs/label.py ended with {job.returncode}: see {out}.log")
    (row,) = storage.read_parquet(str(out / "videos")).to_pylist()
    return Run(
        minutes=row["duration_s"] / 60,
        wall_s=time.monotonic() - started,
        work_s=row["processing_s"],
        usage=usage,
        segments=row["n_segments"],
    )


def show(runs: list[Run]) -> None:
    """Print all runs as a table, each beside the first one."""
    console = Console(width=110)
    table = Table(title="python jobs/label.py on one video")
    headings = ("minutes", "segments", "wall s", "work s", "s/min", "ratio", "cpu s", "s/min")
    for name in (*headings, "ratio", "peak MB", "ratio"):
        table.add_column(name, justify="right")
    first = runs[0]
    for each in runs:
        cells = [f"{each.minutes:.1f}", str(each.segments), f"{each.wall_s:.0f}"]
        for seconds, of_first in (
            (each.work_s, first.work_s),
            (each.usage.cpu_s, first.usage.cpu_s),
        ):
            rate = seconds / each.minutes
            cells += [
                f"{seconds:.1f}",
                f"{rate:.2f}",
                f"{rate * first.minutes / (of_first or 1):.2f}",
            ]
        cells += [f"{each.usage.peak / _MB:,.0f}", f"{each.usage.peak / first.usage.peak:.2f}"]
        table.add_row(*cells)
    console.print(table)
    for each in runs:
        told = ", ".join(f"{name} {size / _MB:,.0f}" for name, size in each.usage.largest)
        console.print(f"{each.minutes:.0f} min, largest in MB: {told}", soft_wrap=True)


def fitted(runs: list[Run]) -> None:
    """Print straight lines through all runs: do time and memory grow as the video does?"""
    long = [each.minutes for each in runs]
    for name, unit, values in (
        ("work", "s", [each.work_s for each in runs]),
        ("cpu", "s", [each.usage.cpu_s for each in runs]),
        ("peak", "MB", [each.usage.peak / _MB for each in runs]),
    ):
        fit = line(long, values)
        cli.console.print(
            f"{name}: {fit.at_zero:,.1f} {unit} + {fit.each:.2f} {unit} a minute, which explains "
            f"{fit.explained:.2%} of the variance",
            soft_wrap=True,
        )


def main(
    minutes: Annotated[
        list[float], typer.Option(help="Length of a long video; repeatable.", min=3)
    ] = [120.0],  # noqa: B006
    model: Annotated[
        str | None, typer.Option(help="Model bundle; one that learned nothing without it.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where videos, labels and logs stay; nothing without it.")
    ] = None,
) -> None:
    """Label a 2-minute video, long ones, and the 2-minute one again. Needs 0.7 GB for an hour."""
    work = folder or Path(tempfile.mkdtemp(prefix="long-video-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        bundle = model or str(untrained(work / "model"))
        source = scene(work / "scene.mp4")
        runs: list[Run] = []
        for number, length in enumerate((SHORT_MIN, *minutes, SHORT_MIN)):
            video = work / f"{length:g} minutes.mp4"
            if not video.exists():
                repeat(source, video, round(length * 60 / SCENE_S))
            size = video.stat().st_size / _MB
            cli.console.print(f"{video.name}: {size:,.0f} MB, labelling", soft_wrap=True)
            runs.append(run(video, bundle, work / f"labels-{number}"))
            show(runs)
        fitted(runs)
    finally:
        if folder is None:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    cli.run(main)
