"""Files that lie in rows of Parquet files, as data sets of the Hugging Face hub come.

A column of such a table is a struct of ``bytes`` and ``path``: what a file holds, and what it was
called (``datasets.Audio``, ``Video`` and ``Image``). One row is one file, at ``row_uri``.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from typing import cast

import pyarrow as pa

from emotion_core.errors import ClipError
from emotion_core.storage.listing import FileInfo, has_suffix
from emotion_core.storage.reading import open_parquet
from emotion_core.storage.uris import absolute, row_uri, split_row, version_of

_BYTES, _PATH = "bytes", "path"


def held_files(uri: str, suffixes: frozenset[str] | None = None) -> Iterator[FileInfo]:
    """The files in the rows of a Parquet file, in their order; none of a table without any.

    Their size is 0, which means that it is not known: only their names are read. A row without a
    name is listed under its number, whatever the suffixes.

    Args:
        uri: of the Parquet file.
        suffixes: as ``list_files`` takes them.

    Raises:
        UsageError: it cannot be read.
    """
    uri = absolute(uri)
    row, version = 0, version_of(uri)
    with open_parquet(uri) as file:
        column = _column(file.schema_arrow)
        for group in range(file.num_row_groups if column else 0):
            names = file.read_row_group(group, [f"{column}.{_PATH}"])[column]
            for struct in names.to_pylist():
                name = (struct or {}).get(_PATH)
                if not name or has_suffix(name, suffixes):
                    yield FileInfo(row_uri(row, name or f"row {row}", uri), 0, version)
                row += 1


def held_bytes(uri: str) -> bytes:
    """What the file at a ``row_uri`` holds.

    Raises:
        ClipError: stage ``fetch``, ``unreadable``: the row holds no bytes, only a name.
        UsageError: the table cannot be read.
        FileNotFoundError: it has no such row any more.
    """
    row, name, table = split_row(uri)
    version = version_of(table)
    starts = _starts(table, version)
    group = bisect_right(starts, row) - 1
    if row >= starts[-1]:
        raise FileNotFoundError(uri)
    value = _group(table, version, group)[row - starts[group]].as_py()
    if value is None:
        raise ClipError("fetch", f"unreadable: {uri}: the row names {name} and does not hold it")
    return cast(bytes, value)


@lru_cache(maxsize=64)
def _starts(table: str, version: str) -> tuple[int, ...]:
    """The first row of each row group, and behind them the number of rows."""
    with open_parquet(table) as file:
        groups = (file.metadata.row_group(n).num_rows for n in range(file.num_row_groups))
        return tuple(accumulate(groups, initial=0))


# Clips that follow each other lie in one row group, which is read as a whole: one is kept.
@lru_cache(maxsize=1)
def _group(table: str, version: str, group: int) -> pa.Array:
    with open_parquet(table) as file:
        column = _column(file.schema_arrow)
        held = file.read_row_group(group, [f"{column}.{_BYTES}"])[column]
        return held.combine_chunks().field(_BYTES)


def _column(schema: pa.Schema) -> str | None:
    """The first column that holds files."""
    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind) and {_BYTES, _PATH} <= {each.name for each in kind}:
            inner = kind.field(_BYTES).type
            if pa.types.is_binary(inner) or pa.types.is_large_binary(inner):
                return field.name
    return None
