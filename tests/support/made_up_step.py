"""A submitted job of two made-up steps, of which the second one says that it needs a whole GPU.

Most of its clips are done only when two workers are there, so the job ends when a second node came.
"""

import sys
import time
from functools import partial
from pathlib import Path

import ray

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.engine.cluster import connect
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.engine.plan import plan
from emotion_core.engine.run import run_groups

CLIPS, ALONE = 24, 6
MOST_S = 240.0


class Pass:
    """Hands clips on."""

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return works


class OnGpu:
    """Says where it works; does only so many clips alone, and the others with a second worker."""

    def __init__(self, folder: str):
        self.folder = Path(folder)
        self.done = 0
        self.node = ray.get_runtime_context().get_node_id()
        assert ray.get_runtime_context().get_accelerator_ids()["GPU"], "a GPU was given"
        (self.folder / f"{self.node}.worker").touch()

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        deadline = time.monotonic() + MOST_S
        while self.done >= ALONE and len(list(self.folder.glob("*.worker"))) < 2:
            assert time.monotonic() < deadline, "no second node came"
            time.sleep(0.1)
        self.done += len(works)
        return [work.with_(decoder=self.node) for work in works]


def write(folder: str, works: list[ClipWork]) -> str:
    """One file of the clips' nodes."""
    file = Path(folder) / f"{works[0].clip['clip_id']}.txt"
    file.write_text("\n".join(str(work.decoder) for work in works))
    return str(file)


def main(folder: str) -> None:
    """Run the steps and say what came of them."""
    steps = [
        DeclaredStep(Variant(Pass, Needs(cpus=1))),
        DeclaredStep(Variant(Pass, Needs(cpus=1)), Variant(partial(OnGpu, folder), Needs(0.5, 1))),
    ]
    clips = manifest_table([Clip(f"clip-{number}", 1, "v") for number in range(CLIPS)])
    parts = run_groups(clips, plan(steps, connect()), partial(write, folder), rows_per_part=4)
    count = sum(part.rows for part in parts)
    print(f"{count} rows, {len(list(Path(folder).glob('*.worker')))} nodes with a GPU")


if __name__ == "__main__":
    main(sys.argv[1])
