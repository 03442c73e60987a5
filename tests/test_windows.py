"""Windows over a stream of pieces: cover everything, never twice what need not be."""

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.stages.windows import Piece, Sight, Windowing, windows

RATE = 10  # samples a second, enough to see what went where


def pieces(duration: float, windowing: Windowing) -> list[Piece]:
    """Pieces of a sound whose samples count up, so that a window's content tells its place."""
    samples = np.arange(round(duration * RATE), dtype=np.float32)
    starts = np.arange(0, duration, windowing.piece_s)
    return [
        Piece(
            start_s=float(start),
            end_s=min(float(start) + windowing.piece_s, duration),
            audio=samples[round(start * RATE) : round((start + windowing.piece_s) * RATE)],
            times_s=(float(start),),
            sights=(Sight(float(start), i % 2, (0, 0, 1, 1), 0.9, np.zeros((2, 2), np.uint8)),),
        )
        for i, start in enumerate(starts)
    ]


def spans(duration: float, window: float, hop: float) -> list[tuple[float, float]]:
    windowing = Windowing(window, hop)
    found = list(windows(pieces(duration, windowing), windowing))
    for w in found:
        expected = np.arange(round(w.start_s * RATE), round(w.end_s * RATE), dtype=np.float32)
        np.testing.assert_array_equal(w.audio, expected)
    return [(w.start_s, w.end_s) for w in found]


@pytest.mark.parametrize(
    ("duration", "window", "hop", "expected"),
    [
        (8.0, 4.0, 2.0, [(0, 4), (2, 6), (4, 8)]),
        (9.0, 4.0, 2.0, [(0, 4), (2, 6), (4, 8), (6, 9)]),
        (1.5, 4.0, 2.0, [(0, 1.5)]),
        (4.0, 4.0, 4.0, [(0, 4)]),
        (6.0, 4.0, 3.0, [(0, 4), (3, 6)]),
        (7.0, 2.0, 0.5, [(i / 2, i / 2 + 2) for i in range(11)]),
    ],
)
def test_windows_start_at_every_hop_and_reach_the_end(duration, window, hop, expected):
    assert spans(duration, window, hop) == expected


def test_a_tail_of_a_few_milliseconds_is_no_window_of_its_own():
    assert spans(4.1, 4.0, 2.0) == [(0, 4.1)]
    assert spans(4.3, 4.0, 2.0) == [(0, 4), (2, 4.3)]


def test_no_pieces_no_windows():
    assert list(windows([], Windowing())) == []


def test_a_window_holds_the_people_of_its_pieces():
    windowing = Windowing(2.0, 1.0)
    first, *_ = windows(pieces(4.0, windowing), windowing)
    assert first.people() == [0, 1]
    assert [s.time_s for s in first.sights] == [0.0, 1.0]


def test_only_one_window_is_held_at_a_time():
    """A two-hour video costs what a two-minute one does: the stream is taken piece by piece."""
    windowing = Windowing(4.0, 2.0)
    taken = []

    def watched():
        for piece in pieces(100.0, windowing):
            taken.append(piece.start_s)
            yield piece

    first = next(windows(watched(), windowing))
    assert (first.start_s, first.end_s) == (0, 4)
    assert len(taken) <= 3  # the window's two pieces, and one to know whether it is the last


@pytest.mark.parametrize(("window", "hop"), [(4, 0), (4, -1), (2, 3)])
def test_a_hop_that_skips_parts_of_the_video_is_refused(window, hop):
    with pytest.raises(UsageError, match="hop"):
        Windowing(window, hop)
