"""The thin layer between pure steps and Ray Data's ``map_batches``.

Between two Ray operators a clip travels as one pickled binary column: plain Arrow to Ray, which
sidesteps its ragged tensors, and no conversion for us.

A worker that cannot make its steps (a model that this node does not see), or whose step finds that
nothing can be fetched any more, sends the error on in place of the clips. Raised there, it would
reach the user as Ray's account of a broken worker, several pages long.

A worker that died is started again with the same batch; ``attempts`` says what is done about it.
"""

import pickle
from collections.abc import Callable, Sequence

import pyarrow as pa

from emotion_core.clips.work import ClipWork
from emotion_core.engine.attempts import MOST_DEATHS, attempts_of_worker
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.troubles import everybodys

# What ends a job in one line.
Ending = UsageError | StorageError

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
        self.trouble: Ending | None = None
        self.attempts = attempts_of_worker(run)
        try:
            self.steps = [factory() for factory in factories]
        except (UsageError, StorageError) as error:
            self.trouble = ending_of(error)

    def __call__(self, batch: pa.Table) -> pa.Table:
        works, trouble = unpack(batch)
        if trouble := trouble or self.trouble:
            return pack([trouble])
        try:
            return pack(self._done(works))
        except StorageError as error:
            self.trouble = error  # a part is written when it is full: fill it without more tries
            return pack([error])
        finally:
            self.attempts.end(len(works))

    def _done(self, works: list[ClipWork]) -> list[ClipWork]:
        if any(map(self._deaths, works)):
            return [self._alone(work) for work in works]
        return self._together(works)

    def _deaths(self, work: ClipWork) -> int:
        return self.attempts.deaths(work.clip["clip_id"])

    def _alone(self, work: ClipWork) -> ClipWork:
        deaths = self._deaths(work)
        if work.failed or deaths < MOST_DEATHS:
            (done,) = self._together([work])
            return done
        message = f"crash: its worker died {deaths} times (no memory left, or a library crashed)"
        return work.with_(outcome=work.outcome.fail("worker", "crash", message), media=None)

    def _together(self, works: list[ClipWork]) -> list[ClipWork]:
        self.attempts.begin({work.clip["clip_id"]: work.clip["uri"] for work in works})
        for step in self.steps:
            works = step(works)
        return works


def ending_of(error: Ending) -> Ending:
    """What ends the job when a worker or a server cannot make what it needs.

    That a store cannot be reached is no wrong usage: the job's own process could a moment ago.
    """
    return StorageError(str(error)) if everybodys(error) else error


def pack(load: Sequence[ClipWork | Ending]) -> pa.Table:
    """Clips on their way, or what ends the job instead, as one binary column, in order."""
    pickled = [pickle.dumps(each, pickle.HIGHEST_PROTOCOL) for each in load]
    return pa.table({"work": pickled}, schema=_WORK)


def unpack(batch: pa.Table) -> tuple[list[ClipWork], Ending | None]:
    """The clips of a batch, of the manifest (the first operator) or of ``pack``.

    Returns:
        The clips, and what a worker before this one sent on instead of some, if one did.
    """
    if batch.column_names != _WORK.names:
        return [ClipWork(clip=row) for row in batch.to_pylist()], None
    works, trouble = [], None
    for row in batch["work"]:
        load: ClipWork | Ending = pickle.loads(row.as_buffer())
        if isinstance(load, ClipWork):
            works.append(load)
        else:
            trouble = trouble or load
    return works, trouble
