"""Tables that hold each clip's rows once, at every moment that somebody may look.

A job's result is a folder of Parquet files, ``OUT/TABLE/*.parquet``, with one row for each clip;
a second table may hold details of the clips (the segments of a video), in files of the same names.
Whoever reads the globs while a job runs, or after it was killed anywhere, sees what follows.

Guaranteed, after every single call to the store, for one writer at a time (``storage.claims``):

* each file is whole: it appears, and is replaced, in one step;
* each published clip has its row once in TABLE, and all its rows once in the details;
* finished clips become readable while the job runs: first the file of their details, then, as the
  proof that these are whole, the file of their rows. New clips are new files, one of each table for
  an archive that grew by one; nothing that was there is touched;
* a clip that changed, or was tried again, keeps its old rows until the new ones take their place
  in the same file, one step a table. They wait for that in ``OUT/changed/``, until the job ends or
  the next one begins, because a batch of them belongs to many files.

Not guaranteed: that two tables change at the same moment. Details of a new clip may be there before
its row. While a changed clip is replaced (after a kill, until the next run) its details are of the
new content and its row of the old, so a join on ``clip_id`` finds none. A read of many files is no
snapshot, and one that overlaps the replacement of a file may fail (S3: by its ETag). Fewer, larger
files would need a moment in which rows are doubled, so these are a copy (``labelling.compact``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core.errors import UsageError
from emotion_core.storage.listing import exists
from emotion_core.storage.parts import (
    SUFFIX,
    disagreeing,
    first_of_each,
    identity,
    keeping,
    name_of,
    not_named,
    part_name,
    parts,
    read_index,
    read_parts,
    rows_of,
    same_ids,
)
from emotion_core.storage.reading import read_parquet, reading_back
from emotion_core.storage.uris import join
from emotion_core.storage.writing import remove, remove_unfinished, write_parquet

MANIFEST_FILE = "manifest.parquet"
CHANGED = "changed"


@dataclass(frozen=True)
class Published:
    """One table, or a table and its details, below one folder.

    Attributes:
        out: URI of the folder.
        table: its name; has ``clip_id uri status reasons`` and may have ``member``.
        details: name of the second table, which has ``clip_id``; None without one.
        n_details: the column of the first table that says how many rows a clip has in the second.
        order: columns that a file of the details is sorted by; the table's are by ``uri``.
    """

    out: str
    table: str
    details: str | None = None
    n_details: str | None = None
    order: tuple[str, ...] = ()

    def rows(self, columns: list[str] | None = None) -> pa.Table | None:
        """The table, None when nothing was published yet."""
        return read_parts(join(self.out, self.table), columns)

    def files(self) -> list[str]:
        """The globs that a reader takes, relative to ``out``."""
        return [f"{name}/*{SUFFIX}" for name in self._names]

    def write(
        self, rows: pa.Table, details: pa.Table | None, changed: frozenset[str] = frozenset()
    ) -> str:
        """Publish finished clips, or lay those in ``changed`` by; the URI of the last file.

        Args:
            rows: of the first table, one a clip, with the metadata of its files.
            details: their rows of the second, likewise, in any order.
            changed: ``clip_id`` of clips that have rows already (see ``fill``).

        Raises:
            StorageError: they cannot be written.
        """
        uri = ""
        again = pc.is_in(rows["clip_id"], value_set=pa.array(sorted(changed), pa.string()))
        for place, which in ((self, pc.invert(again)), (self._changed, again)):
            some = rows.filter(which)
            if len(some):
                name = part_name(some["clip_id"].to_pylist())
                if self.details is not None and details is not None:
                    place._write(self.details, name, rows_of(details, some["clip_id"]))
                uri = place._write(self.table, name, some)
        return uri

    def fill(
        self,
        manifest: pa.Table,
        work: Callable[[pa.Table, frozenset[str]], None],
        retry_failed: bool = False,
        prune: bool = False,
    ) -> int:
        """Make the tables hold exactly the clips of the manifest, which is written there first.

        Args:
            manifest: schema ``schemas.MANIFEST``.
            work: has ``write`` called with each of these clips, in any process, before it returns;
                those in its second argument have rows already.
            retry_failed: clips that failed, or ran out of time, or crashed, are done again.
            prune: rows of clips that the manifest does not name go; without it that is refused.

        Returns:
            How many clips had to be done.

        Raises:
            UsageError: the tables hold clips that the manifest does not name, or cannot be read.
            StorageError: they cannot be written, or no longer be read.
            RuntimeError: they do not hold in the end what they should.
        """
        held = self.index()
        manifest = keeping(held, manifest)
        self.refuse_narrowing(held, manifest, prune)
        write_parquet(join(self.out, MANIFEST_FILE), manifest)
        held, damaged = self._repair(held)
        held = self._drop(held, not_named(held, manifest))
        todo, again = self.pending(held, manifest, retry_failed, damaged)
        if len(todo):
            work(todo, again)
        with reading_back():
            self._replace_changed()
            self._check(self.index() if len(todo) else held, manifest)
        return len(todo)

    def index(self) -> pa.Table:
        """What there is: ``parts.INDEX`` of every row of the first table."""
        return read_index(join(self.out, self.table), self.n_details)

    def refuse_narrowing(self, held: pa.Table, manifest: pa.Table, prune: bool) -> None:
        """Raises ``UsageError`` when rows would go that nobody asked to drop."""
        left = not_named(held, manifest)
        if len(left) and not prune:
            raise UsageError(
                f"{self.out} holds {len(left)} clips that are not among these inputs, such as "
                f"{left['uri'][0]}: pass --prune to drop their rows, or choose another --out"
            )

    def pending(
        self,
        held: pa.Table,
        manifest: pa.Table,
        retry_failed: bool = False,
        damaged: pa.Array | None = None,
    ) -> tuple[pa.Table, frozenset[str]]:
        """What of the manifest has to be done, and which of it has rows; nothing is changed.

        New clips come first, at random (by id), so that the time that is left can be told from what
        is done; those that have rows in the order of their files, to take their place file by file.
        """
        done = held.filter(pc.invert(held["again"])) if retry_failed else held
        if damaged is not None:
            done = done.filter(pc.invert(pc.is_in(done["clip_id"], value_set=damaged)))
        waiting = self._changed.index()
        ids = pa.chunked_array([*done["clip_id"].chunks, *waiting["clip_id"].chunks], pa.string())
        todo = manifest.filter(pc.invert(pc.is_in(manifest["clip_id"], value_set=ids)))
        place = pc.index_in(identity(todo), value_set=held["identity"])
        again = todo.filter(pc.is_valid(place))["clip_id"].to_pylist()
        keys = pa.table({"place": pc.fill_null(place, -1), "clip_id": todo["clip_id"]})
        order = pc.sort_indices(keys, [("place", "ascending"), ("clip_id", "ascending")])
        return todo.take(order), frozenset(again)

    # --- before the work ---------------------------------------------------------------------

    def _repair(self, held: pa.Table) -> tuple[pa.Table, pa.Array]:
        """Finish or undo what a killed job left: what there is then, and whose details are lost."""
        for place in (self, self._changed):
            for name in self._names:
                remove_unfinished(join(place.out, name))
            proven = {name_of(uri) for uri in parts(join(place.out, self.table))}
            for uri in parts(join(place.out, self.details)) if self.details else ():
                if name_of(uri) not in proven:
                    remove(uri)  # their clips will be done again, perhaps in other files
        for name in self._changed._disagreeing(self._changed.index()):
            remove(join(self._changed.out, self.table, name))
        if self._replace_changed():
            held = self.index()
        # a worker that outlived its job may have written what the next job did as well
        held = self._drop(held, held.filter(pc.invert(first_of_each(held))))
        return held, self._restore_details(held)

    def _restore_details(self, held: pa.Table) -> pa.Array:
        """Only details that a row proves stay; clips that do not have all of theirs."""
        lost = [pa.array([], pa.string())]
        for name in self._disagreeing(held):
            self._rewrite(name)
            rows = held.filter(pc.equal(held["file"], name))
            uri = join(self.out, str(self.details), name)
            ids = read_parquet([uri], ["clip_id"])["clip_id"] if exists(uri) else lost[0]
            found = pc.value_counts(ids)
            at = pc.index_in(rows["clip_id"], value_set=found.field("values"))
            counts = pc.fill_null(found.field("counts").take(at), 0)
            lost += rows.filter(pc.not_equal(rows["n_details"], counts))["clip_id"].chunks
        return pa.concat_arrays(lost)

    def _drop(self, held: pa.Table, rows: pa.Table) -> pa.Table:
        """Without these rows of ``held``; what there is then."""
        for name in pc.unique(rows["file"]).to_pylist():
            self._rewrite(name, rows.filter(pc.equal(rows["file"], name))["clip_id"])
        return self.index() if len(rows) else held

    # --- after it ----------------------------------------------------------------------------

    def _replace_changed(self) -> bool:
        """New rows take the place of old ones, each in its own file; True when there were some."""
        waiting = self._changed.index()
        if not len(waiting):
            return False
        waiting = waiting.filter(first_of_each(waiting))
        held = self.index()
        at = pc.index_in(waiting["identity"], value_set=held["identity"])
        # where the old row is gone, the new one gets a file as every new clip does
        target = pc.coalesce(held["file"].take(at), waiting["file"])
        read = lru_cache(maxsize=8)(lambda uri: read_parquet([uri]))
        for name in pc.unique(target).to_pylist():
            chosen = pc.equal(target, name)
            mine, old = waiting.filter(chosen), held["clip_id"].take(at.filter(chosen))
            new = {}
            for table in self._names:
                folder = join(self._changed.out, table)
                by_file = mine.group_by("file").aggregate([("clip_id", "list")]).to_pylist()
                new[table] = pa.concat_tables(
                    rows_of(read(join(folder, one["file"])), pa.array(one["clip_id_list"]))
                    for one in by_file
                )
            self._rewrite(name, old.drop_null(), new)
        for table in self._names:  # the proof first: without it, details do not count
            for uri in parts(join(self._changed.out, table)):
                remove(uri)
        remove(self._changed.out)
        return True

    def _check(self, held: pa.Table, manifest: pa.Table) -> None:
        if not same_ids(held, manifest):
            raise RuntimeError(f"{self.out} does not hold one row for each of its inputs")
        if wrong := self._disagreeing(held):
            lacking = join(self.out, str(self.details), wrong[0])
            raise RuntimeError(f"{lacking} does not hold the rows that {self.table}/ promises")

    def _disagreeing(self, held: pa.Table) -> list[str]:
        return disagreeing(held, join(self.out, self.details)) if self.details else []

    def _rewrite(
        self,
        name: str,
        old: pa.Array | pa.ChunkedArray | None = None,
        new: Mapping[str, pa.Table] | None = None,
    ) -> None:
        """One file of each table without the clips in ``old``, and with the rows in ``new``."""
        held = {
            table: read_parquet([uri])
            for table in self._names
            if exists(uri := join(self.out, table, name))
        }
        proof = held.get(self.table)
        keep = proof["clip_id"] if proof is not None else pa.chunked_array([], pa.string())
        if old is not None:
            keep = keep.filter(pc.invert(pc.is_in(keep, value_set=old)))
        # what goes, goes from the proof first; what comes, comes there last
        for table in self._names if new is None else reversed(self._names):
            before = held.get(table)
            after = [] if before is None else [rows_of(before, keep)]
            after += [] if new is None else [new[table]]
            if new is None and not len(keep):
                remove(join(self.out, table, name))
            elif new is not None or (before is not None and len(after[0]) < len(before)):
                self._write(table, name, pa.concat_tables(after, promote_options="default"))

    def _write(self, table: str, name: str, rows: pa.Table) -> str:
        order = self.order if table == self.details else ("uri",)
        uri = join(self.out, table, name)
        write_parquet(uri, rows.sort_by([(column, "ascending") for column in order]))
        return uri

    @property
    def _names(self) -> tuple[str, ...]:
        return (self.table, *([self.details] if self.details else []))

    @property
    def _changed(self) -> "Published":
        return replace(self, out=join(self.out, CHANGED))
