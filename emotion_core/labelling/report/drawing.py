"""Lanes as what a page draws of some minutes: marks, and a curve of each emotion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.labelling.report.lanes import Lane
from emotion_core.labelling.report.overview import time_code

# Units of a curve's drawing; a mark that is thinner than this, in per cent, would not be seen.
WIDE, HIGH = 1000, 50
_LEAST_WIDTH = 0.15
_ROOM_FOR_WORDS = {"wide": 20.0, "fit": 5.5}  # in any window, in a wide one
# A curve is at most this far off, in probability.
_OFF = 0.02


@dataclass(frozen=True)
class Mark:
    """One stretch of a lane that says the same.

    Attributes:
        left, width: per cent of the lane.
        label: its place among the labels.
        tip: what it says, for people.
        room: ``wide`` or ``fit`` where a word fits into it, in any window or in a wide one.
    """

    left: float
    width: float
    label: int
    tip: str
    room: str


def marks(lane: Lane, start_s: float, span_s: float, labels: Sequence[str]) -> list[Mark]:
    """Where the likeliest label is which; nothing where the lane is blank.

    Neighbours that say the same become one mark: hours of video stay a small page.

    Args:
        lane: any part of it.
        start_s, span_s: what is drawn.
        labels: of the model.
    """
    here = lane.within(start_s, start_s + span_s)
    best = np.where(here.blank, -1, here.p.argmax(axis=1)) if len(here.p) else np.empty(0)
    found = []
    for first, last in _runs(here, best):
        label = int(best[first])
        if label < 0:
            continue
        times = here.start_s[first : last + 1], here.end_s[first : last + 1]
        sure = np.average(here.p[first : last + 1, label], weights=times[1] - times[0] + 1e-9)
        tip = f"{time_code(times[0][0])} {labels[label]} {sure:.0%}"
        left, width = _share(times[0][0], times[1][-1], start_s, span_s)
        width = max(_LEAST_WIDTH, width)
        room = next((name for name, least in _ROOM_FOR_WORDS.items() if width >= least), "")
        found.append(Mark(left, width, label, tip, room))
    return found


def seen(lane: Lane, start_s: float, span_s: float) -> list[tuple[float, float]]:
    """Left and width, in per cent, of where somebody was seen or heard, blank or not."""
    here = lane.within(start_s, start_s + span_s)
    return [
        _share(here.start_s[first], here.end_s[last], start_s, span_s)
        for first, last in _runs(here, np.zeros(len(here.p)))
    ]


def curve(lane: Lane, label: int, start_s: float, span_s: float) -> str:
    """The area below the probability of a label, as an SVG path in ``WIDE`` x ``HIGH`` units.

    It has a gap where the lane is blank or nobody was seen.
    """
    here = lane.within(start_s, start_s + span_s)
    pieces = []
    for first, last in _runs(here, here.blank):
        if here.blank[first]:
            continue
        start, end = here.start_s[first : last + 1], here.end_s[first : last + 1]
        times = np.concatenate([start[:1], (start + end) / 2, end[-1:]])
        p = here.p[first : last + 1, label].astype(float)
        p = np.concatenate([p[:1], p, p[-1:]])
        times = np.clip((times - start_s) / span_s, 0, 1)
        kept = _corners(times, p)
        points = np.stack([times[kept] * WIDE, (1 - p[kept]) * HIGH], 1).round().astype(int)
        steps = np.diff(points, axis=0)
        line = "".join(f"{x}{y:+d}" if x < 0 else f" {x}{y:+d}" for x, y in steps.tolist())
        pieces.append(f"M{points[0, 0]} {HIGH}V{points[0, 1]}l{line.strip()}V{HIGH}z")
    return "".join(pieces)


def _corners(times: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Which points to keep so that straight lines between them are at most ``_OFF`` off.

    After Douglas & Peucker 1973, with the distance in probability: bool (n,).
    """
    kept = np.zeros(len(p), bool)
    kept[[0, -1]] = True
    waiting = [(0, len(p) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        between = slice(first + 1, last)
        line = np.interp(times[between], times[[first, last]], p[[first, last]])
        off = np.abs(p[between] - line)
        if off.max() > _OFF:
            middle = first + 1 + int(off.argmax())
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return kept


def _runs(lane: Lane, value: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of answers that follow one another with the same value."""
    if not len(value):
        return []
    new = (value[1:] != value[:-1]) | (lane.start_s[1:] - lane.end_s[:-1] > 1e-6)
    starts = np.concatenate([[0], np.flatnonzero(new) + 1])
    ends = np.concatenate([starts[1:] - 1, [len(value) - 1]])
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _share(start: float, end: float, start_s: float, span_s: float) -> tuple[float, float]:
    left, right = (min(1.0, max(0.0, (time - start_s) / span_s)) for time in (start, end))
    return round(100 * left, 2), round(100 * (right - left), 2)
