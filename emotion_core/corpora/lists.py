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
from emotion_core.text import holds_secret, without_secret

STDIN = "-"
SUFFIXES = (".txt", ".csv", ".parquet")
COLUMNS = ("uri", "path", "url")

# A line (of a table, a row) and the URI in it.
Entry = tuple[int, str]


def is_list(uri: str) -> bool:
    """True when ``uri`` names a list by its suffix (``.txt .csv .parquet``), or standard input."""
    return uri == STDIN or uri.lower().endswith(SUFFIXES)


def read_list(uri: str) -> list[str]:
    """The URIs of a list, in its order, local paths made absolute.

    Text and standard input: one URI a line (between NUL characters, where there are any).
    CSV and Parquet: the column ``uri``, ``path`` or ``url``, or else the first one. The first line
    of a CSV file without such a column is a heading unless it looks like a file itself.

    Raises:
        UsageError: the list cannot be read, or an address in it holds a password or a signature.
    """
    if uri == STDIN:
        given = _lines(sys.stdin.buffer.read())
        return [opened(storage.absolute(entry), "standard input", n) for n, entry in given]
    uri = storage.absolute(uri)
    lowered = uri.lower()
    if lowered.endswith(".parquet"):
        entries = _of_parquet(uri)
    else:
        data = storage.read_bytes(uri)
        entries = _of_csv(data, uri) if lowered.endswith(".csv") else _lines(data)
    folder = uri.rpartition("/")[0]
    return [opened(placed(entry, folder), uri, number) for number, entry in entries]


def opened(uri: str, listed_in: str, number: int) -> str:
    """``uri``, unless it would carry a secret into every table."""
    if holds_secret(uri):
        raise UsageError(without_secret(uri, f"{listed_in}, line {number}"))
    return uri


def placed(entry: str, folder: str) -> str:
    """Where an entry of a list in ``folder`` lies (see above)."""
    if not is_local(entry) or "://" in entry or os.path.isabs(entry):
        return storage.absolute(entry)
    if not is_local(folder):
        start, _, place = folder.partition("://")
        return f"{start}://{posixpath.normpath(posixpath.join(place, entry))}"
    beside = os.path.join(local_path(folder), entry)
    return local_uri(os.path.abspath(beside if os.path.lexists(beside) else entry))


def text_of(data: bytes) -> str:
    """A list's text, without its byte order mark."""
    # surrogates stand for the bytes of local names that are not UTF-8, as in ``os.fsdecode``
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _lines(data: bytes) -> list[Entry]:
    text = text_of(data)
    if "\0" in text:  # find -print0: the one way in which a name may hold a line break
        lines = text.split("\0")
    else:
        # not splitlines(): it also ends lines at characters that names may hold
        lines = [line.removesuffix("\r") for line in text.split("\n")]
    return [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _of_csv(data: bytes, uri: str) -> list[Entry]:
    reader = csv.reader(io.StringIO(text_of(data), newline=""))
    try:
        rows = [(reader.line_num, row) for row in reader if any(row)]
    except csv.Error as error:
        raise UsageError(f"{uri}: not a CSV file ({error})") from error
    if not rows:
        return []
    heading = rows[0][1]
    column = _named(heading)
    headed = column is not None or not _looks_like_a_file(heading[0])
    cells = ((n, row[column or 0]) for n, row in rows[headed:] if len(row) > (column or 0))
    return [(number, cell) for number, cell in cells if cell.strip()]


def _looks_like_a_file(cell: str) -> bool:
    return "/" in cell or scheme(cell) != "file" or kind_of(cell) is not None


def _of_parquet(uri: str) -> list[Entry]:
    names = storage.parquet_columns(uri)
    if not names:
        raise UsageError(f"{uri}: a list without a column")
    name = names[_named(names) or 0]
    # this column alone: the others of somebody's table may hold gigabytes
    return list(_strings(storage.read_parquet([uri], [name])[name], uri))


def _strings(values: pa.ChunkedArray, uri: str) -> Iterator[Entry]:
    for number, value in enumerate(values.to_pylist(), start=1):
        if isinstance(value, bytes):
            value = os.fsdecode(value)
        elif value is not None and not isinstance(value, str):
            raise UsageError(
                f"{uri}: its first column holds {values.type}, not URIs: name the column uri"
            )
        if value and value.strip():
            yield number, value


def _named(names: Sequence[str]) -> int | None:
    lowered = [name.strip().lower() for name in names]
    return next((lowered.index(name) for name in COLUMNS if name in lowered), None)
