"""Nested Arrow columns as flat numpy arrays, and rows of these as views: indices, never copies."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Ragged:
    """Rows of different length that lie anywhere in one array, which may be a mapped file.

    Attributes:
        values: (total, ...).
        starts: int64 (rows,), the place of each row's first value.
        lengths: int64 (rows,), how many it has from there on.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, row: int) -> np.ndarray:
        start = self.starts[row]
        return self.values[start : start + self.lengths[row]]

    def take(self, rows: np.ndarray) -> "Ragged":
        """These rows (int64), in this order."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])

    def cut(self, rows: np.ndarray, spans: Sequence[slice]) -> "Ragged":
        """A part of each of these rows (int64); a span may reach beyond its row's end."""
        lengths = self.lengths[rows].tolist()
        bounds = [s.indices(length)[:2] for s, length in zip(spans, lengths, strict=True)]
        start, stop = np.array(bounds, np.int64).reshape(-1, 2).T
        return replace(self, starts=self.starts[rows] + start, lengths=stop - start)

    def joined(self, other: "Ragged") -> "Ragged":
        """These rows and then those of ``other``.

        Raises:
            ValueError: ``other`` is of another array.
        """
        if other.values is not self.values:
            raise ValueError("rows of two arrays cannot be joined without a copy")
        return replace(
            self,
            starts=np.concatenate([self.starts, other.starts]),
            lengths=np.concatenate([self.lengths, other.lengths]),
        )

    def over(self, values: np.ndarray) -> "Ragged":
        """The same rows of another array that holds the same, as a copy on another machine."""
        return replace(self, values=values)


@dataclass(frozen=True)
class Blobs:
    """Rows of byte strings: of each row some entries, which lie one after the other.

    Attributes:
        data: uint8 (bytes,).
        spans: of values int64 (entries, 2), where each entry's bytes begin and end in ``data``; an
            entry may have none.
    """

    data: np.ndarray
    spans: Ragged

    def __len__(self) -> int:
        return len(self.spans)

    def __getitem__(self, row: int) -> list[np.ndarray]:
        return [self.data[start:end] for start, end in self.spans[row].tolist()]

    @property
    def filled(self) -> np.ndarray:
        """Which rows have at least one entry with bytes, bool (rows,)."""
        found = self.spans.lengths > 0
        first = self.spans.starts[found]
        last = first + self.spans.lengths[found] - 1
        found[found] = self.spans.values[last, 1] > self.spans.values[first, 0]
        return found

    def take(self, rows: np.ndarray) -> "Blobs":
        """These rows (int64), in this order."""
        return replace(self, spans=self.spans.take(rows))

    def cut(self, rows: np.ndarray, spans: Sequence[slice]) -> "Blobs":
        """Some entries of each of these rows, as ``Ragged.cut``."""
        return replace(self, spans=self.spans.cut(rows, spans))

    def joined(self, other: "Blobs") -> "Blobs":
        """These rows and then those of ``other``, as ``Ragged.joined``."""
        return replace(self, spans=self.spans.joined(other.spans))

    def over(self, data: np.ndarray, spans: np.ndarray) -> "Blobs":
        """The same rows of other arrays that hold the same."""
        return Blobs(data, self.spans.over(spans))


def end_to_end(lengths: np.ndarray) -> np.ndarray:
    """Where rows of these lengths (rows,) start that lie one after the other, int64 (rows,)."""
    return np.cumsum(lengths, dtype=np.int64) - lengths


def matrices(column: pa.ChunkedArray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A column of ``list<list<float>>`` as matrices with ``width`` columns.

    Returns:
        The rows of all matrices one after the other, float32 (total, width), or float16 where the
        column holds half floats, and how many each matrix has, int64; a null list has none.

    Raises:
        ValueError: an inner list does not have ``width`` entries.
    """
    kind = matrix_type(column.type)
    values = [np.empty(0, kind)]
    for chunk in column.chunks:
        inner = chunk.flatten()
        if len(inner) and not pc.all(pc.equal(pc.list_value_length(inner), width)).as_py():
            raise ValueError(f"rows of the feature matrix do not all hold {width} numbers")
        values.append(inner.flatten().to_numpy(zero_copy_only=False).astype(kind, copy=False))
    return np.concatenate(values).reshape(-1, width), _list_lengths(column)


def matrix_type(column: pa.DataType) -> np.dtype:
    """How the numbers of a ``list<list<float>>`` are kept."""
    half = pa.types.is_float16(column.value_type.value_type)
    return np.dtype(np.float16 if half else np.float32)


def blobs(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A column of ``list<binary>`` as bytes.

    Returns:
        The bytes of all entries one after the other, uint8; how many each entry has, int64 (a null
        entry has none); how many entries each row has, int64.
    """
    data, lengths = [np.empty(0, np.uint8)], [np.empty(0, np.int64)]
    for chunk in column.chunks:
        flat = pc.fill_null(chunk.flatten().cast(pa.large_binary()), b"")
        if not len(flat):
            continue
        _, offset_buffer, value_buffer = flat.buffers()
        offsets = np.frombuffer(offset_buffer, np.int64)[flat.offset : flat.offset + len(flat) + 1]
        lengths.append(np.diff(offsets))
        if value_buffer is not None:
            data.append(np.frombuffer(value_buffer, np.uint8)[offsets[0] : offsets[-1]])
    return np.concatenate(data), np.concatenate(lengths), _list_lengths(column)


def _list_lengths(column: pa.ChunkedArray) -> np.ndarray:
    """Length of each list, int64; a null list has length 0."""
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    return lengths.to_numpy().astype(np.int64)
