"""Which moments of a clip are looked at."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.recipes.specs import VideoSpec

# For a stream that does not say how many pictures a second it holds.
_USUAL_FPS = 25.0


def sample_times(spec: VideoSpec, start_s: float, end_s: float, fps: float) -> np.ndarray:
    """Times at which pictures are taken from ``[start_s, end_s)``.

    Every time is the middle of the interval that it stands for, so that rounding never decides
    between two neighbouring pictures. ``stride`` and ``fps`` give at most ``spec.max_frames``
    times: more are thinned evenly over the whole span, the end is not cut off. ``uniform`` gives
    ``spec.count``, however short the span.

    Args:
        spec: its ``sampling`` and the number that goes with it.
        start_s, end_s: seconds; an empty span gives no times, any other at least one.
        fps: mean frame rate of the stream (``stride`` only); 0 counts as 25.

    Returns:
        float64 (n,), ascending, seconds.

    Raises:
        UsageError: no such sampling, or a number that is not positive.
    """
    if spec.sampling not in ("uniform", "stride", "fps"):
        raise UsageError(f"no sampling {spec.sampling!r}: choose one of uniform, stride, fps")
    number = {"uniform": spec.count, "stride": spec.every, "fps": spec.fps}[spec.sampling]
    if number <= 0 or spec.max_frames <= 0:
        raise UsageError(f"sampling {spec.sampling!r} needs positive numbers, not {spec}")
    span = end_s - start_s
    if span <= 0:
        return np.empty(0, np.float64)
    if spec.sampling == "uniform":
        return start_s + (np.arange(spec.count) + 0.5) * (span / spec.count)
    if spec.sampling == "stride":
        # the middle of every k-th picture's own display time
        step, offset = spec.every / (fps if fps > 0 else _USUAL_FPS), 0.5 / spec.every
    else:
        step, offset = 1.0 / spec.fps, 0.5
    # as many as begin before the end; 1e-9: a span of exactly n steps holds n, not n + 1
    available = math.ceil(span / step - offset - 1e-9)
    if available < 1:
        return np.array([start_s + span / 2])
    if available > spec.max_frames:
        index = _thin(available, spec.max_frames)
    else:
        index = np.arange(available)
    return start_s + (index + offset) * step


def span_times(
    specs: Sequence[VideoSpec],
    start_s: float,
    end_s: float,
    fps: float,
    span_s: float | None = None,
    short_s: float = 0.0,
) -> Iterator[float]:
    """The times that all of ``specs`` take from each stretch of ``[start_s, end_s)``.

    Every stretch is sampled as if it were a clip of its own: a clip that is no longer than one
    gives exactly ``sample_times`` of it.

    Args:
        specs: see ``sample_times``.
        start_s, end_s, fps: see there.
        span_s: length of the stretches, seconds; None: all is one.
        short_s: a last stretch that is shorter belongs to the one before.

    Yields:
        Ascending, each time once, as they are needed: headers may promise days.
    """
    number, begin_s = 0, start_s
    while begin_s < end_s:
        number += 1
        stop_s = end_s if span_s is None else start_s + number * span_s
        if end_s - stop_s < short_s:
            stop_s = end_s
        stop_s = min(stop_s, end_s)
        times = [sample_times(spec, begin_s, stop_s, fps) for spec in specs]
        yield from map(float, np.unique(np.concatenate(times)))
        begin_s = stop_s


class Among:
    """Tells which of some times are among others. To be asked in ascending order.

    Args:
        times_s: the others, ascending, taken as they are needed.
    """

    def __init__(self, times_s: Iterator[float]):
        self._times = times_s
        self._next = next(times_s, None)

    def holds(self, time_s: float) -> bool:
        """Whether ``time_s`` is one of them."""
        while self._next is not None and self._next < time_s:
            self._next = next(self._times, None)
        return self._next == time_s


def _thin(available: int, wanted: int) -> np.ndarray:
    """``wanted`` of ``available`` indices, one from the middle of each equal part."""
    return ((np.arange(wanted) + 0.5) * (available / wanted)).astype(np.int64)
