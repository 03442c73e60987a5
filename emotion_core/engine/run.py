"""Groups of steps as Ray Data operators, and the parts they leave behind."""

import math
import pickle
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, cast

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy
from ray.data._internal.execution.streaming_executor import StreamingExecutor

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.engine.adapter import Steps, unpack
from emotion_core.engine.attempts import forget
from emotion_core.engine.patience import Patience, Watch, awaited, standing
from emotion_core.engine.plan import Group
from emotion_core.errors import StorageError, UsageError
from emotion_core.report.progress import Tally
from emotion_core.storage.schemas import STATUSES

# Ray's slots are logical. A worker takes a little less than the CPUs it needs, so that the writers
# (hardly any work) always find a slot beside a pool that fills the machine.
CPU_SLOT = 0.9
WRITER_SLOT = 0.1

# Clips that one call of a worker handles. Small, because the pictures of a batch are in memory
# at once, and because the end of a job should not wait for one worker's last batch.
BATCH = 16

# Blocks that are still small together: each costs the job's own process some 7 kB.
_MOST_BLOCKS = 20_000
# and of the largest so many batches, which may be done again when a worker dies.
_MOST_BATCHES = 64

Writer = Callable[[list[ClipWork]], str]

# Given how many clips there are to do: a context with ``advance(n, note)``, for a progress bar.
ShowProgress = Callable[[int], AbstractContextManager[Callable[[int, str], None]]]


@dataclass(frozen=True)
class Part:
    """One committed part.

    Attributes:
        uri: the file.
        counts: rows by status.
        media_s: seconds of media in it.
        failures: the reason of each row that failed.
    """

    uri: str
    counts: dict[str, int]
    media_s: float = 0.0
    failures: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        return sum(self.counts.values())


def run_groups(
    pending: pa.Table,
    groups: list[Group],
    writer: Writer,
    rows_per_part: int,
    batch: int = BATCH,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> Iterator[Part]:
    """Send clips through the groups and write them, yielding each part as it is committed.

    Args:
        pending: rows of the manifest.
        groups: the operators, in order.
        writer: writes finished clips as one part and returns its URI.
        rows_per_part: clips a part holds (the last ones fewer).
        batch: clips that one call of a worker handles, at most.
        patience: how long it may go on without a clip that is finished.

    Raises:
        UsageError: a part was written where this process cannot see it, or a worker cannot make
            its steps.
        StorageError: a part could not be written, or the inputs not be read any more, or no clip
            was finished for too long; the parts before it are there.
    """
    if len(pending) == 0:
        return
    run = uuid.uuid4().hex
    dataset = _reports(run, pending, groups, writer, rows_per_part, batch)
    stop = _stopper(dataset)
    reports = dataset.iter_batches(batch_size=None, batch_format="pyarrow")
    left = len(pending)
    needs = [each for group in groups for each in (group.needs, *group.servers)]
    watch = Watch(patience, lambda: standing(run, left, needs))
    try:
        for report in awaited(reports, watch, watch.look_s):
            for row in cast(pa.Table, report).to_pylist():
                part = _part(row)
                left -= part.rows
                yield part
    finally:
        stop()
        forget(run)


def _stopper(dataset: ray.data.Dataset) -> Callable[[], None]:
    """What ends the work on a dataset, done or not.

    A run that is broken off is still asked for its next part, in a thread (``awaited``), which at
    the end of the process would find Ray gone and start another one. Ray Data lets go of what
    executes a dataset only once it has given a first part.
    """
    create, made = dataset._create_executor, []

    def remembered() -> StreamingExecutor:
        made.append(create())
        return made[-1]

    dataset._create_executor = remembered  # type: ignore[method-assign]

    def stop() -> None:
        for executor in made:
            executor.shutdown(force=True)

    return stop


def _reports(
    run: str,
    pending: pa.Table,
    groups: list[Group],
    writer: Writer,
    rows_per_part: int,
    batch: int,
) -> ray.data.Dataset:
    """What ``Commit`` says of each part, once it is asked for."""
    # several calls for each worker, those that may come included, so that none is left without
    size = max(1, min(batch, -(-len(pending) // (4 * _most(groups[0])))))
    sizes = block_sizes(len(pending), size, _most(groups[0]))
    rows_per_part = part_rows(rows_per_part, size, sizes[0])
    starts = accumulate(sizes, initial=0)
    blocks = [pending.slice(start, rows) for start, rows in zip(starts, sizes, strict=False)]
    # not from_arrow: that runs a task for each block before anything else, and on a cluster that
    # stands at zero these would wait for a node before the first worker is asked for
    dataset: ray.data.Dataset = ray.data.from_blocks(blocks)
    for group in groups:
        workers = max(1, min(group.workers, len(blocks)))
        dataset = dataset.map_batches(
            Steps,
            fn_constructor_args=(group.factories, run),
            batch_size=size,
            batch_format="pyarrow",
            # one worker is always asked for, there or not: its waiting is the demand that an
            # autoscaler sees. The rest may go again, and more may come.
            compute=ActorPoolStrategy(min_size=1, initial_size=workers, max_size=group.most),
            num_cpus=group.needs.cpus * CPU_SLOT,
            num_gpus=group.needs.gpus or None,
        )
    return dataset.map_batches(
        Commit,
        fn_constructor_args=(writer,),
        batch_size=rows_per_part,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=1, max_size=1 + _most(groups[-1]) // 8),
        num_cpus=WRITER_SLOT,
    )


def block_sizes(rows: int, batch: int, workers: int) -> list[int]:
    """Rows of each block, which is what a worker takes on at once, batch by batch.

    One batch each; of a job so large that its blocks would fill the memory of the process that
    keeps count of them, several. Then they get smaller towards the end (guided self-scheduling,
    Polychronopoulos and Kuck 1987), so that nobody waits for one worker's last block.
    """
    largest = batch * min(_MOST_BATCHES, -(-rows // (batch * _MOST_BLOCKS)))
    sizes = []
    while rows > 0:
        fair = batch * max(1, rows // (batch * 4 * workers))
        sizes.append(min(largest, fair, rows))
        rows -= sizes[-1]
    return sizes


def part_rows(wanted: int, batch: int, block: int) -> int:
    """Rows of a part, at most as many as wanted, but at least a batch.

    Whole blocks, or equal shares of a larger one in whole batches: Ray hands blocks on as they are,
    and what parts leave of one would be a small part of its own.
    """
    if block <= wanted:
        return block * (wanted // block)
    batches, most = math.ceil(block / batch), max(1, wanted // batch)
    return batch * math.ceil(batches / math.ceil(batches / most))


def _part(row: dict[str, Any]) -> Part:
    if row["trouble"] is not None:
        raise pickle.loads(row["trouble"])
    _check_visible(row["uri"])
    counts = {status: row[status] for status in STATUSES}
    return Part(row["uri"], counts, row["media_s"], tuple(row["failures"]))


def follow(
    parts: Iterable[Part],
    total: int,
    show: ShowProgress,
    check: storage.Check = storage.unclaimed,
) -> None:
    """Wait for all parts, telling how far it is.

    Raises:
        StorageError: ``check`` says that another job writes there now; no more parts are asked for.
    """
    tally = Tally()
    with show(total) as advance:
        for part in parts:
            check()
            advance(part.rows, tally.add(part.media_s, part.failures))


def _most(group: Group) -> int:
    return group.workers if group.most is None else group.most


class Commit:
    """A Ray Data callable class that writes batches of finished clips.

    What ends the job travels as a pickled error in the column ``trouble`` (see ``adapter``); the
    clips that were finished before are written all the same.
    """

    def __init__(self, writer: Writer):
        self.writer = writer

    def __call__(self, batch: pa.Table) -> pa.Table:
        works, trouble = unpack(batch)
        uri = None
        try:
            uri = self.writer(works) if works else None
        except (UsageError, StorageError) as error:
            trouble = error
        counts = {status: [sum(w.outcome.status == status for w in works)] for status in STATUSES}
        failures = [work.outcome.reasons[0] for work in works if work.failed]
        columns = {
            "uri": pa.array([uri], pa.string()),
            "trouble": pa.array([trouble and pickle.dumps(trouble)], pa.binary()),
            "media_s": pa.array([sum(work.duration_s or 0.0 for work in works)], pa.float64()),
            "failures": pa.array([failures], pa.list_(pa.string())),
        }
        return pa.table({**columns, **counts})


def _check_visible(uri: str) -> None:
    with storage.reading_back():
        visible = storage.exists(uri)
    if not visible:
        raise UsageError(
            f"{uri} was written on another node and cannot be seen from here: "
            "on a cluster, --out must be a folder that all nodes share, or an object store"
        )
