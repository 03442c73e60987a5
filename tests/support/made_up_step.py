"""A submitted job of two made-up steps, of which the second one says that it needs a whole GPU.

It takes its time until two workers are there, so the job is still at work when a second node comes.
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

# As many seconds of work for one worker alone. It must go on: Ray Data asks for more nodes by the
# pace at which work is done, so a worker that stands still is no reason to.
CLIPS = 300
ALONE_S = 1.0


class Pass:
    """Hands clips on."""

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return works


class OnGpu:
    """Says where it works; takes a second for a clip while it is alone, and none afterwards."""

    def __init__(self, folder: str):
        self.folder = Path(folder)
        self.node = ray.get_runtime_context().get_node_id()
        assert ray.get_runtime_context().get_accelerator_ids()["GPU"], "a GPU was given"
        (self.folder / f"{self.node}.worker").touch()

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        if len(list(self.folder.glob("*.worker"))) < 2:
            time.sleep(ALONE_S * len(works))
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
    parts = run_groups(
        clips, plan(steps, connect()), partial(write, folder), rows_per_part=4, batch=1
    )
    count = sum(part.rows for part in parts)
    print(f"{count} rows, {len(list(Path(folder).glob('*.worker')))} nodes with a GPU")


if __name__ == "__main__":
    main(sys.argv[1])
