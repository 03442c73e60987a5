"""``videos/`` and ``segments/`` of a label job: published as ``storage.published`` promises."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.labelling.rows import segment_rows, video_rows
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION, segments_schema, videos_schema
from emotion_core.recipes.emotions import DIMENSIONS
from emotion_core.storage.parts import parts
from emotion_core.storage.published import Published

VIDEOS = "videos"
SEGMENTS = "segments"
TRACKS = "tracks"  # the column of videos/ that may be large


def published_labels(out: str) -> tuple[str, ...]:
    """The labels that the tables at ``out`` are about; empty where nothing was published yet."""
    found = parts(storage.join(out, VIDEOS))
    columns = storage.parquet_columns(found[0]) if found else ()
    return tuple(name.removeprefix("share_") for name in columns if name.startswith("share_"))


def published_dimensions(out: str) -> tuple[str, ...]:
    """The dimensions that the tables at ``out`` hold beside the labels; most hold none."""
    found = parts(storage.join(out, VIDEOS))
    columns = storage.parquet_columns(found[0]) if found else ()
    return tuple(name for name in DIMENSIONS if name in columns)


@dataclass(frozen=True)
class LabelTables:
    """The tables below one ``--out``.

    Attributes:
        out: URI of the folder.
        labels: of the model.
        model_id: of the model, or of several together.
        min_confidence: an answer with less is ``unsure``.
        dimensions: that the models tell beside them.
    """

    out: str
    labels: tuple[str, ...]
    model_id: str
    min_confidence: float = 0.0
    dimensions: tuple[str, ...] = ()

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
            VIDEOS: videos_schema(self.labels, self.dimensions).with_metadata(metadata),
            SEGMENTS: segments_schema(self.labels, self.dimensions).with_metadata(metadata),
        }

    def write(self, works: list[ClipWork], changed: frozenset[str] = frozenset()) -> str:
        """Publish finished videos (see ``Published.write``); the URI of the last file."""
        videos = video_rows(works, self.labels, self.dimensions).cast(self.schemas[VIDEOS])
        segments = segment_rows(
            works, self.labels, self.model_id, self.min_confidence, self.dimensions
        )
        segments = segments.cast(self.schemas[SEGMENTS])
        return self.published.write(videos, segments, changed)

    def videos(self) -> pa.Table | None:
        """``videos/`` as a table without embeddings, None when nothing was published yet."""
        return self.published.rows([name for name in self.schemas[VIDEOS].names if name != TRACKS])

    def by_video(self, clip_ids: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        """The rows of ``segments/`` of some videos, one video after the other.

        Only the files that hold them are read, each once, and one is in memory at a time.

        Args:
            clip_ids: of published videos; the order of the files decides theirs.

        Raises:
            UsageError: a file cannot be read.
        """
        names = self.schemas[SEGMENTS].names
        index = self.published.index().select(["file", "clip_id"])
        index = index.filter(pc.is_in(index["clip_id"], value_set=pa.array(clip_ids, pa.string())))
        for file in index.group_by("file").aggregate([("clip_id", "list")]).to_pylist():
            place = storage.join(self.out, SEGMENTS, file["file"])
            rows = storage.read_parquet([place], names)
            for clip_id in file["clip_id_list"]:
                yield clip_id, rows.filter(pc.equal(rows["clip_id"], clip_id))
