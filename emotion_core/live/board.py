"""What a page may ask for: the newest snapshot, and the timeline of the last hour."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emotion_core.live.front import Status
from emotion_core.live.state import Face, Figures, Moment, Snapshot

HISTORY_S = 3600.0
_LATEST_S = 60.0  # that latency is told of
_LATELY_S = 5.0  # that pictures a second are counted over


class Board:
    """The newest snapshot. For one who writes and any number who read, each in a thread of its own.

    Args:
        history_s: seconds of the timeline that are kept.
    """

    def __init__(self, history_s: float = HISTORY_S):
        self._history_s = history_s
        self._changed = threading.Condition()
        self._moments: deque[tuple[int, Moment]] = deque()
        self._newest: Snapshot | None = None

    def publish(self, snapshot: Snapshot) -> None:
        """A newer one; its number is given here, and its moments are added to the timeline."""
        with self._changed:
            number = 1 if self._newest is None else self._newest.number + 1
            self._moments.extend((number, moment) for moment in snapshot.moments)
            oldest_s = snapshot.time_s - self._history_s
            while self._moments and self._moments[0][1].time_s < oldest_s:
                self._moments.popleft()
            self._newest = replace(snapshot, number=number)
            self._changed.notify_all()

    def newest(self, after: int, timeout: float) -> Snapshot | None:
        """See ``state.Session``; its moments are all since the snapshot ``after``."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._newest is not None and self._newest.number > after, timeout
            )
            if self._newest is None or self._newest.number <= after:
                return None
            since: list[Moment] = []
            for number, moment in reversed(self._moments):
                if number <= after:
                    break
                since.append(moment)
            return replace(self._newest, moments=tuple(reversed(since)))


class Meter:
    """How well pictures are kept up with.

    Args:
        clock: seconds that pass.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._began = clock()
        self._answered: deque[tuple[float, float]] = deque()  # when, and after how long

    def answered(self, arrived: float) -> None:
        """A picture that came at ``arrived`` has its answer now."""
        now = self._clock()
        self._answered.append((now, now - arrived))

    def figures(self, dropped: int, status: Status) -> Figures:
        """What a page is told."""
        now = self._clock()
        while self._answered and self._answered[0][0] < now - _LATEST_S:  # also while it is paused
            self._answered.popleft()
        lately = sum(when > now - _LATELY_S for when, _ in self._answered)
        seconds = max(0.5, min(_LATELY_S, now - self._began))
        late: Sequence[float] = [latency for _, latency in self._answered]
        return Figures(
            pictures_per_s=lately / seconds,
            latency_s=late[-1] if late else 0.0,
            latency_95_s=float(np.quantile(late, 0.95)) if late else 0.0,
            dropped=dropped,
            source=status.source,
            note=status.note,
        )


def as_face(
    track_id: int,
    box: Sequence[float],
    answer: np.ndarray | None,
    labels: Sequence[str],
    speaking: bool,
) -> Face:
    """A face as a page has it.

    Args:
        box: x1 y1 x2 y2 as fractions of the picture; faces at its edge reach beyond.
        answer: float32 (labels,); None: there is none yet.
    """
    x1, y1, x2, y2 = np.clip(np.array(box, np.float64), 0, 1).tolist()
    return Face(
        track_id,
        (x1, y1, x2 - x1, y2 - y1),
        "" if answer is None else labels[int(answer.argmax())],
        () if answer is None else tuple(answer.tolist()),
        speaking,
    )
