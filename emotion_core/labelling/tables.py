"""``videos/`` and ``segments/`` of a label job: published as ``storage.published`` promises."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.labelling.rows import segment_rows, video_rows
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION, segments_schema, videos_schema
from emotion_core.storage.parts import parts
from emotion_core.storage.published import Published

VIDEOS = "videos"
SEGMENTS = "segments"
TRACKS = "tracks"  # the column of videos/ that may be large


@dataclass(frozen=True)
class LabelTables:
    """The tables below one ``--out``.

    Attributes:
        out: URI of the folder.
        labels: of the model.
        model_id: of the model, or of several together.
        min_confidence: an answer with less is ``unsure``.
    """

    out: str
    labels: tuple[str, ...]
    model_id: str
    min_confidence: float = 0.0

    @property
    def published(self) -> Published:
        """The two tables as files."""
        order = ("uri", "start_s", "track_id")
        return Published(self.out, VIDEOS, SEGMENTS, "n_segments", order)

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

    def write(self, works: list[ClipWork], changed: frozenset[str] = frozenset()) -> str:
        """Publish finished videos (see ``Published.write``); the URI of the last file."""
        videos = video_rows(works, self.labels).cast(self.schemas[VIDEOS])
        segments = segment_rows(works, self.labels, self.model_id, self.min_confidence)
        segments = segments.cast(self.schemas[SEGMENTS])
        return self.published.write(videos, segments, changed)

    def videos(self) -> pa.Table | None:
        """``videos/`` as a table without embeddings, None when nothing was published yet."""
        return self.published.rows([name for name in self.schemas[VIDEOS].names if name != TRACKS])

    def segments(
        self, clip_ids: Sequence[str] | None = None, columns: list[str] | None = None
    ) -> pa.Table:
        """``segments/``, or the rows of some videos; read in pieces, so that little is held."""
        schema = self.schemas[SEGMENTS].remove_metadata()
        names = schema.names if columns is None else columns
        wanted = None if clip_ids is None else pa.array(clip_ids, pa.string())
        found = [schema.empty_table().select(names)]
        for uri in parts(storage.join(self.out, SEGMENTS)):
            with storage.open_read(uri) as file:
                for batch in pq.ParquetFile(file).iter_batches(columns=[*{*names, "clip_id"}]):
                    rows = pa.Table.from_batches([batch])
                    if wanted is not None:
                        rows = rows.filter(pc.is_in(rows["clip_id"], value_set=wanted))
                    found.append(rows.select(names).cast(found[0].schema))
        return pa.concat_tables(found)
