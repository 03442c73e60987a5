"""What a page gets: nothing twice, nothing left out, and not more than the last hour."""

import pytest

from emotion_core.live.board import Board, Meter, as_face
from emotion_core.live.front import Status
from emotion_core.live.state import Figures, Moment, Snapshot

FIGURES = Figures(0.0, 0.0, 0.0, 0, "playing", "")


def told(time_s: float, *whose: int | None) -> Snapshot:
    moments = tuple(Moment(time_s, who, "happy", (1.0,)) for who in whose)
    return Snapshot(0, time_s, b"", (), None, moments, FIGURES)


def test_who_asks_seldom_misses_no_moment() -> None:
    board = Board()
    board.publish(told(1.0, 0))
    first = board.newest(0, 0)
    assert first is not None and first.number == 1
    for second in range(2, 7):
        board.publish(told(second, second))

    later = board.newest(first.number, 0)

    assert later is not None and later.number == 6
    assert [moment.who for moment in later.moments] == [2, 3, 4, 5, 6]
    assert board.newest(later.number, 0.01) is None


def test_the_timeline_is_of_the_last_hour() -> None:
    board = Board()
    for second in range(0, 10_000, 2):
        board.publish(told(second, None, 0))

    newest = board.newest(0, 0)
    assert newest is not None
    times = [moment.time_s for moment in newest.moments]

    assert (min(times), max(times), len(times)) == (9998 - 3600, 9998, 2 * 1801)


def test_latency_and_rate_are_of_what_was_answered_lately() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    for number in range(1000):
        now[0] = number / 10
        meter.answered(now[0] - (2.0 if number < 300 else 0.1))

    figures = meter.figures(7, Status("paused", "why"))

    assert figures.pictures_per_s == pytest.approx(10, rel=0.03)
    assert figures.latency_s == pytest.approx(0.1)
    assert figures.latency_95_s == pytest.approx(0.1)  # what was slow is over a minute ago
    assert (figures.dropped, figures.source, figures.note) == (7, "paused", "why")
    assert len(meter._answered) <= 601


def test_a_face_beyond_the_edge_ends_at_it() -> None:
    face = as_face(3, (-0.1, 0.5, 0.4, 1.2), None, ("sad",), False)

    assert face.box == pytest.approx((0.0, 0.5, 0.4, 0.5))
    assert (face.emotion, face.probabilities) == ("", ())
