"""The thin layer between pure steps and Ray Data's ``map_batches``.

Between two Ray operators a clip travels as one pickled binary column: plain Arrow to Ray, which
sidesteps its ragged tensors, and no conversion for us.

A worker that cannot make its steps (a model that this node does not see, a store that is gone)
sends its ``UsageError`` on in place of the clips. Raised there, it would reach the user as Ray's
account of a broken worker, several pages long.

A worker that died is started again with the same batch; ``attempts`` says what is done about it.
"""

import pickle
from collections.abc import Callable, Sequence

import pyarrow as pa

from emotion_core.clips.work import ClipWork
from emotion_core.engine.attempts import MOST_DEATHS, attempts_of_worker
from emotion_core.errors import UsageError

Step = Callable[[list[ClipWork]], list[ClipWork]]
# Makes the step inside the worker: detectors and child processes cannot be sent over.
StepFactory = Callable[[], Step]

_WORK = pa.schema([pa.field("work", pa.large_binary(), nullable=False)])


class Steps:
    """A Ray Data callable class: some steps, one after the other, in one worker.

    Args:
        factories: what makes the steps.
        run: names the run whose worker this is (see ``attempts``); None outside Ray.
    """

    def __init__(self, factories: Sequence[StepFactory], run: str | None = None):
        self.steps: list[Step] = []
        self.trouble: UsageError | None = None
        self.attempts = attempts_of_worker(run)
        try:
            self.steps = [factory() for factory in factories]
        except UsageError as error:
            self.trouble = error

    def __call__(self, batch: pa.Table) -> pa.Table:
        try:
            works = unpack(batch)
        except UsageError as error:
            return pack([error])
        if self.trouble is not None:
            return pack([self.trouble])
        try:
            return pack(self._done(works))
        finally:
            self.attempts.end(len(works))

    def _done(self, works: list[ClipWork]) -> list[ClipWork]:
        if any(map(self.attempts.deaths, works)):
            return [self._alone(work) for work in works]
        return self._together(works)

    def _alone(self, work: ClipWork) -> ClipWork:
        deaths = self.attempts.deaths(work)
        if work.failed or deaths < MOST_DEATHS:
            (done,) = self._together([work])
            return done
        message = f"crash: its worker died {deaths} times (no memory left, or a library crashed)"
        return work.with_(outcome=work.outcome.fail("worker", "crash", message), media=None)

    def _together(self, works: list[ClipWork]) -> list[ClipWork]:
        self.attempts.begin(works)
        for step in self.steps:
            works = step(works)
        return works


def pack(load: Sequence[ClipWork | UsageError]) -> pa.Table:
    """Clips on their way, or what ends the job instead, as one binary column, in order."""
    pickled = [pickle.dumps(each, pickle.HIGHEST_PROTOCOL) for each in load]
    return pa.table({"work": pickled}, schema=_WORK)


def unpack(batch: pa.Table) -> list[ClipWork]:
    """The clips of a batch: of the manifest (the first operator) or of ``pack``.

    Raises:
        UsageError: what a worker before this one sent on instead.
    """
    if batch.column_names != _WORK.names:
        return [ClipWork(clip=row) for row in batch.to_pylist()]
    works = []
    for row in batch["work"]:
        load: ClipWork | UsageError = pickle.loads(row.as_buffer())
        if isinstance(load, UsageError):
            raise load
        works.append(load)
    return works
