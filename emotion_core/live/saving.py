"""``--save``: the tables of ``label`` about one session, written again and again while it runs."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Segment
from emotion_core.corpora.inputs import collect
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelStep
from emotion_core.labelling.tables import LabelTables
from emotion_core.live.addresses import Address
from emotion_core.report.summary import count_statuses
from emotion_core.storage.claims import ClaimLost
from emotion_core.storage.published import MANIFEST_FILE

# What a kill may cost: this, and the window that has no answer yet.
FLUSH_S = 30.0


def session_clip(given: Address, started: str) -> Clip:
    """What a session is in the tables: a file as ``label`` names it, else ``live://NAME/START``.

    That is no address that anything opens: a stream is over, and its camera shows something else.
    """
    if given.file:
        return collect([given.name]).clips[0]
    name = "".join(sign if sign.isalnum() or sign in ".-" else "-" for sign in given.name)
    return Clip(f"live://{name}/{started.replace(':', '-')}", 0, started)


class Saving:
    """One row in ``videos/`` and its segments, replaced as a whole every ``FLUSH_S`` seconds.

    Segments are held until the session has ended, 0.7 kB each, and written in a thread of their
    own, so that no picture waits for a disk.

    Args:
        step: what answers.
        tables: what is written.
        clip: the session's.
        check: the claim's.
        flush_s: seconds between two writes.
        clock: seconds that pass.
        say: takes a line for the user.
    """

    def __init__(
        self,
        step: LabelStep,
        tables: LabelTables,
        clip: Clip,
        check: storage.Check = storage.unclaimed,
        flush_s: float = FLUSH_S,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], object] = lambda line: None,
    ):
        self._say = say
        self._step, self._tables, self._check = step, tables, check
        self._flush_s, self._clock = flush_s, clock
        (row,) = manifest_table([clip]).to_pylist()
        self._work = ClipWork(row)
        self._segments: list[Segment] = []
        self._flushed = clock()
        self._writer: threading.Thread | None = None
        self._error: BaseException | None = None

    def segments(self, new: list[Segment], seen: Seen, seconds: float) -> None:
        """See ``session.Keeper``.

        A write that fails is told and tried again with the next one: a session is seen once.

        Raises:
            ClaimLost: another job writes there now.
        """
        self._segments += new
        if self._clock() - self._flushed < self._flush_s or not self._segments:
            return
        if self._writer is not None and self._writer.is_alive():
            return  # a slow store: with the next window
        self._wait()
        self._flushed = self._clock()
        self._writer = threading.Thread(target=self._write, args=(self._done(seen, seconds),))
        self._writer.start()

    def finish(self, seen: Seen, seconds: float) -> None:
        """See ``session.Keeper``.

        Raises:
            StorageError: what is left cannot be written.
        """
        self._wait()
        self._write(self._done(seen, seconds))
        if self._error is not None:
            raise self._error

    def _done(self, seen: Seen, seconds: float) -> ClipWork:
        work = self._work.with_(seconds=seconds)
        return self._step.result(work, seen, tuple(self._segments))

    def _write(self, done: ClipWork) -> None:
        self._error = None
        try:
            self._check()
            self._tables.write([done])
        except BaseException as error:  # told by whoever waits
            self._error = error

    def settled(self) -> None:
        """Wait until nothing is being written."""
        if self._writer is not None:
            self._writer.join()

    def _wait(self) -> None:
        self.settled()
        if self._error is not None:
            if isinstance(self._error, ClaimLost):
                raise self._error
            self._say(f"not saved yet, which is tried again: {self._error}")


@dataclass(frozen=True)
class Record:
    """What ``run.json`` says of a session besides its tables.

    Attributes:
        how: the models and options.
        arguments: of the command.
        given: the source.
    """

    how: Labelling
    arguments: dict[str, Any]
    given: Address


@contextmanager
def saving(
    out: str, step: LabelStep, record: Record, say: Callable[[str], None]
) -> Iterator[Saving]:
    """What keeps a session in ``out``, which becomes an output of ``label`` that is finished.

    Sessions of the same settings may share a folder: each has its own row, a file always the same.

    Args:
        out: URI of a folder.
        step: made by ``record.how``.
        record: see there.
        say: as ``storage.hold_output`` takes it.

    Raises:
        UsageError: the folder holds something else, or a session of the same file as it was before
            it changed, or another job writes there.
        StorageError: it cannot be written any more.
    """
    clock = storage.Clock()
    clip = session_clip(record.given, clock.started)
    settings = {**record.how.settings(), "live": True}
    tables = record.how.tables(out)
    with storage.hold_output(out, "labels", settings, say=say) as claim:
        named = _named(out, clip)
        storage.remove(storage.join(out, "run.json"))  # not finished any more
        storage.write_parquet(storage.join(out, MANIFEST_FILE), named)
        kept = Saving(step, tables, clip, claim.check, say=say)
        try:
            yield kept
        finally:
            kept.settled()  # what is being written is written while this holds the folder
        claim.check()
        _finish(out, tables, record, clock)


def _named(out: str, clip: Clip) -> pa.Table:
    """The manifest with the session's row behind those of others."""
    place = storage.join(out, MANIFEST_FILE)
    mine = manifest_table([clip])
    if not storage.exists(place):
        return mine
    others = storage.read_parquet([place])
    others = others.filter(pc.not_equal(others["clip_id"], clip.clip_id))
    if clip.uri in others["uri"].to_pylist():
        raise UsageError(
            f"{out}: a session of {clip.uri} is there from before the file changed: choose another "
            "folder for --save"
        )
    return pa.concat_tables([others.cast(mine.schema), mine])


def _finish(out: str, tables: LabelTables, record: Record, clock: storage.Clock) -> None:
    with storage.reading_back():
        rows = tables.videos()
    assert rows is not None
    storage.write_run_record(
        out,
        storage.RunRecord(
            job="live",
            arguments={**record.arguments, "videos": [record.given.name]},
            counts=count_statuses(rows),
            seconds=clock.seconds,
            started=clock.started,
            files=[MANIFEST_FILE, *tables.published.files()],
            extra={
                "schema_version": LABELS_SCHEMA_VERSION,
                "settings": record.how.settings(),
                "terms": record.how.terms(),
            },
        ),
    )
