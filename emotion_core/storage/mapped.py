"""Columns of Parquet files as arrays over files of this machine: any size, in bounded memory.

Large columns are written once a machine to flat files in a folder that its processes share, and
mapped from there. Pages that are looked at come from the disk and stay in the system's page cache
as long as there is room: what fits into memory is in memory, what does not is read again.
"""

import hashlib
import os
import weakref
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.listing import FileInfo, list_files
from emotion_core.storage.parts import SUFFIX
from emotion_core.storage.ragged import Blobs, Ragged, blobs, end_to_end, matrices, matrix_type
from emotion_core.storage.reading import stream_parquet
from emotion_core.storage.schemas import ADDED
from emotion_core.storage.temporary import shared_folder
from emotion_core.storage.uris import absolute

_ROWS = "rows.arrow"
_VALUES, _LENGTHS = "values.npy", "lengths.npy"
_BYTES, _SPANS, _COUNTS = "bytes.npy", "spans.npy", "counts.npy"


@dataclass(frozen=True)
class Source:
    """Columns of the Parquet files in a folder, as they were when they were listed.

    Attributes:
        folder: absolute URI.
        files: see there; their order is that of the rows.
        plain: columns that are small.
        matrix: a column of ``list<list<float>>``, and how many numbers its inner lists hold.
        blobs: a column of ``list<binary>``.
    """

    folder: str
    files: tuple[FileInfo, ...]
    plain: tuple[str, ...]
    matrix: tuple[str, int] | None = None
    blobs: str | None = None

    @property
    def key(self) -> str:
        """16 hex digits that change when the files do, or what is wanted of them."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


def listed(
    folder: str, plain: tuple[str, ...], matrix: tuple[str, int] | None, blobs: str | None
) -> Source:
    """The ``Source`` of the Parquet files that are in ``folder`` now."""
    place = absolute(folder)
    return Source(place, _files(place), plain, matrix, blobs)


def _files(folder: str) -> tuple[FileInfo, ...]:
    return tuple(list_files(folder, frozenset({SUFFIX})))


class LocalCopy:
    """A ``Source`` on this machine, held until ``close``, or until nobody knows it any more.

    Args:
        source: what to copy, where no process of this machine has done so.

    Attributes:
        source: what it is a copy of.
        matrix: every row of the column, None without one.
        blobs: every row of the column, None without one.

    Raises:
        UsageError: the files cannot be read, lack a column or do not belong together.
        StorageError: no room below ``TMPDIR``, or the files changed since they were listed.
    """

    def __init__(self, source: Source):
        held = ExitStack()
        name = f"columns-{source.key}"
        folder = held.enter_context(shared_folder(name, lambda place: _write(source, place)))
        self.source, self._folder = source, folder
        # also at the interpreter's end; mapped arrays outlive the names of their files
        self.close = weakref.finalize(self, held.close)
        self.matrix: Ragged | None = None
        self.blobs: Blobs | None = None
        if source.matrix is not None:
            self.matrix = _rows_of(_mapped(folder, _VALUES), _mapped(folder, _LENGTHS))
        if source.blobs is not None:
            spans = _rows_of(_mapped(folder, _SPANS), _mapped(folder, _COUNTS))
            self.blobs = Blobs(_mapped(folder, _BYTES), spans)

    def __enter__(self) -> "LocalCopy":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def rows(self) -> pa.Table:
        """The plain columns of every row."""
        with pa.memory_map(os.path.join(self._folder, _ROWS)) as file:
            return pa.ipc.open_file(file).read_all()


def _mapped(folder: str, name: str) -> np.ndarray:
    # a plain array: slices of np.memmap are slower
    return np.asarray(np.load(os.path.join(folder, name), mmap_mode="r"))


def _rows_of(values: np.ndarray, lengths: np.ndarray) -> Ragged:
    return Ragged(values, end_to_end(lengths), np.array(lengths))


def _write(source: Source, folder: str) -> None:
    """The files of a copy, a row group of the source after the other."""
    columns = [*source.plain]
    columns += [source.matrix[0]] if source.matrix else []
    columns += [source.blobs] if source.blobs else []
    writer: _Writer | None = None
    with ExitStack() as opened:
        for table in stream_parquet([file.uri for file in source.files], columns, ADDED):
            if writer is None:
                writer = opened.enter_context(_Writer(source, folder, table.schema))
            try:
                writer.add(table)
            except ValueError as error:
                raise UsageError(f"{source.folder} is damaged: {error}") from error
    pa.default_memory_pool().release_unused()  # what row groups took, and nobody needs again
    if _files(source.folder) != source.files:
        raise StorageError(f"{source.folder}: changed while it was read: repeat the command")


class _Writer(ExitStack):
    """The files of a copy, which grow with each row group."""

    def __init__(self, source: Source, folder: str, schema: pa.Schema):
        super().__init__()
        self.source = source
        plain = pa.schema([schema.field(name) for name in source.plain])
        self.rows = self.enter_context(pa.ipc.new_file(os.path.join(folder, _ROWS), plain))

        def grow(name: str, dtype: np.dtype | type, *shape: int) -> _Growing:
            return self.enter_context(_Growing(os.path.join(folder, name), dtype, shape))

        if source.matrix is not None:
            column, width = source.matrix
            self.values = grow(_VALUES, matrix_type(schema.field(column).type), width)
            self.lengths = grow(_LENGTHS, np.int64)
        if source.blobs is not None:
            self.bytes = grow(_BYTES, np.uint8)
            self.spans, self.counts = grow(_SPANS, np.int64, 2), grow(_COUNTS, np.int64)

    def add(self, table: pa.Table) -> None:
        """One row group."""
        self.rows.write_table(table.select(self.source.plain).replace_schema_metadata(None))
        if self.source.matrix is not None:
            column, width = self.source.matrix
            values, lengths = matrices(table[column], width)
            self.values.append(values)
            self.lengths.append(lengths)
        if self.source.blobs is not None:
            data, lengths, counts = blobs(table[self.source.blobs])
            starts = self.bytes.length + end_to_end(lengths)
            self.spans.append(np.column_stack([starts, starts + lengths]))
            self.bytes.append(data)
            self.counts.append(counts)


class _Growing:
    """A ``.npy`` file whose first axis grows: numpy leaves room for that in the header."""

    def __init__(self, path: str, dtype: np.dtype | type, shape: tuple[int, ...]):
        self.dtype, self.shape, self.length = np.dtype(dtype), shape, 0
        self._file = open(path, "wb")  # noqa: SIM115  # closed by __exit__

    def __enter__(self) -> "_Growing":
        self._head()
        return self

    def append(self, values: np.ndarray) -> None:
        """More values (rows, *shape)."""
        self._file.write(np.ascontiguousarray(values, self.dtype).data)
        self.length += len(values)

    def __exit__(self, *error: object) -> None:
        with self._file:
            self._file.seek(0)
            self._head()

    def _head(self) -> None:
        told = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.length, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, told)
