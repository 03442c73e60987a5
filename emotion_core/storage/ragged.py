"""Nested Arrow columns as flat numpy arrays with offsets: compact, and shared without copies."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Ragged:
    """Rows of different length in one array.

    Attributes:
        values: (total, ...), the rows one after the other.
        offsets: int64 (rows + 1,); row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """int64 (rows,)."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Ragged":
        """These rows, in this order."""
        parts = [self[row] for row in rows]
        return ragged(parts) if parts else Ragged(self.values[:0], np.zeros(1, np.int64))


def joined(one: Ragged, other: Ragged) -> Ragged:
    """The rows of both, one after the other."""
    offsets = np.concatenate([one.offsets, one.offsets[-1] + other.offsets[1:]])
    return Ragged(np.concatenate([one.values, other.values]), offsets)


def ragged(rows: Sequence[np.ndarray]) -> Ragged:
    """At least one array, as the rows of one."""
    return Ragged(np.concatenate(rows), offsets_of(np.array([len(row) for row in rows])))


def offsets_of(lengths: np.ndarray) -> np.ndarray:
    """Row lengths (rows,) -> int64 offsets (rows + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def list_lengths(column: pa.ChunkedArray) -> np.ndarray:
    """Length of each list, int64; a null list has length 0."""
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    return lengths.to_numpy().astype(np.int64)


def matrices(column: pa.ChunkedArray, width: int) -> Ragged:
    """A column of ``list<list<float>>`` as matrices with ``width`` columns.

    A null list is a matrix of no rows. Half floats stay half floats.

    Raises:
        ValueError: an inner list does not have ``width`` entries.
    """
    half = pa.types.is_float16(column.type.value_type.value_type)
    kind = np.float16 if half else np.float32
    values = [np.empty(0, kind)]
    for chunk in column.chunks:
        inner = chunk.flatten()
        if len(inner) and not pc.all(pc.equal(pc.list_value_length(inner), width)).as_py():
            raise ValueError(f"rows of the feature matrix do not all hold {width} numbers")
        values.append(inner.flatten().to_numpy(zero_copy_only=False).astype(kind, copy=False))
    return Ragged(np.concatenate(values).reshape(-1, width), offsets_of(list_lengths(column)))


def blobs(column: pa.ChunkedArray) -> tuple[Ragged, np.ndarray]:
    """A column of ``list<binary>`` as bytes.

    Returns:
        The bytes of every entry, one entry after the other (a null entry has none), and the int64
        offsets (rows + 1,) of the entries of each row.
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
    entries = Ragged(np.concatenate(data), offsets_of(np.concatenate(lengths)))
    return entries, offsets_of(list_lengths(column))


def any_filled(column: pa.ChunkedArray) -> np.ndarray:
    """For a column of ``list<binary>``: bool (rows,), at least one entry of the row has bytes."""
    filled = [np.empty(0, bool)]
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.flatten()), 0)
        filled.append(lengths.to_numpy(zero_copy_only=False) > 0)
    return any_of_rows(np.concatenate(filled), offsets_of(list_lengths(column)))


def any_of_rows(flags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Flags of entries (total,) and the entries' offsets (rows + 1,) -> bool (rows,)."""
    count = np.concatenate([[0], np.cumsum(flags)])
    return count[offsets[1:]] > count[offsets[:-1]]
