"""How well a live session keeps up, and what it takes: pictures, latency, processor, memory.

    python -m benchmarks.live --minutes 3

A person of the demo corpus at 640 x 480 and 25 pictures a second, speaking, plays at its own pace,
as a camera would. The whole of it, models and the child that decodes, is held to two cores.
``latency`` is from the moment at which a picture leaves the decoder to the snapshot with its
answer; ``processor`` is the share of the two cores; ``memory`` is what both processes hold alone
and their share of what they hold together. The first half minute is left out of all of them but
memory. On a machine that others use too, all of these say more about the others: the load is told.
"""

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import psutil
import typer
from rich.table import Table

from benchmarks.long_video import SCENE_S, repeat, scene
from benchmarks.processes import memory_of, processor_s
from emotion_core import cli
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.step import LabelOptions
from emotion_core.live.addresses import address
from emotion_core.live.command import FPS
from emotion_core.live.opening import opened
from emotion_core.live.session import LiveSession

SIZE = (640, 480)
_EVERY_S = 5.0
_WARM_S = 30.0


@dataclass
class Taken:
    """What was seen of a session, from outside."""

    latencies: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)  # when
    held: list[tuple[float, float]] = field(default_factory=list)  # seconds, bytes
    cpu: list[tuple[float, float]] = field(default_factory=list)  # seconds, processor seconds
    dropped: int = 0
    moments: int = 0


def small(source: Path, path: Path) -> Path:
    """The same clip at 640 x 480."""
    with av.open(str(source)) as clip, av.open(str(path), "w") as film:
        video = film.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        numbers = count()
        sound = film.add_stream_from_template(clip.streams.audio[0])
        for packet in clip.demux(clip.streams.video[0], clip.streams.audio[0]):
            if packet.stream.type == "audio":
                if packet.dts is not None:
                    packet.stream = sound
                    film.mux(packet)
                continue
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                scaled = frame.reformat(*SIZE, format="yuv420p")
                scaled.pts, scaled.time_base = next(numbers), Fraction(1, 25)
                film.mux(video.encode(scaled))
        film.mux(video.encode(None))
    return path


def family() -> list[psutil.Process]:
    """This process and its children."""
    mine = psutil.Process()
    return [mine, *mine.children()]


def memory() -> float:
    """Proportional set sizes, bytes."""
    return float(sum(map(memory_of, family())))


def processor() -> float:
    """Seconds of processor time so far."""
    total = 0.0
    for process in family():
        with suppress(psutil.Error):  # it has just ended
            total += processor_s(process)
    return total


def watch(session: LiveSession, seconds: float) -> Taken:
    """Follow a session, as a page does."""
    taken, number, shown_s = Taken(), 0, -1.0
    began = looked = time.monotonic()
    while (now := time.monotonic()) - began < seconds:
        if now - looked >= _EVERY_S:
            looked = now
            taken.held.append((now - began, memory()))
            taken.cpu.append((now - began, processor()))
        snapshot = session.newest(number, 1.0)
        if snapshot is None:
            continue
        number, taken.dropped = snapshot.number, snapshot.figures.dropped
        taken.moments += len(snapshot.moments)
        if snapshot.figures.source == "ended":
            break
        if snapshot.time_s != shown_s and now - began > _WARM_S:
            shown_s = snapshot.time_s
            taken.latencies.append(snapshot.figures.latency_s)
            taken.answered.append(now)
    return taken


def report(taken: Taken, cores: int) -> Table:
    """The figures."""
    table = Table("what", "figure")
    spent = [(when, used) for when, used in taken.cpu if when > _WARM_S]
    seconds, used = spent[-1][0] - spent[0][0], spent[-1][1] - spent[0][1]
    rate = (len(taken.answered) - 1) / (taken.answered[-1] - taken.answered[0])
    median, most = np.quantile(taken.latencies, [0.5, 0.95])
    table.add_row("pictures answered a second", f"{rate:.1f}")
    table.add_row("dropped", str(taken.dropped))
    table.add_row("latency, median and 95 %", f"{1000 * median:.0f} and {1000 * most:.0f} ms")
    table.add_row(f"processor, of {cores} cores", f"{100 * used / seconds / cores:.0f} %")
    for when, held in [*taken.held[:: max(1, len(taken.held) // 6)], taken.held[-1]]:
        table.add_row(f"memory after {when / 60:.1f} min", f"{held / 1e6:.0f} MB")
    table.add_row("answers on the timeline", str(taken.moments))
    table.add_row("load of the machine", f"{os.getloadavg()[0]:.1f}")
    return table


def main(
    minutes: Annotated[float, typer.Option(help="How long it plays.", min=1)] = 3.0,
    speakers: Annotated[bool, typer.Option("--speakers", help="Mouths too.")] = False,
    fps: Annotated[float, typer.Option(help="As jobs/live.py takes it.")] = FPS,
    cores: Annotated[int, typer.Option(help="That it may use.", min=1)] = 2,
) -> None:
    """Play a clip for so long and say how well it was kept up with."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    with tempfile.TemporaryDirectory() as folder:
        clip = small(scene(Path(folder) / "large.mp4"), Path(folder) / "scene.mp4")
        turns = int(np.ceil(60 * minutes / SCENE_S)) + 1
        film = repeat(clip, Path(folder) / "film.mp4", turns)
        how = Labelling(("voice", "face"), LabelOptions(fps=fps, speakers=speakers))
        with opened(how.step(), address(str(film), None), fps) as begun:
            session = begun.session()
            session.start()
            taken = watch(session, 60 * minutes)
            session.stop()
            session.join()
    cli.console.print(report(taken, cores))


if __name__ == "__main__":
    cli.run(main)
