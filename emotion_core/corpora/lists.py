"""Lists of inputs: text, CSV, Parquet or standard input.

A relative path in a list means the file beside the list where there is one, else the one below the
working directory; in a list in an object store always the former, on standard input always the
latter. Everything else is an URI as everywhere (``storage``): names are taken literally. A name
that is not UTF-8 may stand there in its own bytes, or percent-encoded as ``file://``.
"""

import csv
import io
import os
import posixpath
import sys
from collections.abc import Iterator, Sequence

import pyarrow as pa

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import kind_of
from emotion_core.storage.uris import is_local, local_path, local_uri, scheme

STDIN = "-"
SUFFIXES = (".txt", ".csv", ".parquet")
COLUMNS = ("uri", "path", "url")


def is_list(uri: str) -> bool:
    """True when ``uri`` names a list by its suffix (``.txt .csv .parquet``), or standard input."""
    return uri == STDIN or uri.lower().endswith(SUFFIXES)


def read_list(uri: str) -> list[str]:
    """The URIs of a list, in its order, local paths made absolute.

    Text and standard input: one URI a line (between NUL characters, where there are any).
    CSV and Parquet: the column ``uri``, ``path`` or ``url``, or else the first one. The first line
    of a CSV file without such a column is a heading unless it looks like a file itself.

    Raises:
        UsageError: the list cannot be read.
    """
    if uri == STDIN:
        return [storage.absolute(entry) for entry in _lines(sys.stdin.buffer.read())]
    uri = storage.absolute(uri)
    lowered = uri.lower()
    if lowered.endswith(".parquet"):
        entries = _of_parquet(uri)
    else:
        data = storage.read_bytes(uri)
        entries = _of_csv(data, uri) if lowered.endswith(".csv") else _lines(data)
    folder = uri.rpartition("/")[0]
    return [_placed(entry, folder) for entry in entries]


def _placed(entry: str, folder: str) -> str:
    if not is_local(entry) or "://" in entry or os.path.isabs(entry):
        return storage.absolute(entry)
    if not is_local(folder):
        start, _, place = folder.partition("://")
        return f"{start}://{posixpath.normpath(posixpath.join(place, entry))}"
    beside = os.path.join(local_path(folder), entry)
    return local_uri(os.path.abspath(beside if os.path.lexists(beside) else entry))


def _text(data: bytes) -> str:
    # surrogates stand for the bytes of local names that are not UTF-8, as in ``os.fsdecode``
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _lines(data: bytes) -> list[str]:
    text = _text(data)
    if "\0" in text:  # find -print0: the one way in which a name may hold a line break
        return [entry for entry in text.split("\0") if entry.strip()]
    # not splitlines(): it also ends lines at characters that names may hold
    return [line.removesuffix("\r") for line in text.split("\n") if line.strip()]


def _of_csv(data: bytes, uri: str) -> list[str]:
    try:
        rows = [row for row in csv.reader(io.StringIO(_text(data), newline="")) if any(row)]
    except csv.Error as error:
        raise UsageError(f"{uri}: not a CSV file ({error})") from error
    if not rows:
        return []
    column = _named(rows[0])
    headed = column is not None or not _looks_like_a_file(rows[0][0])
    cells = (row[column or 0] for row in rows[headed:] if len(row) > (column or 0))
    return [cell for cell in cells if cell.strip()]


def _looks_like_a_file(cell: str) -> bool:
    return "/" in cell or scheme(cell) != "file" or kind_of(cell) is not None


def _of_parquet(uri: str) -> list[str]:
    names = storage.parquet_columns(uri)
    if not names:
        raise UsageError(f"{uri}: a list without a column")
    name = names[_named(names) or 0]
    # this column alone: the others of somebody's table may hold gigabytes
    return list(_strings(storage.read_parquet([uri], [name])[name], uri))


def _strings(values: pa.ChunkedArray, uri: str) -> Iterator[str]:
    for value in values.to_pylist():
        if isinstance(value, bytes):
            value = os.fsdecode(value)
        elif value is not None and not isinstance(value, str):
            raise UsageError(
                f"{uri}: its first column holds {values.type}, not URIs: name the column uri"
            )
        if value and value.strip():
            yield value


def _named(names: Sequence[str]) -> int | None:
    lowered = [name.strip().lower() for name in names]
    return next((lowered.index(name) for name in COLUMNS if name in lowered), None)
