"""The moments of a video at which each emotion was strongest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.labelling.report.lanes import ANSWER, Lane

MOST = 20


@dataclass(frozen=True)
class Moment:
    """A window whose likeliest label has a high probability.

    Attributes:
        start_s, end_s: the window.
        track, who: whose, as a number and for people.
        p: the label's probability.
    """

    start_s: float
    end_s: float
    track: int
    who: str
    p: float


def moments(lanes: Sequence[Lane], label: int, most: int = MOST) -> list[Moment]:
    """The strongest of a label, strongest first; none that is blank.

    Windows overlap: of those of one person that do, the strongest is a moment, the others are not.

    Args:
        lanes: of one video.
        label: its place among the labels.
        most: so many at most.
    """
    found = [m for lane in lanes if lane.kind == ANSWER for m in _of(lane, label, most)]
    return sorted(found, key=lambda m: (-m.p, m.start_s, m.track))[:most]


def _of(lane: Lane, label: int, most: int) -> list[Moment]:
    p = lane.p[:, label]
    says = np.flatnonzero((lane.p.argmax(axis=1) == label) & ~lane.blank)
    taken: list[int] = []
    for place in says[np.argsort(-p[says], kind="stable")].tolist():
        start, end = lane.start_s[place], lane.window_s[place]
        if all(start >= lane.window_s[t] or end <= lane.start_s[t] for t in taken):
            taken.append(place)
            if len(taken) == most:
                break
    return [
        Moment(float(lane.start_s[t]), float(lane.window_s[t]), lane.track, lane.name, float(p[t]))
        for t in taken
    ]
