"""Which picture a player shows at a given time."""

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
        self._next = next(self._times, None)
        self._last: Picture | None = None

    @property
    def next_s(self) -> float | None:
        """The earliest time that still lacks its picture; None when all have theirs."""
        return self._next

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
            time, self._next = self._next, next(self._times, None)
            assert self._last is not None
            yield time, self._last
