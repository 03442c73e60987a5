"""``report.html`` and ``report/``: the pages about finished labels, written anew as a whole."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.corpora.inputs import Wanted
from emotion_core.errors import UsageError
from emotion_core.labelling.people.table import names
from emotion_core.labelling.report.overview import Names, choose
from emotion_core.labelling.report.summary import Facts, summary_page
from emotion_core.labelling.report.thumbnails import Thumbnails
from emotion_core.labelling.report.video import MOST_PEOPLE, video_page
from emotion_core.labelling.tables import LabelTables

SUMMARY, PAGES = "report.html", "report"
# Pages of their own for all videos of an archive as large as this; of a larger one for those with
# most to see.
MOST_PAGES = 500
FILES = (SUMMARY, f"{PAGES}/*.html")


@dataclass(frozen=True)
class ReportOptions:
    """What a report shows.

    Attributes:
        faces: pictures of faces.
        names: how files are named.
        videos: patterns of names; only videos that are like one have a page of their own.
    """

    faces: bool = True
    names: Names = Names()
    videos: tuple[str, ...] = ()


def _quiet(words: str) -> None:
    """Nobody is told."""


def write_report(
    out: str,
    tables: LabelTables,
    videos: pa.Table,
    facts: Facts,
    options: ReportOptions = ReportOptions(),  # noqa: B008 - frozen
    check: storage.Check = storage.unclaimed,
    say: Callable[[str], None] = _quiet,
) -> int:
    """Write the pages; those of an earlier report that are not among them go.

    What is in memory at once grows with the videos, not with their segments.

    Args:
        out: URI of the folder.
        tables: of the labels.
        videos: ``videos/``, all of it.
        facts: of the job.
        options: see there.
        check: called between pages; it raises when they may no longer be written.
        say: told in one line why faces are missing, where their videos cannot be fetched.

    Returns:
        How many videos have a page.

    Raises:
        UsageError: no video is like the patterns, or the segments cannot be read.
        StorageError: the pages cannot be written.
    """
    chosen = {row["clip_id"]: row for row in _chosen(videos, options.videos)}
    # first the page that links the others: a kill leaves no link to what is gone, or to faces
    storage.remove(storage.join(out, SUMMARY))
    _remove_others(out, chosen)
    people = _names(tables.out, chosen)
    with Thumbnails() as thumbnails:
        for clip_id, segments in tables.by_video(list(chosen)):
            check()
            row = chosen[clip_id]
            pictures = thumbnails.of(row, segments, MOST_PEOPLE) if options.faces else {}
            data = video_page(
                row, segments, tables.labels, tables.min_confidence, facts.models, options.names,
                pictures, people.get(clip_id, {}),
            )  # fmt: skip
            storage.write_bytes(_place(out, clip_id), data)
    if thumbnails.trouble:
        say(f"faces are missing in the report: {thumbnails.trouble}")
    data = summary_page(videos, tables.labels, chosen.keys(), facts, options.names)
    storage.write_bytes(storage.join(out, SUMMARY), data)
    return len(chosen)


def _chosen(videos: pa.Table, patterns: Collection[str]) -> list[dict[str, Any]]:
    if not patterns:
        return choose(videos, MOST_PAGES)
    wanted = Wanted(tuple(patterns))
    like = videos.filter(pa.array([wanted.takes(uri) for uri in videos["uri"].to_pylist()]))
    if not len(like):
        raise UsageError(f"--videos {' '.join(patterns)}: no video of these labels is like that")
    found = choose(like, len(like))
    if not found:
        raise UsageError(f"--videos {' '.join(patterns)}: nothing was labelled in these videos")
    return found


def _names(labels: str, chosen: Mapping[str, Any]) -> dict[str, dict[int, str]]:
    """Names that ``jobs/people.py`` gave to tracks of these videos, by video."""
    found: dict[str, dict[int, str]] = {}
    for (clip_id, track), name in names(labels).items():
        if clip_id in chosen:
            found.setdefault(clip_id, {})[track] = name
    return found


def _place(out: str, clip_id: str) -> str:
    if not re.fullmatch(r"[\w-]+", clip_id):
        raise UsageError(f"videos/ has clip_id {clip_id!r}, which jobs/label.py never writes")
    return storage.join(out, PAGES, f"{clip_id}.html")


def _remove_others(out: str, chosen: Mapping[str, Any]) -> None:
    """No page, and no face on it, outlives the report that it belonged to."""
    folder = storage.join(out, PAGES)
    if not storage.exists(folder):
        return
    storage.remove_unfinished(folder)
    for file in storage.list_files(folder, frozenset({".html"})):
        if file.uri.rpartition("/")[2].removesuffix(".html") not in chosen:
            storage.remove(file.uri)
