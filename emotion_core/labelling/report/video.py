"""The page of one video: who said and showed what, minute by minute, and the strongest moments."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emotion_core.labelling.report.cards import ModelCard
from emotion_core.labelling.report.drawing import curve, marks, seen
from emotion_core.labelling.report.lanes import ANSWER, NOBODY, Lane, lanes, near_chance
from emotion_core.labelling.report.moments import MOST, moments
from emotion_core.labelling.report.overview import Names, time_code
from emotion_core.labelling.report.pages import page
from emotion_core.labelling.rows import means_of_rows
from emotion_core.report.progress import duration

ROW_S = 600.0
# A page of more rows, or a row of more people, would be more than anybody can look at.
MOST_ROWS = 72
_MOST_IN_ROW = 6
MOST_PEOPLE = 12
# Lines of time below a row: seconds apart, of which the first that gives few enough is taken.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120)
_MOST_TICKS = 11


def video_page(
    row: Mapping[str, Any],
    segments: pa.Table,
    labels: Sequence[str],
    min_confidence: float,
    models: Sequence[ModelCard],
    names: Names,
    pictures: Mapping[int, bytes],
    people: Mapping[int, str],
) -> bytes:
    """The page.

    Args:
        row: of ``videos_schema``.
        segments: as ``segments_schema``, the video's.
        labels: of the models.
        min_confidence: that the labelling asked for.
        models: that answered.
        names: how files are named.
        pictures: track_id -> JPEG of a face.
        people: track_id -> name, of those who have one.
    """
    chance = near_chance(len(labels))
    least = max(chance, min_confidence)
    found = lanes(segments, labels, least, people) if len(segments) else []
    shown = longest([lane for lane in found if lane.kind == ANSWER], MOST_PEOPLE)
    length = max([row["duration_s"] or 0.0, *(float(lane.end_s.max()) for lane in found)])
    places = {lane.track: place for place, lane in enumerate(shown)}
    still = not row["duration_s"]
    rows = 1 + int(max(0.0, length - 1e-6) // ROW_S)
    words = [w.replace("_", " ") for w in (row["status"], *row["reasons"], *row["notes"])]
    return page(
        "video",
        labels,
        name=names.name(row["uri"]),
        uri=names.place(row["uri"]),
        told=", ".join([duration(row["duration_s"] or 0.0), *words]),
        error=names.error(row["error"], row["uri"]),
        models=models,
        people=[_person(lane, labels, pictures, segments) for lane in shown],
        more_people=len({lane.track for lane in found}) - len(shown),
        still=still,
        rows=[
            _row(found, labels, number * ROW_S, length if rows == 1 else ROW_S, places, still)
            for number in range(min(rows, MOST_ROWS))
        ],
        not_drawn=time_code(MOST_ROWS * ROW_S) if rows > MOST_ROWS else "",
        least=f"{least:.0%}",
        chance=f"{1 / len(labels):.0%}",
        chance_rule=least == chance,
        most_moments=MOST,
        moments=[
            (place, [_moment(each, places) for each in moments(found, place)])
            for place in range(len(labels))
        ],
    )


def longest(found: Sequence[Lane], most: int) -> list[Lane]:
    """The lanes in which somebody was seen or heard longest, in the order that they had."""
    kept = sorted(range(len(found)), key=lambda place: (-found[place].seconds, place))[:most]
    return [found[place] for place in sorted(kept)]


def _person(
    lane: Lane, labels: Sequence[str], pictures: Mapping[int, bytes], segments: pa.Table
) -> dict[str, Any]:
    picture = pictures.get(lane.track, b"")
    lengths = lane.end_s - lane.start_s
    return {
        "name": lane.name,
        "picture": base64.b64encode(picture).decode(),
        "time": duration(lane.seconds),
        "blank": f"{lengths[lane.blank].sum() / lengths.sum():.0%}",
        "said": _said(lane, labels) or "nothing that is more than a guess",
        "dimensions": ", ".join(
            f"{name}\N{NO-BREAK SPACE}{value:+.2f}"
            for name, value in _dimensions(segments, lane.track).items()
        ),
    }


def _dimensions(segments: pa.Table, track: int) -> dict[str, float]:
    """Means of a track's dimensions over its labelled seconds, of those that were told."""
    mine = segments.filter(pc.equal(segments["track_id"].fill_null(NOBODY), track))
    return {name: mean for name, mean in means_of_rows(mine).items() if mean is not None}


def _said(lane: Lane, labels: Sequence[str]) -> str:
    """The shares of the emotions where the lane is not blank, largest first."""
    lengths = np.where(lane.blank, 0.0, lane.end_s - lane.start_s)
    sums = np.bincount(lane.p.argmax(axis=1), lengths, minlength=len(labels))
    order = np.argsort(-sums, kind="stable")
    shares = (
        f"{labels[place]}\N{NO-BREAK SPACE}{sums[place] / sums.sum():.0%}"
        for place in order
        if sums[place]
    )
    return ", ".join(shares)


def _row(
    found: Sequence[Lane],
    labels: Sequence[str],
    start: float,
    span: float,
    places: Mapping[int, int],
    still: bool,
) -> dict[str, Any]:
    """Some minutes of everybody: the lanes of those seen longest in them."""
    here = [part for lane in found if len((part := lane.within(start, start + span)).p)]
    answers = [lane for lane in here if lane.kind == ANSWER]
    shown = {lane.track for lane in longest(answers, _MOST_IN_ROW)}
    return {
        "start": time_code(start),
        "end": time_code(start + span),
        "people": [
            {
                "person": places.get(answer.track, ""),
                "lanes": [
                    {
                        "name": lane.kind or lane.name,
                        "kind": lane.kind,
                        "said": f"{lane.name} {lane.kind}: {_said(lane, labels)}",
                        "seen": seen(lane, start, span),
                        "marks": marks(lane, start, span, labels),
                    }
                    for lane in here
                    if lane.track == answer.track
                ],
                "curves": [curve(answer, place, start, span) for place in range(len(labels))],
            }
            for answer in answers
            if answer.track in shown
        ],
        "more": len(answers) - len(shown),
        "ticks": [] if still else _ticks(start, span),
    }


def _ticks(start: float, span: float) -> list[tuple[float, str]]:
    """Round times along a row, as per cent of it and as time codes."""
    step = next((s for s in _STEPS_S if span / s <= _MOST_TICKS), _STEPS_S[-1])
    count = int(span / step + 1e-9) + 1
    return [(round(100 * n * step / span, 2), time_code(start + n * step)) for n in range(count)]


def _moment(moment: Any, places: Mapping[int, int]) -> dict[str, Any]:
    return {
        "person": places.get(moment.track),
        "p": f"{moment.p:.4f}",
        "shown": f"{moment.p:.0%}",
        "seconds": f"{moment.start_s:.2f}",
        "start": time_code(moment.start_s),
        "who": moment.who,
    }
