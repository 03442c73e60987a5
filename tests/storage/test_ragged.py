"""Nested columns as flat arrays, and rows of them that are never copied."""

import numpy as np
import pyarrow as pa
import pytest

from emotion_core.storage.ragged import Blobs, Ragged, blobs, end_to_end, matrices


def rows_of(values: np.ndarray, lengths: list[int]) -> Ragged:
    return Ragged(values, end_to_end(np.array(lengths, np.int64)), np.array(lengths, np.int64))


def listed(rows: Ragged) -> list[list]:
    return [rows[row].tolist() for row in range(len(rows))]


def test_nested_columns_with_nulls_slices_and_chunks() -> None:
    values = [[[1.0, 2.0], [3.0, 4.0]], None, [], [[5.0, 6.0]]]
    kind = pa.list_(pa.list_(pa.float32()))
    column = pa.chunked_array([pa.array(values, kind).slice(1), pa.array(values, kind)])
    found, lengths = matrices(column, 2)
    assert lengths.tolist() == [0, 0, 1, 2, 0, 0, 1] and found.dtype == np.float32
    assert found.tolist() == [[5, 6], [1, 2], [3, 4], [5, 6]]
    with pytest.raises(ValueError, match="do not all hold 3 numbers"):
        matrices(column, 3)

    data = [[b"ab", None, b"c"], None, [b"def"]]
    kind = pa.list_(pa.binary())
    column = pa.chunked_array([pa.array(data, kind).slice(2), pa.array(data, kind)])
    content, sizes, counts = blobs(column)
    assert content.tobytes() == b"defabcdef"
    assert sizes.tolist() == [3, 2, 0, 1, 3] and counts.tolist() == [1, 3, 0, 1]


def test_rows_that_are_taken_cut_and_joined_stay_in_their_array() -> None:
    whole = rows_of(np.arange(10), [4, 0, 3, 3])
    taken = whole.take(np.array([3, 0, 1]))
    assert listed(taken) == [[7, 8, 9], [0, 1, 2, 3], []] and taken.values is whole.values
    parts = whole.cut(np.array([0, 0, 2, 1]), [slice(0, 2), slice(2, 6), slice(5, 9), slice(0, 2)])
    assert listed(parts) == [[0, 1], [2, 3], [], []] and parts.values is whole.values
    both = taken.joined(parts)
    assert listed(both) == [*listed(taken), *listed(parts)] and both.values is whole.values
    assert listed(whole.take(np.array([], np.int64))) == []
    assert listed(whole.cut(np.array([], np.int64), [])) == []
    with pytest.raises(ValueError, match="without a copy"):
        whole.joined(rows_of(np.arange(10), [10]))
    assert listed(taken.over(np.arange(10) * 10)) == [[70, 80, 90], [0, 10, 20, 30], []]


def test_rows_of_bytes() -> None:
    data = np.frombuffer(b"abcdef", np.uint8)
    spans = np.array([[0, 2], [2, 2], [2, 3], [3, 3], [3, 6]], np.int64)
    rows = Blobs(data, rows_of(spans, [3, 0, 1, 1]))
    assert [[each.tobytes() for each in rows[row]] for row in range(len(rows))] == [
        [b"ab", b"", b"c"], [], [b""], [b"def"]]  # fmt: skip
    assert rows.filled.tolist() == [True, False, False, True]
    taken = rows.take(np.array([3, 2])).joined(rows.cut(np.array([0]), [slice(1, 2)]))
    assert [len(taken[row]) for row in range(3)] == [1, 1, 1]
    assert taken.filled.tolist() == [True, False, False] and taken.data is data
