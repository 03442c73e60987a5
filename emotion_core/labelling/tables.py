"""``videos/`` and ``segments/`` of a label job, and the parts that they grow from.

While a job runs, finished videos are written to ``parts/``, a few at a time: first a part of
``parts/segments/``, then one of ``parts/videos/``, which is the proof that the former is whole.
When all are done, parts and earlier tables become new tables of a few large files, each of which
replaces the earlier one in one step. So whoever reads ``videos/`` or ``segments/`` sees the result
of a whole run, the last one or the one before, and never a part of one. (The two are replaced one
after the other, and so are the files of a table of several: each video's rows are whole, and there
once, at any moment.)

Nothing is lost to a kill at any moment, because parts go only after both tables hold them, and
because of the order: ``videos/`` never holds a video whose segments are in neither place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.labelling.merging import merge
from emotion_core.labelling.rows import segment_rows, video_rows
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION, segments_schema, videos_schema
from emotion_core.storage import commits

VIDEOS = "videos"
SEGMENTS = "segments"
PARTS = "parts"

# A file of each table holds this many videos and their segments, up to about a gigabyte.
VIDEOS_PER_FILE = 200_000

_SORTED = {
    VIDEOS: [("uri", "ascending")],
    SEGMENTS: [("uri", "ascending"), ("start_s", "ascending"), ("track_id", "ascending")],
}
# A video of which this is said may fare better another time.
_PASSING = ("timeout", "crash", "gone")


@dataclass(frozen=True)
class LabelTables:
    """The tables below one ``--out``.

    Attributes:
        out: URI of the folder.
        labels: of the model.
        model_id: of the model, or of several together.
    """

    out: str
    labels: tuple[str, ...]
    model_id: str

    @cached_property
    def schemas(self) -> dict[str, pa.Schema]:
        """Schema of each table, with the metadata of its files."""
        metadata = {
            "schema_version": str(LABELS_SCHEMA_VERSION),
            "model_id": self.model_id,
            "labels": ",".join(self.labels),
        }
        return {
            VIDEOS: videos_schema(self.labels).with_metadata(metadata),
            SEGMENTS: segments_schema(self.labels).with_metadata(metadata),
        }

    def write(self, works: list[ClipWork]) -> str:
        """Write finished videos as one part; its URI."""
        name = commits.part_name(work.clip["clip_id"] for work in works)
        found = segment_rows(works, self.labels, self.model_id)
        if len(found):
            commits.write_part(self._parts(SEGMENTS), name, found, {})
        return commits.write_part(self._parts(VIDEOS), name, video_rows(works, self.labels), {})

    def pending(self, manifest: pa.Table, retry_failed: bool = False) -> pa.Table:
        """Rows of the manifest that have to be done; nothing is changed.

        Args:
            manifest: schema ``tables.MANIFEST``.
            retry_failed: videos that failed, or of which a part was left out for want of time or
                because something crashed, count as not done.
        """
        columns = ["clip_id", "status", "reasons"]
        published = commits.committed(self._table(VIDEOS), columns)
        fresh = commits.committed(self._parts(VIDEOS), columns)
        if published is not None and fresh is not None:  # what was done again counts
            again = pc.is_in(published["clip_id"], value_set=fresh["clip_id"])
            published = published.filter(pc.invert(again))
        known = [rows for rows in (published, fresh) if rows is not None]
        if not known:
            return manifest
        rows = pa.concat_tables(known)
        done = rows["clip_id"]
        if retry_failed:
            done = done.filter(pc.invert(pc.is_in(done, value_set=_worth_a_retry(rows))))
        return manifest.filter(pc.invert(pc.is_in(manifest["clip_id"], value_set=done)))

    def clear_up(self, manifest: pa.Table, pending: pa.Table) -> None:
        """Drop parts of videos that changed or went, are to be done again, or were never proven.

        And what an earlier run, killed in the middle of a file, left unfinished.
        """
        for table in (VIDEOS, SEGMENTS):
            storage.remove_unfinished(self._table(table))
            storage.remove_unfinished(self._parts(table))
        wanted = manifest["clip_id"]
        kept = wanted.filter(pc.invert(pc.is_in(wanted, value_set=pending["clip_id"])))
        commits.drop_stale(self._parts(VIDEOS), kept)
        proven = commits.committed(self._parts(VIDEOS), ["clip_id"])
        proven_ids = pa.array([], pa.string()) if proven is None else proven["clip_id"]
        commits.drop_stale(self._parts(SEGMENTS), proven_ids)

    def publish(self, manifest: pa.Table) -> None:
        """Make the tables hold exactly the videos of the manifest, all of which are done."""
        fresh = commits.committed(self._parts(VIDEOS), ["clip_id"])
        if fresh is None and self._is_published(manifest):
            self._remove_parts()
            return
        fresh_ids = (
            pa.array([], pa.string()) if fresh is None else fresh["clip_id"].combine_chunks()
        )
        old = manifest["clip_id"].combine_chunks()
        old = old.filter(pc.invert(pc.is_in(old, value_set=fresh_ids)))
        count = max(1, -(-len(manifest) // VIDEOS_PER_FILE))
        for table in (VIDEOS, SEGMENTS):  # this way round: see the module
            sources = [(uri, fresh_ids) for uri in commits.parts(self._parts(table))]
            sources += [(uri, old) for uri in commits.parts(self._table(table))]
            names = [f"{table}-{i:04d}-of-{count:04d}{commits.SUFFIX}" for i in range(count)]
            targets = [storage.join(self._table(table), name) for name in names]
            merge(sources, targets, self.schemas[table], _SORTED[table], len(manifest))
            for uri in commits.parts(self._table(table)):
                if uri.rsplit("/", 1)[-1] not in names:
                    storage.remove(uri)
        self._remove_parts()

    def videos(self) -> pa.Table | None:
        """``videos/`` as a table, None when nothing was published yet."""
        return commits.committed(self._table(VIDEOS))

    def segments(
        self, clip_ids: Sequence[str] | None = None, columns: list[str] | None = None
    ) -> pa.Table:
        """``segments/``, or the rows of some videos; read in pieces, so that little is held."""
        schema = self.schemas[SEGMENTS].remove_metadata()
        names = schema.names if columns is None else columns
        wanted = None if clip_ids is None else pa.array(clip_ids, pa.string())
        found = [schema.empty_table().select(names)]
        for uri in commits.parts(self._table(SEGMENTS)):
            with storage.open_read(uri) as file:
                for batch in pq.ParquetFile(file).iter_batches(columns=[*{*names, "clip_id"}]):
                    rows = pa.Table.from_batches([batch])
                    if wanted is not None:
                        rows = rows.filter(pc.is_in(rows["clip_id"], value_set=wanted))
                    found.append(rows.select(names).cast(found[0].schema))
        return pa.concat_tables(found)

    def files(self) -> list[str]:
        """Names of the published files, relative to ``out``."""
        return [
            f"{table}/{uri.rsplit('/', 1)[-1]}"
            for table in (VIDEOS, SEGMENTS)
            for uri in commits.parts(self._table(table))
        ]

    def _table(self, table: str) -> str:
        return storage.join(self.out, table)

    def _parts(self, table: str) -> str:
        return storage.join(self.out, PARTS, table)

    def _is_published(self, manifest: pa.Table) -> bool:
        rows = commits.committed(self._table(VIDEOS), ["clip_id"])
        if rows is None or not commits.parts(self._table(SEGMENTS)) or len(rows) != len(manifest):
            return False
        return bool(pc.all(pc.is_in(manifest["clip_id"], value_set=rows["clip_id"])).as_py())

    def _remove_parts(self) -> None:
        # the proof goes first: segments without one are dropped, a proof without segments is a lie
        for table in (VIDEOS, SEGMENTS):
            storage.remove(self._parts(table))
        storage.remove(storage.join(self.out, PARTS))


def _worth_a_retry(rows: pa.Table) -> pa.Array:
    again = [
        clip_id
        for clip_id, status, reasons in zip(
            *(rows[name].to_pylist() for name in ("clip_id", "status", "reasons")), strict=True
        )
        if status == "failed" or any(reason in _PASSING for reason in reasons)
    ]
    return pa.array(again, pa.string())
