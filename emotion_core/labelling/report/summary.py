"""The report's first page: how all inputs fared, the emotions in them, and a list of them."""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emotion_core.labelling.report.cards import ModelCard
from emotion_core.labelling.report.overview import (
    Names,
    seconds_by_emotion,
    short_name,
    time_code,
)
from emotion_core.labelling.report.pages import data_block, page
from emotion_core.report.colours import STATUS_COLOURS
from emotion_core.report.progress import duration
from emotion_core.storage.schemas import NOTES, REASONS, STATUSES

MOST_EXAMPLES = 5
# Videos in the list: of more, browsers become slow.
MOST_ROWS = 20_000
_FIRST = 50  # shown without the script


@dataclass(frozen=True)
class Facts:
    """What the pages say of the job itself.

    Attributes:
        source: where the inputs came from, as they were given.
        out: URI of the output.
        settings: ``Labelling.settings()``.
        not_media: files that were passed over because their names are no media's.
        made: when, ISO 8601.
        models: that answered.
        finished: all inputs have their row.
    """

    source: tuple[str, ...]
    out: str
    settings: Mapping[str, Any]
    not_media: int
    made: str
    models: tuple[ModelCard, ...] = ()
    finished: bool = True


@dataclass(frozen=True)
class Reason:
    """Why inputs were degraded or failed.

    Attributes:
        word: a key of ``REASONS``.
        meaning: what it means.
        degraded, failed: how many inputs.
        examples: name, place and error of some.
    """

    word: str
    meaning: str
    degraded: int
    failed: int
    examples: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class VideoList:
    """Videos as the page's script takes them.

    Attributes:
        rows: name, place among ``folders``, place among the statuses, place among ``why``, seconds,
            people, place of the emotion with the largest share (-1: none), shares in per mille, and
            the name of the video's page (empty: none).
        folders, why: what rows point at.
        left_out: videos that are not among the rows.
    """

    rows: list[tuple]
    folders: list[str]
    why: list[str]
    left_out: int


def summary_page(
    videos: pa.Table, labels: Sequence[str], pages: Collection[str], facts: Facts, names: Names
) -> bytes:
    """The page.

    Args:
        videos: as ``videos_schema``, all of them.
        labels: of the models.
        pages: ``clip_id`` of the videos that have a page.
        facts: of the job.
        names: how files are named.
    """
    seconds = seconds_by_emotion(videos)
    statuses = Counter(videos["status"].to_pylist())
    table = video_list(videos, labels, pages, names)
    values = {
        "rows": table.rows, "folders": table.folders, "why": table.why, "labels": list(labels),
        "statuses": STATUSES,
    }  # fmt: skip
    return page(
        "summary",
        labels,
        source=[names.place(given) for given in facts.source],
        out=names.place(facts.out),
        not_media=facts.not_media,
        made=f"{datetime.fromisoformat(facts.made):%Y-%m-%d %H:%M %Z}",
        finished=facts.finished,
        settings=json.dumps(facts.settings, sort_keys=True),
        models=facts.models,
        inputs=len(videos),
        media=duration(float(np.nansum(videos["duration_s"].fill_null(0.0).to_numpy()))),
        labelled=duration(sum(seconds.values())),
        people=pc.sum(videos["n_tracks"]).as_py() or 0,
        statuses=[(name, statuses[name], STATUS_COLOURS[name]) for name in STATUSES],
        reasons=reasons(videos, names),
        notes=notes(videos),
        emotions=_emotions(seconds, labels),
        pages=len(pages),
        labelled_videos=pc.sum(pc.greater(videos["n_segments"], 0)).as_py() or 0,
        table=table,
        first=[_shown(row, table, labels) for row in table.rows[:_FIRST]],
        data=data_block(values),
    )


def reasons(videos: pa.Table, names: Names) -> list[Reason]:
    """Why inputs were degraded or failed, the most frequent first."""
    columns = ("uri", "status", "reasons", "error")
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[str, list[tuple[str, str, str]]] = {}
    for uri, status, words, error in zip(*(videos[n].to_pylist() for n in columns), strict=True):
        for word in words:
            counts[word, status] += 1
            some = examples.setdefault(word, [])
            if len(some) < MOST_EXAMPLES:
                some.append((short_name(uri), names.place(uri), names.error(error, uri)))
    found = [
        Reason(word, REASONS[word], counts[word, "degraded"], counts[word, "failed"], tuple(some))
        for word, some in examples.items()
    ]
    return sorted(found, key=lambda reason: (-reason.failed, -reason.degraded, reason.word))


def notes(videos: pa.Table) -> list[tuple[str, str, int]]:
    """What was seen in inputs: keys of ``NOTES``, their meanings, and in how many inputs."""
    counts = Counter(word for words in videos["notes"].to_pylist() for word in words)
    return [(word, NOTES[word], count) for word, count in counts.most_common()]


def video_list(
    videos: pa.Table, labels: Sequence[str], pages: Collection[str], names: Names
) -> VideoList:
    """At most ``MOST_ROWS`` videos by name, those that have a page among them."""
    paged = pc.is_in(videos["clip_id"], value_set=pa.array(sorted(pages), pa.string()))
    order = pa.table({"paged": paged, "uri": videos["uri"]})
    first = pc.sort_indices(order, [("paged", "descending"), ("uri", "ascending")])
    shown = videos.take(first.slice(0, MOST_ROWS)).sort_by("uri").to_pylist()
    folders: dict[str, int] = {}
    why: dict[str, int] = {}
    rows = []
    for row in shown:
        words = ", ".join(w.replace("_", " ") for w in (*row["reasons"], *row["notes"]))
        shares = [row[f"share_{label}"] for label in labels]
        rows.append(
            (
                names.name(row["uri"]),
                folders.setdefault(names.folder(row["uri"]), len(folders)),
                STATUSES.index(row["status"]),
                why.setdefault(words, len(why)),
                None if row["duration_s"] is None else round(row["duration_s"], 1),
                row["n_tracks"],
                labels.index(row["emotion"]) if row["emotion"] else -1,
                [] if None in shares else [round(1000 * share) for share in shares],
                row["clip_id"] if row["clip_id"] in pages else "",
            )
        )
    return VideoList(rows, list(folders), list(why), len(videos) - len(rows))


def _shown(row: tuple, table: VideoList, labels: Sequence[str]) -> dict[str, Any]:
    """A row as the page shows it without its script."""
    name, folder, status, why, seconds, people, emotion, shares, linked = row
    return {
        "name": name, "folder": table.folders[folder], "status": STATUSES[status],
        "why": table.why[why], "length": "" if seconds is None else time_code(seconds),
        "people": people, "page": linked,
        "said": f"{labels[emotion]} {shares[emotion] / 1000:.0%}" if shares else "",
    }  # fmt: skip


def _emotions(
    seconds: Mapping[str, float], labels: Sequence[str]
) -> list[tuple[str, int, float, str, str]]:
    """Label, its place, length of its bar in per cent, share and time in words."""
    whole = sum(seconds.values()) or 1.0
    most = max(seconds.values(), default=0.0) or 1.0
    return [
        (
            label,
            labels.index(label),
            round(100 * value / most, 2),
            f"{value / whole:.1%}",
            duration(value),
        )
        for label, value in seconds.items()
    ]
