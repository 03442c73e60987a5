"""Reading a file, or a part of it, from any URI."""

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.listing import list_files
from emotion_core.storage.troubles import retrying, trouble_with
from emotion_core.storage.uris import explain, filesystem, is_local, path_of, scheme

_CHUNK = 1 << 20
_PIECE = 1 << 18
# Files read at once.
_AT_ONCE = 8
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_SAFE_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


def open_read(uri: str, block_size: int = 8 << 20) -> BinaryIO:
    """``uri`` as a binary file, fetched in blocks; errors as the filesystem raises them."""
    fs, path = filesystem(uri)
    if is_local(uri):
        return open(path, "rb")
    if scheme(uri) == "zip":
        if path not in fs.zip.NameToInfo:
            raise FileNotFoundError(path)
        return fs.zip.open(path)
    return fs.open(path, "rb", block_size=block_size)


def read_bytes(uri: str, start: int | None = None, end: int | None = None) -> bytes:
    """Content of ``uri``, or its bytes ``start`` to ``end`` (exclusive).

    Raises:
        UsageError: it cannot be read.
    """
    with _readable(uri):
        return _bytes(uri, start, end)


def _bytes(uri: str, start: int | None, end: int | None) -> bytes:
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


@contextmanager
def local_copy(uri: str, member: str | None = None) -> Iterator[Path]:
    """A local file with the content of ``uri``: itself where it is local, else a temporary copy.

    The copy is streamed to disk in small pieces, has the suffix of the original (decoders look at
    it) and is removed on the way out.

    Args:
        uri: see the package's docstring.
        member: ``bytes=START-END`` (end exclusive) gives only that part; None gives all.

    Raises:
        ClipError: stage ``fetch``: the file is gone, refused, or damaged.
        StorageError: nothing can be fetched (any more): see ``troubles``.
    """
    if member is None and is_local(uri):
        with _fetching(uri):
            path = retrying(partial(_regular_file, uri))
        yield path
        return
    with _temporary_folder() as folder:
        with _fetching(uri):
            target = os.path.join(folder, "clip" + _suffix(uri))
            retrying(partial(_fetch, uri, member, target))
        yield Path(target)


@contextmanager
def _fetching(uri: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # every filesystem has its own
        raise trouble_with(uri, error) from error


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="emotion-core-")
    except OSError as error:
        raise StorageError(f"no folder for copies of inputs can be made: {error}") from error


def _regular_file(uri: str) -> Path:
    _, path = filesystem(uri)
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileNotFoundError(path)
    return Path(path)


def _suffix(uri: str) -> str:
    suffix = os.path.splitext(path_of(uri))[1]
    return suffix if _SAFE_SUFFIX.fullmatch(suffix) else ""


def _fetch(uri: str, member: str | None, target: str) -> None:
    if member is not None:
        match = _RANGE.fullmatch(member)
        if not match:
            raise ValueError(f"no such part: {member} (a part is written bytes=START-END)")
        start, end = int(match.group(1)), int(match.group(2))
        data = _bytes(uri, start, end)
        if len(data) != end - start:
            raise OSError(f"ends before {member}: the file has changed")
        Path(target).write_bytes(data)
    elif scheme(uri) == "s3":
        fs, path = filesystem(uri)
        # one stream: s3fs's parallel download holds ten blocks of 50 MB in memory
        fs.get_file(path, target, max_concurrency=1)
    else:
        with open_read(uri) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, _CHUNK)


def read_json(uri: str) -> Any:
    """The JSON document at ``uri``.

    Raises:
        UsageError: it cannot be read or is not JSON.
    """
    data = read_bytes(uri)
    try:
        return json.loads(data)
    except ValueError as error:
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
    with _parquet(uri) as file:
        there = file.schema_arrow.names
        if missing := sorted(set(columns or ()) - set(there)):
            raise UsageError(f"{uri}: no column {', '.join(missing)}")
        if columns is None:
            return file.read()
        wanted = [*columns, *(name for name in optional if name in there)]
        return file.read(columns=wanted).select(wanted)


def parquet_rows(uri: str) -> int:
    """How many rows a Parquet file has, as its footer says.

    Raises:
        UsageError: it cannot be read.
    """
    with _parquet(uri) as file:
        return file.metadata.num_rows


@contextmanager
def _parquet(uri: str) -> Iterator[pq.ParquetFile]:
    # in pieces as they are asked for: of one column, or the footer, the rest stays where it is
    with _readable(uri), open_read(uri, _PIECE) as file:
        try:
            yield pq.ParquetFile(file, pre_buffer=True)
        except pa.ArrowInvalid as error:
            raise UsageError(f"{uri}: not a readable Parquet file") from error
