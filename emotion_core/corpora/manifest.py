"""Clips that a table names, with what is known of each: a CSV or Parquet file of one's own.

Columns: ``path`` (or ``uri``, ``url``, ``place``) and ``label`` (or ``emotion``), in any spelling
that ``emotions.canonical`` knows; if they are there ``speaker`` (who is never on two sides of a
split), ``start_s`` and ``end_s`` of a stretch of the file, ``corpus``, ``intensity``, ``statement``
and ``channel``. A relative path means the file beside the table where there is one, as in every
list.

``segments.csv`` of ``jobs/export.py`` is such a table as it is: its column ``who`` says that
several people may share a stretch (``listed.clips_of``), ``start`` and ``end`` are its times again.
"""

import csv
import io
import math
import os
from typing import Any

from emotion_core import storage
from emotion_core.corpora import scanning
from emotion_core.corpora.listed import Listed, clips_of, ordered, seconds_of, utf8
from emotion_core.corpora.lists import COLUMNS, opened, placed, text_of
from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS

NAME = "manifest"
LOOKS_FOR = (
    "a CSV or Parquet file with the columns path, label and speaker; labels are "
    f"{', '.join(EMOTIONS)}"
)
PATHS = (*COLUMNS, "place")
LABELS = ("label", "emotion")
LANE = "who"
# What else is taken from it, word for word.
_TOLD = ("speaker", "intensity", "statement", "channel")
# More than h:mm:ss may be off by where a spreadsheet rounds to seconds.
_AGREES_S = 1.0
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """The clips that the table at ``uri`` names.

    Args:
        uri: of the table.
        modality: ignored: each row is its own utterance.

    Raises:
        UsageError: no such table, a column is missing, a file that a row names is not there or is
            named twice, a stretch that is none, or no row has a label that is known.
    """
    uri = storage.absolute(uri)
    if not uri.lower().endswith(_SUFFIXES):
        raise UsageError(f"{uri}: no table; looked for {LOOKS_FOR}")
    rows = table_rows(uri)
    path, label = _column(rows, PATHS, uri), _column(rows, LABELS, uri)
    folder = uri.rpartition("/")[0]
    listed = []
    for number, row in rows:
        where = f"{uri}, line {number}"
        if not row[path]:
            raise UsageError(f"{where}: no {path}")
        start_s, end_s = _stretch(row, where)
        told = {name: utf8(row.get(name, ""), where) or None for name in _TOLD}
        told["corpus"] = utf8(row.get("corpus", ""), where) or NAME
        lane = utf8(row[LANE], where) if LANE in row else None
        place = opened(placed(row[path], folder), uri, number)
        listed.append(Listed(where, place, row[label], start_s, end_s, lane, told))
    return scanning.checked(clips_of(listed), NAME, uri, LOOKS_FOR)


def _stretch(row: dict[str, str], where: str) -> tuple[float | None, float | None]:
    """Start and end that a row names, seconds; None where it does not."""
    again = row if LANE in row else {}  # in a table of one's own these may mean anything
    start_s, end_s = (
        _same_time(row.get(f"{edge}_s", ""), again.get(edge, ""), where)
        for edge in ("start", "end")
    )
    if start_s is not None and start_s == end_s:
        return None, None  # what an export says of a still picture
    ordered(start_s, end_s, where)
    return start_s, end_s


def _same_time(seconds: str, clock: str, where: str) -> float | None:
    """A time that is written once or twice; a spreadsheet may have made 2.000 into 2000."""
    first, second = seconds_of(seconds, where), seconds_of(clock, where)
    if first is not None and second is not None and abs(first - second) > _AGREES_S:
        raise UsageError(
            f"{where}: {seconds} s and {clock} are two times: a spreadsheet took a point for "
            "something else; export with --delimiter ';', or correct the column"
        )
    return second if first is None else first


def table_rows(uri: str) -> list[tuple[int, dict[str, str]]]:
    """The rows with their lines, columns by their names in lower case, every value as text."""
    if uri.lower().endswith(".parquet"):
        given = storage.read_parquet([uri]).to_pylist()
        return [
            (number, {key.strip().lower(): _text(value) for key, value in row.items()})
            for number, row in enumerate(given, start=1)
        ]
    text = text_of(storage.read_bytes(uri))
    first = text.partition("\n")[0]
    # spreadsheets write semicolons where a comma is the decimal sign
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        return [
            (reader.line_num, {key: _text(row[key]) for key in reader.fieldnames}) for row in reader
        ]
    except csv.Error as error:
        raise UsageError(f"{uri}: not a CSV file ({error})") from error


def _text(value: Any) -> str:
    """A cell: empty where nothing is told, whole numbers without a point."""
    if isinstance(value, bytes):
        return os.fsdecode(value).strip()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return str(value).strip()


def _column(rows: list[tuple[int, dict[str, str]]], names: tuple[str, ...], uri: str) -> str:
    if not rows:
        raise UsageError(f"{uri}: no row in it; looked for {LOOKS_FOR}")
    for name in names:
        if name in rows[0][1]:
            return name
    raise UsageError(f"{uri}: no column {' or '.join(names)}; looked for {LOOKS_FOR}")
