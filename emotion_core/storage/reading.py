"""Reading a file, or a part of it, from any URI."""

import itertools
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.listing import list_files
from emotion_core.storage.uris import explain, filesystem, is_local, member_of, scheme

_PIECE = 1 << 18
# Files read at once, and of a stream those that are in memory at once.
_AT_ONCE = 8
_AHEAD = 3


def open_read(uri: str, block_size: int = 8 << 20) -> BinaryIO:
    """``uri`` as a binary file, fetched in blocks; errors as the filesystem raises them."""
    fs, path = filesystem(uri)
    if is_local(uri):
        return open(path, "rb")
    if scheme(uri) == "zip":
        return fs.zip.open(member_of(fs.zip, path))
    return fs.open(path, "rb", block_size=block_size)


def read_bytes(uri: str, start: int | None = None, end: int | None = None) -> bytes:
    """Content of ``uri``, or its bytes ``start`` to ``end`` (exclusive).

    Raises:
        UsageError: it cannot be read.
    """
    with _readable(uri):
        return bytes_of(uri, start, end)


def bytes_of(uri: str, start: int | None, end: int | None) -> bytes:
    """``read_bytes`` with the errors that the filesystem raises."""
    fs, path = filesystem(uri)
    if not is_local(uri) and scheme(uri) != "zip":
        return fs.cat_file(path, start=start, end=end)  # one ranged request
    with open_read(uri) as file:
        file.seek(start or 0)
        return file.read() if end is None else file.read(end - (start or 0))


@contextmanager
def reading_back() -> Iterator[None]:
    """What a job has just written is read again: that it cannot be is no fault of the command.

    Raises:
        StorageError: in place of a ``UsageError``.
    """
    try:
        yield
    except UsageError as error:
        raise StorageError(str(error)) from error


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    try:
        yield
    except UsageError:
        raise
    except Exception as error:  # every filesystem has its own
        raise UsageError(explain(uri, error)) from error


def read_json(uri: str) -> Any:
    """The JSON document at ``uri``.

    Raises:
        UsageError: it cannot be read or is not JSON.
    """
    data = read_bytes(uri)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{uri}: not a JSON file ({error})") from error


def read_parquet(
    uris: str | list[str], columns: list[str] | None = None, optional: Sequence[str] = ()
) -> pa.Table:
    """One table from Parquet files, in the order given.

    Args:
        uris: files; a single string may also be a folder, whose Parquet files are read by name.
        columns: only these, in this order; None reads all.
        optional: and these, where a file has them.

    Raises:
        UsageError: there is no Parquet file, one cannot be read, or lacks a column.
    """
    if isinstance(uris, str):
        listed = [info.uri for info in list_files(uris, frozenset({".parquet"}))]
        if not listed:
            raise UsageError(f"{uris}: no Parquet file there")
        uris = listed
    if not uris:
        raise UsageError("no Parquet file to read")
    with ThreadPoolExecutor(min(_AT_ONCE, len(uris))) as pool:
        tables = list(pool.map(lambda uri: _table(uri, columns, optional), uris))
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise UsageError(f"{uris[0]} and the files beside it have different columns") from error


def _table(uri: str, columns: list[str] | None, optional: Sequence[str]) -> pa.Table:
    with open_parquet(uri) as file:
        there = file.schema_arrow.names
        _require(uri, columns or (), there)
        if columns is None:
            return file.read()
        wanted = [*columns, *(name for name in optional if name in there)]
        return file.read(columns=wanted).select(wanted)


def _require(uri: str, columns: Sequence[str], there: Sequence[str]) -> None:
    if missing := sorted(set(columns) - set(there)):
        raise UsageError(f"{uri}: no column {', '.join(missing)}")


def stream_parquet(
    uris: Sequence[str], columns: list[str], added: pa.Schema | None = None
) -> Iterator[pa.Table]:
    """The row groups of Parquet files, in order; a few of them are in memory at once.

    The first row groups of the next files are read ahead: small files are many, and each is a wait
    for its store.

    Args:
        uris: files.
        columns: only these, in this order.
        added: columns that a file may lack; they are null then.

    Raises:
        UsageError: a file cannot be read, or lacks another column.
    """
    waiting = iter(uris)
    ahead: deque[tuple[str, Future[tuple[pa.Table, int]]]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:

        def read_ahead() -> None:
            for uri in itertools.islice(waiting, _AHEAD - len(ahead)):
                ahead.append((uri, pool.submit(_row_group, uri, columns, 0, added)))

        read_ahead()
        while ahead:
            uri, first = ahead.popleft()
            table, count = first.result()
            del first  # it would keep the table
            yield table
            for number in range(1, count):
                table, _ = _row_group(uri, columns, number, added)
                yield table
            del table
            read_ahead()


def _row_group(
    uri: str, columns: list[str], number: int, added: pa.Schema | None
) -> tuple[pa.Table, int]:
    """One row group (an empty table where a file has none), and how many the file has."""
    with open_parquet(uri) as file:
        there = file.schema_arrow.names
        lacking = [field for field in added or () if field.name not in there]
        held = [name for name in columns if name not in {field.name for field in lacking}]
        _require(uri, held, there)
        wanted = [number] if file.num_row_groups else []
        table = file.read_row_groups(wanted, held)
        for field in lacking:
            table = table.append_column(field, pa.nulls(len(table), field.type))
        return table.select(columns), file.num_row_groups


def parquet_columns(uri: str) -> list[str]:
    """Names of a Parquet file's columns, as its footer says.

    Raises:
        UsageError: it cannot be read.
    """
    with open_parquet(uri) as file:
        return file.schema_arrow.names


def parquet_rows(uri: str) -> int:
    """How many rows a Parquet file has, as its footer says.

    Raises:
        UsageError: it cannot be read.
    """
    with open_parquet(uri) as file:
        return file.metadata.num_rows


@contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file of which what is asked for is read.

    Raises:
        UsageError: it cannot be read, also by what is done in the block.
    """
    # in pieces as they are asked for: of one column, or the footer, the rest stays where it is
    with _readable(uri), open_read(uri, _PIECE) as file:
        try:
            yield pq.ParquetFile(file, pre_buffer=True)
        except pa.ArrowInvalid as error:
            raise UsageError(f"{uri}: not a readable Parquet file") from error
