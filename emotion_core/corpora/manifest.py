"""Clips that a table names, with what is known of each: a CSV or Parquet file of one's own.

Columns: ``path`` (or ``uri``, ``url``) and ``label`` (or ``emotion``), in any spelling that
``emotions.canonical`` knows; if they are there ``speaker`` (who is never on two sides of a split),
``corpus``, ``intensity``, ``statement`` and ``channel``. A relative path means the file beside the
table where there is one, as in every list.
"""

import csv
import io

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.corpora.lists import COLUMNS, placed
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import kind_of
from emotion_core.recipes.emotions import EMOTIONS, canonical
from emotion_core.storage import GONE, UNREADABLE
from emotion_core.text import holds_secret, without_secret

NAME = "manifest"
LOOKS_FOR = (
    "a CSV or Parquet file with the columns path, label and speaker; labels are "
    f"{', '.join(EMOTIONS)}"
)
LABELS = ("label", "emotion")
# What else is taken from it, word for word.
_TOLD = ("speaker", "intensity", "statement", "channel")
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
_MODALITIES = {"video": "audio-visual", "audio": "audio", "image": "image"}


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
    for number, row in enumerate(rows, start=2):
        if not (row[path] or "").strip():
            raise UsageError(f"{uri}, line {number}: no {path}")
        place = placed(row[path].strip(), folder)
        if holds_secret(place):
            raise UsageError(without_secret(place, f"{uri}, line {number}"))
        places.append(place)
    clips, unparsed = [], []
    seen: dict[str, int] = {}
    for number, (row, found) in enumerate(zip(rows, storage.look_up(places), strict=True), start=2):
        info = found[0]
        if len(found) != 1 or info.version in (GONE, UNREADABLE) or info.uri.endswith("/"):
            raise UsageError(f"{uri}, line {number}: {places[number - 2]} is no file to be read")
        if (before := seen.setdefault(info.uri, number)) != number:
            raise UsageError(f"{uri}, line {number}: the file of line {before} again, {info.uri}")
        emotion, kind = canonical(row[label] or ""), kind_of(info.uri)
        if emotion is None or kind is None:
            unparsed.append(info.uri)
            continue
        told = {name: (row.get(name) or "").strip() or None for name in _TOLD}
        corpus = (row.get("corpus") or "").strip() or NAME
        clips.append(
            Clip(info.uri, info.size, info.version, corpus=corpus, emotion=emotion,
                 modality=_MODALITIES[kind], **told)
        )  # fmt: skip
    clips.sort(key=lambda clip: clip.uri)
    return scanning.checked(scanning.Scan(clips, unparsed), NAME, uri, LOOKS_FOR)


def _rows(uri: str) -> list[dict[str, str]]:
    """The rows, columns by their names in lower case, every value as text."""
    if uri.lower().endswith(".parquet"):
        given = storage.read_parquet([uri]).to_pylist()
        return [{k.lower(): "" if v is None else str(v) for k, v in row.items()} for row in given]
    text = storage.read_bytes(uri).removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    first = text.partition("\n")[0]
    # spreadsheets write semicolons where a comma is the decimal sign
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        reader.fieldnames = [(name or "").strip().lower() for name in reader.fieldnames or ()]
        return list(reader)
    except csv.Error as error:
        raise UsageError(f"{uri}: not a CSV file ({error})") from error


def _column(rows: list[dict[str, str]], names: tuple[str, ...], uri: str) -> str:
    if not rows:
        raise UsageError(f"{uri}: no row in it; looked for {LOOKS_FOR}")
    for name in names:
        if name in rows[0]:
            return name
    raise UsageError(f"{uri}: no column {' or '.join(names)}; looked for {LOOKS_FOR}")
