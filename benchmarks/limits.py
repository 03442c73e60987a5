"""What it costs that no file can do harm: processor seconds with the limits and without.

    python -m benchmarks.limits                      made clips of 3 s
    python -m benchmarks.limits clips/*.mp4 --json limits.json

A round decodes ``--clips`` clips (the files in turn; ten rounds make 200) as ``preprocess`` does,
six pictures and the sound at 16 kHz, three times: ``limits``, in the child that may be killed and
that may map so much memory and no more; ``child``, in such a child whose memory is not limited;
``bare``, in this process, where a file that crashes takes everything along. Each round runs them in
another order. ``cpu`` is the processor time of this process and the child together, from the first
clip on: one clip before is not measured, so that starting the child and loading the decoders is
left out (``start`` has it).

The differences are taken within a round, and of them the median and the interval in which it lies
with 98% certainty (of ten rounds: the second smallest to the second largest, whatever their
distribution).
"""

import resource
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from emotion_core import cli, storage
from emotion_core.errors import UsageError
from emotion_core.media import decode as decoding
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.limits import MOST_BYTES
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.specs import VideoSpec

PLAN = DecodePlan(VideoSpec(count=6), 16000)
WAYS = ("limits", "child", "bare")
# Of ten differences, the median lies between the second smallest and the second largest in 98%.
_LEAST_ROUNDS = 10
_EDGE = 1


def main(
    files: Annotated[list[Path] | None, typer.Argument(exists=True, dir_okay=False)] = None,
    clips: Annotated[int, typer.Option(help="clips a round", min=1)] = 20,
    rounds: Annotated[int, typer.Option(help="measured rounds", min=_LEAST_ROUNDS)] = 10,
    json: Annotated[Path | None, typer.Option(help="write the figures there, too")] = None,
) -> None:
    """Compare decoding with limits and without."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in files or [made(Path(folder) / "clip.mp4")]]
        batch = list(islice(cycle(paths), clips))
        seconds = np.array([one_round(number, batch) for number in range(rounds)])
    result = {
        "clips": clips,
        "rounds": rounds,
        "most_bytes": MOST_BYTES,
        "cpu_s": {way: seconds[:, k, 0].round(3).tolist() for k, way in enumerate(WAYS)},
        "start_s": {way: float(np.median(seconds[:, k, 1])) for k, way in enumerate(WAYS)},
        "ms_a_clip": {
            "the limit of memory": cost(seconds[:, 0, 0] - seconds[:, 1, 0], clips),
            "the child": cost(seconds[:, 1, 0] - seconds[:, 2, 0], clips),
            "both": cost(seconds[:, 0, 0] - seconds[:, 2, 0], clips),
        },
    }
    show(result)
    if json is not None:
        storage.write_json(str(json), result)


def made(path: Path) -> Path:
    """A clip as corpora have them: one person of the demo corpus, 3 s, 1280 x 720."""
    from examples.demo.actors import actor
    from examples.demo.files import write_clip
    from examples.demo.performance import Part, perform
    from examples.demo.picture import Scene

    who = actor(7, 0)
    take = perform(who, [Part("happy", True, 3.0)], 1, (0, 7))
    scene = Scene(who.look.wall, [who.look])
    write_clip(
        path, (scene.frame([pose])[::2, ::2] for pose in take.poses), take.sound, "clip", "made up"
    )
    return path


def one_round(number: int, batch: list[str]) -> list[tuple[float, float]]:
    """(processor seconds, seconds until the first clip was there) of each way, in its order."""
    found = {}
    for step in range(len(WAYS)):
        way = WAYS[(number + step) % len(WAYS)]
        found[way] = measure(way, batch)
    return [found[way] for way in WAYS]


def measure(way: str, batch: list[str]) -> tuple[float, float]:
    """One way through all clips."""
    started = time.perf_counter()
    with ExitStack() as stack:
        decode: Callable[[str, DecodePlan], Media] = decoding.decode
        theirs: Callable[[], float] = float
        if way != "bare":
            decoder = stack.enter_context(IsolatedDecoder(120, recycle_after=10**9))
            decode, theirs = decoder.decode, lambda: decoder._call(time.process_time)
            if way == "child":
                decoder._call(resource.setrlimit, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        if not len(decode(batch[0], PLAN).frames):
            raise UsageError(f"{batch[0]}: no pictures in it")
        ready = time.perf_counter() - started
        before = time.process_time() + theirs()
        for path in batch:
            decode(path, PLAN)
        return time.process_time() + theirs() - before, ready


def cost(differences: np.ndarray, clips: int) -> tuple[float, float, float]:
    """Median, and the ends of its interval, in milliseconds a clip."""
    ordered = np.sort(1000 * differences / clips)
    ends = ordered[_EDGE], ordered[-1 - _EDGE]
    return round(float(np.median(ordered)), 3), round(float(ends[0]), 3), round(float(ends[1]), 3)


def show(result: dict) -> None:
    """The figures as tables."""
    ways = Table("", "cpu of a round", "a clip", "start", title=f"{result['clips']} clips a round")
    for way in WAYS:
        middle = float(np.median(result["cpu_s"][way]))
        each = f"{1000 * middle / result['clips']:.2f} ms"
        ways.add_row(way, f"{middle:.2f} s", each, f"{result['start_s'][way]:.2f} s")
    costs = Table("", "a clip", "98% interval", title=f"cost, of {result['rounds']} rounds")
    for name, (middle, low, high) in result["ms_a_clip"].items():
        costs.add_row(name, f"{middle:+.2f} ms", f"{low:+.2f} to {high:+.2f} ms")
    for table in (ways, costs):
        Console(width=100).print(table)


if __name__ == "__main__":
    cli.run(main)
