"""A submitted job of two made-up steps, of which the second one says that it needs a whole GPU."""

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

CLIPS = 24
WORK_S = 1.0


class Pass:
    """Hands clips on."""

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return works


class OnGpu:
    """Takes its time, as work that a second worker would help with, and says where it was."""

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        time.sleep(WORK_S * len(works))
        where = ray.get_runtime_context().get_node_id()
        assert ray.get_runtime_context().get_accelerator_ids()["GPU"], "a GPU was given"
        return [work.with_(decoder=where) for work in works]


def write(folder: str, works: list[ClipWork]) -> str:
    """One file of the clips' nodes."""
    file = Path(folder) / f"{works[0].clip['clip_id']}.txt"
    file.write_text("\n".join(str(work.decoder) for work in works))
    return str(file)


def main(folder: str) -> None:
    """Run the steps and say what came of them."""
    steps = [
        DeclaredStep(Variant(Pass, Needs(cpus=1))),
        DeclaredStep(Variant(Pass, Needs(cpus=1)), Variant(OnGpu, Needs(cpus=0.5, gpus=1))),
    ]
    clips = manifest_table([Clip(f"clip-{number}", 1, "v") for number in range(CLIPS)])
    parts = run_groups(clips, plan(steps, connect()), partial(write, folder), rows_per_part=4)
    count = sum(part.rows for part in parts)
    nodes = {line for file in Path(folder).glob("*.txt") for line in file.read_text().splitlines()}
    print(f"{count} rows, {len(nodes)} nodes with a GPU")


if __name__ == "__main__":
    main(sys.argv[1])
