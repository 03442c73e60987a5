"""The thin layer between pure steps and Ray Data's ``map_batches``.

Between two Ray operators a clip travels as one pickled binary column: plain Arrow to Ray, which
sidesteps its ragged tensors, and no conversion for us.
"""

import pickle
from collections.abc import Callable, Sequence

import pyarrow as pa

from emotion_core.stages.work import ClipWork

Step = Callable[[list[ClipWork]], list[ClipWork]]
# Makes the step inside the worker: detectors and child processes cannot be sent over.
StepFactory = Callable[[], Step]

_WORK = pa.schema([pa.field("work", pa.large_binary(), nullable=False)])


class Steps:
    """A Ray Data callable class: some steps, one after the other, in one worker."""

    def __init__(self, factories: Sequence[StepFactory]):
        self.steps = [factory() for factory in factories]

    def __call__(self, batch: pa.Table) -> pa.Table:
        works = unpack(batch)
        for step in self.steps:
            works = step(works)
        return pack(works)


def pack(works: list[ClipWork]) -> pa.Table:
    """Clips on their way as one binary column, in order."""
    return pa.table(
        {"work": [pickle.dumps(work, pickle.HIGHEST_PROTOCOL) for work in works]}, schema=_WORK
    )


def unpack(batch: pa.Table) -> list[ClipWork]:
    """The clips of a batch: of the manifest (the first operator) or of ``pack``."""
    if batch.column_names == _WORK.names:
        return [pickle.loads(row.as_buffer()) for row in batch["work"]]
    return [ClipWork(clip=row) for row in batch.to_pylist()]
