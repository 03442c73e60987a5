"""Two CSV files that spreadsheets, R and pandas open as they are."""

import csv
import re
from collections.abc import Sequence
from typing import IO, Any

from emotion_core.exports.labelled import LabelledVideo

SEGMENTS_CSV, VIDEOS_CSV = "segments.csv", "videos.csv"
_BOM = "\ufeff"  # without it Excel takes UTF-8 for something else
# A cell that begins like this is a formula to a spreadsheet, whoever named the file.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvFiles:
    """Writes ``segments.csv`` and ``videos.csv``, row by row.

    ``segments.csv`` is a corpus too, once its column ``emotion`` is corrected
    (``corpora.manifest``), for which it names the place of each video.

    No lists, no hashes; words in place of codes; times as ``h:mm:ss`` beside seconds. Empty cells
    are what is not known.

    Args:
        segments, videos: open files.
        labels: of the model.
        dimensions: that were told beside them, -1 to 1.
        delimiter: between cells; ``;`` is what Excel takes where a comma is the decimal sign.
    """

    def __init__(
        self,
        segments: IO[bytes],
        videos: IO[bytes],
        labels: Sequence[str],
        delimiter: str = ",",
        dimensions: Sequence[str] = (),
    ):
        self._labels, self._dimensions = tuple(labels), tuple(dimensions)
        self._segments, self._videos = (_writer(f, delimiter) for f in (segments, videos))
        self._row(self._segments, _BOM + "video", "who", "start", "end", "start_s", "end_s",
                  "emotion", "confidence", "unsure", *self._labels, *dimensions,
                  "speaking", "place")  # fmt: skip
        self._row(self._videos, _BOM + "video", "place", "status", "reasons", "notes", "error",
                  "length", "length_s", "speech_s", "people", "emotion",
                  *(f"share_{label}" for label in self._labels), *dimensions)  # fmt: skip

    def add(self, video: LabelledVideo) -> None:
        """One more video."""
        for each in video.stretches:
            self._row(
                self._segments, video.name, each.lane, clock(each.start_s), clock(each.end_s),
                f"{each.start_s:.3f}", f"{each.end_s:.3f}", each.emotion,
                f"{each.confidence:.3f}", "yes" if each.unsure else "no",
                *(f"{p:.4f}" for p in each.probabilities), *map(_signed, each.dimensions),
                _signed(each.speaking), video.row["uri"],
            )  # fmt: skip
        row = video.row
        length_s = row["duration_s"]
        shares = (row[f"share_{label}"] for label in self._labels)
        self._row(
            self._videos, video.name, row["uri"], row["status"], "; ".join(row["reasons"]),
            "; ".join(row["notes"]), row["error"], None if length_s is None else clock(length_s),
            _seconds(length_s), _seconds(row.get("speech_s")), row["n_tracks"], row["emotion"],
            *(None if share is None else f"{share:.4f}" for share in shares),
            *(_signed(row[name]) for name in self._dimensions),
        )  # fmt: skip

    @staticmethod
    def _row(writer: Any, *cells: object) -> None:
        writer.writerow(["" if cell is None else _safe(str(cell)) for cell in cells])


def clock(seconds: float) -> str:
    """``h:mm:ss.s``, which Excel reads as a time."""
    tenths = round(seconds * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{tenths // 10:02d}.{tenths % 10}"


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str | None:
    return None if value is None else f"{value:.4f}"


def _safe(cell: str) -> str:
    number = re.fullmatch(r"-\d+(\.\d+)?", cell)
    return f"'{cell}" if cell.startswith(_FORMULA) and not number else cell


def _writer(file: IO[bytes], delimiter: str) -> Any:
    return csv.writer(_Text(file), delimiter=delimiter, lineterminator="\r\n")


class _Text:
    """Text into a file of bytes, unbuffered: the file is closed by whoever opened it."""

    def __init__(self, file: IO[bytes]):
        self._file = file

    def write(self, text: str) -> int:
        # a name that is not UTF-8 has been written as its escape before it came here
        return self._file.write(text.encode("utf-8", "backslashreplace"))
