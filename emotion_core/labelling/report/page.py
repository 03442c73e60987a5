"""``report.html``: one page about a label job that holds all it needs, and loads nothing."""

import base64
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.ticker import MaxNLocator

from emotion_core import storage
from emotion_core.labelling.report.labels import (
    NOBODY,
    Stretches,
    distinct_names,
    longest_seen,
    seconds_by_emotion,
    short_name,
    shown_time,
    stretches,
)
from emotion_core.labelling.report.thumbnails import thumbnails
from emotion_core.report.colours import STATUS_COLOURS, colour_of
from emotion_core.storage.schemas import REASONS, STATUSES

MOST_EXAMPLES = 5
MOST_VIDEOS = 12
_TICKS = 8
# A mark that is thinner than this share of its lane would not be seen.
_LEAST_WIDTH = 0.15


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
class Mark:
    """One stretch of one person's lane, all in per cent of the lane; ``tip`` is for people."""

    left: float
    width: float
    colour: str
    opacity: float
    tip: str


@dataclass(frozen=True)
class Lane:
    """One person's (or the sound's) time in one video.

    Attributes:
        name: ``person 0`` or ``sound``.
        said: the shares of the emotions, in words.
        thumbnail: ``data:`` URI of a JPEG; empty without one.
        marks: in order of time.
    """

    name: str
    said: str
    thumbnail: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timeline:
    """One video of the sample."""

    name: str
    uri: str
    status: str
    told: str
    lanes: tuple[Lane, ...]
    more_people: int
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Reason:
    """Why inputs were degraded or failed.

    Attributes:
        word: a key of ``tables.REASONS``.
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
        videos: as ``tables.videos_schema``, all of them.
        chosen: rows of those that are shown, as ``labels.choose`` gives them.
        segments: as ``tables.segments_schema``, those of the chosen videos.
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
        facts=facts,
        made=f"{datetime.fromisoformat(facts.made):%Y-%m-%d %H:%M %Z}",
        settings=json.dumps(facts.settings, sort_keys=True),
        inputs=len(videos),
        media=shown_time(float(np.nansum(videos["duration_s"].fill_null(0.0).to_numpy()))),
        answered=shown_time(sum(seconds.values())),
        people=sum(videos["n_tracks"].to_pylist()),
        statuses=[(name, statuses[name], STATUS_COLOURS[name]) for name in STATUSES],
        reasons=reasons(videos),
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
                some.append((short_name(uri), _printable(uri), _printable(error or "")))
    found = [
        Reason(word, REASONS[word], counts[word, "degraded"], counts[word, "failed"], tuple(some))
        for word, some in examples.items()
    ]
    return sorted(found, key=lambda reason: (-reason.failed, -reason.degraded, reason.word))


def timelines(
    chosen: Sequence[dict], segments: pa.Table, pictures: Mapping[tuple[str, int], bytes]
) -> list[Timeline]:
    """The chosen videos, each with a lane for everybody in it."""
    answers = stretches(segments)
    names = distinct_names([row["uri"] for row in chosen])
    return [
        _timeline(name, row, answers.of(row["clip_id"]), pictures)
        for name, row in zip(names, chosen, strict=True)
    ]


def _timeline(
    name: str, row: dict, answers: Stretches, pictures: Mapping[tuple[str, int], bytes]
) -> Timeline:
    length = max(float(answers.end_s.max()), row["duration_s"] or 0.0) or 1.0
    people = sorted(longest_seen(answers), key=lambda person: (person == NOBODY, person))
    lanes = []
    for person in people:
        picture = pictures.get((row["clip_id"], person))
        lanes.append(
            Lane(
                name="sound" if person == NOBODY else f"person {person}",
                said=_said(answers, person),
                thumbnail=_data_uri(picture) if picture else "",
                marks=tuple(_marks(answers, person, length)),
            )
        )
    told = [row["status"], *(word.replace("_", " ") for word in row["reasons"])]
    return Timeline(
        name=name,
        uri=_printable(row["uri"]),
        status=row["status"],
        told=", ".join([shown_time(row["duration_s"] or 0.0), *told]),
        lanes=tuple(lanes),
        more_people=len(np.unique(answers.person)) - len(people),
        ticks=_ticks(length if row["duration_s"] else 0.0),
    )


def _marks(answers: Stretches, person: int, length: float) -> list[Mark]:
    """Neighbours that say the same become one mark: hours of video stay a small page."""
    merged: list[list[Any]] = []  # start, end, emotion, confidence * seconds
    for place in np.flatnonzero(answers.person == person):
        start, end = float(answers.start_s[place]), float(answers.end_s[place])
        emotion, sure = answers.emotion[place], float(answers.confidence[place])
        if merged and merged[-1][2] == emotion and start - merged[-1][1] < 1e-6:
            merged[-1][1] = end
            merged[-1][3] += sure * (end - start)
        else:
            merged.append([start, end, emotion, sure * (end - start)])
        if end == start:  # a still picture
            merged[-1][1], merged[-1][3] = start + length, sure * length
    return [
        Mark(
            left=round(100 * start / length, 3),
            width=round(max(_LEAST_WIDTH, 100 * (end - start) / length), 3),
            colour=colour_of(emotion),
            # paler where the model was less sure, as in the other pictures
            opacity=round(0.35 + 0.65 * min(1.0, weighted / (end - start)), 2),
            tip=f"{shown_time(start, exact=True)} to {shown_time(end, exact=True)}: {emotion}, "
            f"{weighted / (end - start):.0%}",
        )
        for start, end, emotion, weighted in merged
    ]


def _said(answers: Stretches, person: int) -> str:
    here = answers.person == person
    lengths = (answers.end_s - answers.start_s)[here]
    if lengths.sum() == 0:
        lengths = np.ones(len(lengths))
    sums: Counter[str] = Counter()
    for emotion, length in zip(answers.emotion[here], lengths.tolist(), strict=True):
        sums[emotion] += length
    total = sums.total()
    return ", ".join(f"{emotion} {seconds / total:.0%}" for emotion, seconds in sums.most_common())


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


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    """Round times along a lane, as per cent of it and in words."""
    if not length:  # a still picture
        return ()
    # steps that are round for seconds, minutes and hours alike
    unit = 3600.0 if length > 3600 * 2 else 60.0 if length > 120 else 1.0
    locator = MaxNLocator(_TICKS, steps=[1, 2, 5, 10])
    places = np.asarray(locator.tick_values(0, length / unit)) * unit
    return tuple(
        (round(100 * place / length, 2), shown_time(place, exact=True))
        for place in places.tolist()
        if place <= length
    )


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _printable(text: str) -> str:
    """Text that may hold anything, on one line; what cannot be shown is U+FFFD."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
