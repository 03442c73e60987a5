"""``report.html``: one page about a label job that holds all it needs, and loads nothing."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from emotion_core import storage
from emotion_core.labelling.report.overview import (
    seconds_by_emotion,
    short_name,
    shown_time,
)
from emotion_core.labelling.report.thumbnails import thumbnails
from emotion_core.labelling.report.timelines import timelines
from emotion_core.report.colours import STATUS_COLOURS, colour_of
from emotion_core.storage.schemas import NOTES, REASONS, STATUSES
from emotion_core.text import printable

MOST_EXAMPLES = 5
MOST_VIDEOS = 12


@dataclass(frozen=True)
class Facts:
    """What the page says of the job itself.

    Attributes:
        source: where the inputs came from, as they were given.
        out: URI of the output.
        settings: ``Labelling.settings()``.
        not_media: files that were passed over because their names are no media's.
        made: when, ISO 8601.
    """

    source: tuple[str, ...]
    out: str
    settings: Mapping[str, Any]
    not_media: int
    made: str


@dataclass(frozen=True)
class Reason:
    """Why inputs were degraded or failed.

    Attributes:
        word: a key of ``REASONS``.
        meaning: what it means.
        degraded, failed: how many inputs.
        examples: name, URI and error of some.
    """

    word: str
    meaning: str
    degraded: int
    failed: int
    examples: tuple[tuple[str, str, str], ...]


def write_page(
    uri: str, videos: pa.Table, chosen: Sequence[dict], segments: pa.Table, facts: Facts
) -> None:
    """Write the page.

    Args:
        uri: of the file.
        videos: as ``videos_schema``, all of them.
        chosen: rows of those that are shown, as ``overview.choose`` gives them.
        segments: as ``segments_schema``, those of the chosen videos.
        facts: of the job.
    """
    pictures = thumbnails(chosen, segments)
    storage.write_bytes(uri, page_html(videos, chosen, segments, facts, pictures).encode())


def page_html(
    videos: pa.Table,
    chosen: Sequence[dict],
    segments: pa.Table,
    facts: Facts,
    pictures: Mapping[tuple[str, int], bytes],
) -> str:
    """The page of ``write_page``; ``pictures``: what ``thumbnails`` gives.

    Everything that comes from outside (names, error messages) is escaped, and the page forbids
    browsers to load or run anything.
    """
    seconds = seconds_by_emotion(videos)
    template = Environment(
        loader=PackageLoader("emotion_core.labelling.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html")
    statuses = Counter(videos["status"].to_pylist())
    return template.render(
        source=[printable(given) for given in facts.source],
        out=printable(facts.out),
        not_media=facts.not_media,
        made=f"{datetime.fromisoformat(facts.made):%Y-%m-%d %H:%M %Z}",
        settings=json.dumps(facts.settings, sort_keys=True),
        inputs=len(videos),
        media=shown_time(float(np.nansum(videos["duration_s"].fill_null(0.0).to_numpy()))),
        labelled=shown_time(sum(seconds.values())),
        people=sum(videos["n_tracks"].to_pylist()),
        statuses=[(name, statuses[name], STATUS_COLOURS[name]) for name in STATUSES],
        reasons=reasons(videos),
        notes=notes(videos),
        emotions=_emotions(seconds),
        timelines=timelines(chosen, segments, pictures),
        legend=[(label, colour_of(label)) for label in seconds],
    )


def reasons(videos: pa.Table) -> list[Reason]:
    """Why inputs were degraded or failed, the most frequent first."""
    columns = ("uri", "status", "reasons", "error")
    counts: Counter[tuple[str, str]] = Counter()
    examples: dict[str, list[tuple[str, str, str]]] = {}
    for uri, status, words, error in zip(*(videos[n].to_pylist() for n in columns), strict=True):
        for word in words:
            counts[word, status] += 1
            some = examples.setdefault(word, [])
            if len(some) < MOST_EXAMPLES:
                some.append((short_name(uri), printable(uri), printable(error or "")))
    found = [
        Reason(word, REASONS[word], counts[word, "degraded"], counts[word, "failed"], tuple(some))
        for word, some in examples.items()
    ]
    return sorted(found, key=lambda reason: (-reason.failed, -reason.degraded, reason.word))


def notes(videos: pa.Table) -> list[tuple[str, str, int]]:
    """What was seen in inputs: keys of ``NOTES``, their meanings, and in how many inputs."""
    counts = Counter(word for words in videos["notes"].to_pylist() for word in words)
    return [(word, NOTES[word], count) for word, count in counts.most_common()]


def _emotions(seconds: Mapping[str, float]) -> list[tuple[str, str, float, str, str]]:
    """Label, colour, length of its bar in per cent, share and time in words."""
    whole = sum(seconds.values()) or 1.0
    most = max(seconds.values(), default=0.0) or 1.0
    return [
        (
            label,
            colour_of(label),
            round(100 * value / most, 2),
            f"{value / whole:.1%}",
            shown_time(value),
        )
        for label, value in seconds.items()
    ]
