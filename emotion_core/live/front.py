"""Where what arrives waits for the models, and where what they cannot keep up with is dropped.

Pictures wait for a moment only: one that comes while the one before is looked at is no backlog.
Once the oldest has waited longer, all but the newest are dropped, so latency has a bound and does
not grow. Sound is never dropped for that: it is small, and a window needs all of it. Only what lies
more than ``RING_S`` seconds back goes.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from emotion_core.live.orders import Picture, Sound
from emotion_core.media.types import MediaInfo

MOST_WAIT_S = 0.4
RING_S = 60.0
# Also of a source that shows thousands of pictures a second.
_MOST_PICTURES = 128


@dataclass(frozen=True)
class Status:
    """How the source is, as ``state.Figures`` has it."""

    source: str = "starting"
    note: str = ""


@dataclass(frozen=True)
class Taken:
    """What there is to do next.

    Attributes:
        picture: the next one for the models; None: none waits.
        before: pictures since the one before it, in which only mouths are looked at.
        sound: what was heard since the last time.
        ready_s: everything before this has been handed out; nothing more comes for it.
        dropped: pictures dropped since the start.
        status: of the source.
        ended: nothing more comes at all.
        end_s: where it ended.
        warnings: what was wrong with it.
    """

    picture: Picture | None
    before: tuple[Picture, ...]
    sound: tuple[Sound, ...]
    ready_s: float
    dropped: int
    status: Status
    ended: bool
    end_s: float
    warnings: tuple[str, ...]


class Front:
    """Between a source, which never waits, and whoever answers. For two threads.

    Args:
        sample_rate: of the sound, Hz; 0: there is none.
        most_wait_s: the longest that a picture waits while there is a newer one. None: nothing is
            dropped, the source waits instead; for what need not keep up with anything, as tests.
        ring_s: seconds of sound that are kept.
        clock: the one that pictures arrive by.
    """

    def __init__(
        self,
        sample_rate: int,
        most_wait_s: float | None = MOST_WAIT_S,
        ring_s: float = RING_S,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most_wait_s, self._clock = most_wait_s, clock
        self._most_samples = round(ring_s * sample_rate)
        self._rate = sample_rate
        self._changed = threading.Condition()
        self._pictures: deque[Picture] = deque()
        self._answered = 0  # of them, for the models
        self._sound: deque[Sound] = deque()
        self._samples = 0
        self._ready_s = 0.0
        self._dropped, self._lost = 0, 0
        self._status = Status()
        self._ended, self._end_s, self._released = False, 0.0, False
        self._warnings: tuple[str, ...] = ()
        self.info: MediaInfo | None = None

    # --- by the source -----------------------------------------------------------------------

    def begin(self, info: MediaInfo) -> None:
        """A connection is open."""
        with self._changed:
            self.info = info
            self._changed.notify_all()

    def picture(self, picture: Picture) -> None:
        """One more picture."""
        with self._changed:
            if self._most_wait_s is None:
                self._changed.wait_for(
                    lambda: self._released or len(self._pictures) < _MOST_PICTURES // 2
                )
            self._pictures.append(picture)
            self._answered += picture.answered
            self._drop_stale()
            self._changed.notify_all()

    def sound(self, sound: Sound) -> None:
        """More sound."""
        with self._changed:
            self._sound.append(sound)
            self._samples += len(sound.samples)
            while self._samples > self._most_samples and len(self._sound) > 1:
                gone = len(self._sound.popleft().samples)
                self._samples -= gone
                self._lost += gone
            self._changed.notify_all()

    def ready(self, time_s: float) -> None:
        """Nothing more comes for the time before."""
        with self._changed:
            self._ready_s = max(self._ready_s, time_s)
            self._changed.notify_all()

    def tell(self, status: Status) -> None:
        """How the source is now."""
        with self._changed:
            self._status = status
            self._changed.notify_all()

    def release(self) -> None:
        """Let go whoever waits to put something here."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def end(self, end_s: float, warnings: tuple[str, ...] = ()) -> None:
        """Nothing more comes at all."""
        with self._changed:
            self._ended, self._end_s, self._warnings = True, end_s, warnings
            self._changed.notify_all()

    # --- by who answers ----------------------------------------------------------------------

    def take(self, timeout: float) -> Taken:
        """What there is to do next; waits for something for ``timeout`` seconds at most."""
        with self._changed:
            status = self._status
            self._changed.wait_for(
                lambda: self._answered or self._sound or self._ended or self._status != status,
                timeout,
            )
            self._drop_stale()
            before, picture = self._next()
            self._changed.notify_all()
            sound, self._sound, self._samples = tuple(self._sound), deque(), 0
            return Taken(
                picture=picture,
                before=tuple(before),
                sound=sound,
                ready_s=min([self._ready_s, *(p.time_s for p in self._pictures if p.answered)]),
                dropped=self._dropped,
                status=self._noted(),
                ended=self._ended and not self._answered,
                end_s=self._end_s,
                warnings=self._warnings,
            )

    def _next(self) -> tuple[list[Picture], Picture | None]:
        before: list[Picture] = []
        while self._answered:
            picture = self._pictures.popleft()
            if picture.answered:
                self._answered -= 1
                return before, picture
            before.append(picture)
        return before, None

    def _drop_stale(self) -> None:
        """All that came before the newest picture, once the oldest has waited too long."""
        if self._most_wait_s is None or len(self._pictures) < 2:
            return
        waited_s = self._clock() - self._pictures[0].arrived
        if waited_s <= self._most_wait_s and len(self._pictures) <= _MOST_PICTURES:
            return
        there = enumerate(self._pictures)
        newest = max((place for place, picture in there if picture.answered), default=None)
        for _ in range(len(self._pictures) - 1 if newest is None else newest):
            picture = self._pictures.popleft()
            self._dropped += picture.answered
            self._answered -= picture.answered

    def _noted(self) -> Status:
        if not self._lost:
            return self._status
        lost = f"{self._lost / self._rate:.0f} s of sound could not be kept up with"
        note = f"{self._status.note}; {lost}" if self._status.note else lost
        return Status(self._status.source, note)
