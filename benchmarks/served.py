"""Does a model on a GPU wait for decoders? Stand-ins on a custom resource, no GPU needed.

python -m benchmarks.served

A server holds a model that takes 1 ms a picture, in batches of 32; decoders sleep as long as
decoding takes, 0.3 s for 8 s of video, and then ask about their 40 pictures. Everything between
them is what labelling uses (``engine.served``, ``engine.merging``). Decoders only sleep, so that
many fit on a small machine.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from emotion_core import cli

PICTURES, BATCH = 40, 32
PICTURE_S, DECODE_S, STRETCH_S = 0.001, 0.3, 8.0
SHAPE = (112, 112, 3)


class StandIn:
    """A model that takes its time, and knows how long it was at work."""

    def __init__(self) -> None:
        from emotion_core.engine.merging import Merged

        self.busy_s, self.batches = 0.0, list[int]()
        self._merged = Merged(self._answers, ThreadPoolExecutor(1), BATCH)

    def about(self) -> str:
        return "stand-in"

    async def answer(self, what: str, load: Any) -> Any:
        if what == "so far":
            return self.busy_s, len(self.batches), sum(self.batches)
        parts = [load[start : start + BATCH] for start in range(0, len(load), BATCH)]
        return [a for part in await asyncio.gather(*map(self._merged.ask, parts)) for a in part]

    def _answers(self, rows: np.ndarray) -> Sequence[int]:
        started = time.monotonic()
        time.sleep(PICTURE_S * len(rows))
        self.busy_s += time.monotonic() - started
        self.batches.append(len(rows))
        return [0] * len(rows)


def measured(decoders: int, seconds: float) -> tuple[float, float, float]:
    """Stretches a second, the share of the time that the model was at work, and its mean batch."""
    import ray

    from emotion_core.engine.served import servers

    @ray.remote(num_cpus=0)
    def decode(running: Any, threads: int, until: float) -> int:
        caller = running.caller()

        def one(number: int) -> int:
            done, pictures = 0, np.zeros((PICTURES, *SHAPE), np.uint8)
            while time.time() < until:
                time.sleep(DECODE_S)
                caller.ask("detect", pictures)
                done += 1
            return done

        with ThreadPoolExecutor(threads) as pool:
            return sum(pool.map(one, range(threads)))

    with servers(StandIn, 1, resources={"model": 1}) as running:
        caller = running.caller()
        busy, batches, pictures = caller.ask("so far", None)
        started = time.monotonic()
        processes = min(4, decoders)
        shares = [len(range(n, decoders, processes)) for n in range(processes)]
        done = sum(ray.get([decode.remote(running, n, time.time() + seconds) for n in shares]))
        took_s = time.monotonic() - started
        now = caller.ask("so far", None)
    mean = (now[2] - pictures) / max(1, now[1] - batches)
    return done / took_s, (now[0] - busy) / took_s, mean


def main(
    seconds: Annotated[float, typer.Option(help="How long each number of decoders works.")] = 10.0,
    most: Annotated[int, typer.Option(help="Decoders, at most.")] = 32,
) -> int:
    """Throughput by the number of decoders, and how busy the model is."""
    import ray

    ray.init("local", num_cpus=4, resources={"model": 1}, include_dashboard=False)
    table = Table("decoders", "real time", "model at work", "pictures a batch")
    decoders = 1
    while decoders <= most:
        rate, busy, batch = measured(decoders, seconds)
        table.add_row(str(decoders), f"{rate * STRETCH_S:.0f} x", f"{busy:.0%}", f"{batch:.1f}")
        decoders *= 2
    cli.console.print(table)
    return 0


if __name__ == "__main__":
    cli.run(main)
