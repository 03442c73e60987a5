"""Clips that a table names, with what is known of each: a CSV or Parquet file of one's own.

Columns: ``path`` (or ``uri``, ``url``) and ``label`` (or ``emotion``), in any spelling that
``emotions.canonical`` knows; if they are there ``speaker`` (who is never on two sides of a split),
``corpus``, ``intensity``, ``statement`` and ``channel``. A relative path means the file beside the
table where there is one, as in every list.
"""

import csv
import io
import math
import os
from typing import Any

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.corpora.lists import COLUMNS, opened, placed, text_of
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import kind_of
from emotion_core.recipes.emotions import EMOTIONS, canonical
from emotion_core.storage import GONE, UNREADABLE

NAME = "manifest"
LOOKS_FOR = (
    "a CSV or Parquet file with the columns path, label and speaker; labels are "
    f"{', '.join(EMOTIONS)}"
)
LABELS = ("label", "emotion")
# What else is taken from it, word for word.
_TOLD = ("speaker", "intensity", "statement", "channel")
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """The clips that the table at ``uri`` names.

    Args:
        uri: of the table.
        modality: ignored: each row is its own utterance.

    Raises:
        UsageError: no such table, a column is missing, a file that a row names is not there or is
            named twice, or no row has a label that is known.
    """
    uri = storage.absolute(uri)
    if not uri.lower().endswith(_SUFFIXES):
        raise UsageError(f"{uri}: no table; looked for {LOOKS_FOR}")
    rows = _rows(uri)
    path, label = _column(rows, COLUMNS, uri), _column(rows, LABELS, uri)
    folder = uri.rpartition("/")[0]
    places: list[str] = []
    for number, row in rows:
        if not row[path]:
            raise UsageError(f"{uri}, line {number}: no {path}")
        places.append(opened(placed(row[path], folder), uri, number))
    clips, unparsed = [], []
    seen: dict[str, int] = {}
    for (number, row), place, found in zip(rows, places, storage.look_up(places), strict=True):
        where, info = f"{uri}, line {number}", found[0]
        if len(found) != 1 or info.version in (GONE, UNREADABLE) or info.uri.endswith("/"):
            raise UsageError(f"{where}: {place} is no file to be read")
        if (before := seen.setdefault(info.uri, number)) != number:
            raise UsageError(f"{where}: the file of line {before} again, {info.uri}")
        emotion, kind = canonical(row[label]), kind_of(info.uri)
        if emotion is None or kind is None:
            unparsed.append(info.uri)
            continue
        told = {name: _utf8(row.get(name, ""), where) or None for name in _TOLD}
        corpus = _utf8(row.get("corpus", ""), where) or NAME
        clips.append(
            Clip(info.uri, info.size, info.version, corpus=corpus, emotion=emotion,
                 modality=scanning.MODALITIES[kind], **told)
        )  # fmt: skip
    clips.sort(key=lambda clip: clip.uri)
    return scanning.checked(scanning.Scan(clips, unparsed), NAME, uri, LOOKS_FOR)


def _utf8(value: str, where: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise UsageError(f"{where}: a name that is not UTF-8: save the table as CSV UTF-8")
    return value


def _rows(uri: str) -> list[tuple[int, dict[str, str]]]:
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
