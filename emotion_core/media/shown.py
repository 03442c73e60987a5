"""Which picture a player shows at a given time."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Picture = TypeVar("Picture")

# A picture that begins less than this after a time counts as shown at it: decord keeps times as
# float32, and containers round them to milliseconds.
TOLERANCE_S = 1e-3


class ShownPictures(Generic[Picture]):
    """Matches pictures that arrive in the order of their times with the times asked for.

    The picture shown at a time is the last one that begins at or before it; before the first
    picture it is the first one.

    Args:
        times_s: ascending, taken one by one as they are needed.
    """

    def __init__(self, times_s: Iterable[float]):
        self._times = iter(times_s)
        self._ahead: deque[float] = deque()  # taken already, to see whether a picture is needed
        self._next = next(self._times, None)
        self._last: Picture | None = None

    @property
    def next_s(self) -> float | None:
        """The earliest time that still lacks its picture; None when all have theirs."""
        return self._next

    def looks_for(self, start_s: float, end_s: float) -> bool:
        """Whether a picture that is shown from ``start_s`` to ``end_s`` is one of those needed."""
        if self._next is None:
            return False
        if self._next >= start_s - TOLERANCE_S:
            return self._next < end_s
        while not self._ahead or self._ahead[-1] < end_s:
            time = next(self._times, None)
            if time is None:
                break
            self._ahead.append(time)
        return any(start_s - TOLERANCE_S <= time < end_s for time in self._ahead)

    def push(self, start_s: float, picture: Picture) -> Iterator[tuple[float, Picture]]:
        """One more picture; yields the times that are now decided, each with its picture."""
        if self._last is not None:
            yield from self._decide(start_s - TOLERANCE_S)
        self._last = picture

    def finish(self, end_s: float = float("inf")) -> Iterator[tuple[float, Picture]]:
        """No more pictures come before ``end_s``: yields the times up to it."""
        if self._last is not None:
            yield from self._decide(end_s)

    def _decide(self, before_s: float) -> Iterator[tuple[float, Picture]]:
        while self._next is not None and self._next < before_s:
            time, self._next = self._next, self._following()
            assert self._last is not None
            yield time, self._last

    def _following(self) -> float | None:
        return self._ahead.popleft() if self._ahead else next(self._times, None)
