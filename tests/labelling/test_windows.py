"""Windows over a stream of pieces: cover everything, never twice what need not be."""

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.labelling.windows import FaceObservation, Piece, Windowing, join, split, windows

RATE = 10  # samples a second, enough to see what went where


def observation(time_s: float, track_id: int) -> FaceObservation:
    return FaceObservation(time_s, track_id, (0, 0, 1, 1), 0.9, (np.zeros((2, 2), np.uint8),))


def pieces(duration: float, windowing: Windowing) -> list[Piece]:
    """Pieces of a sound whose samples count up, so that a window's content tells its place."""
    samples = np.arange(round(duration * RATE), dtype=np.float32)
    starts = np.arange(0, duration, windowing.piece_s)
    return [
        Piece(
            start_s=float(start),
            end_s=min(float(start) + windowing.piece_s, duration),
            audio=samples[round(start * RATE) : round((start + windowing.piece_s) * RATE)],
            sample_rate=RATE,
            times_s=(float(start),),
            observations=(observation(float(start), i % 2),),
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
    assert first.track_ids() == [0, 1]
    assert [s.time_s for s in first.observations] == [0.0, 1.0]


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


@pytest.mark.parametrize(
    ("window", "hop", "piece", "chunk"),
    [
        (4.0, 2.0, 2.0, 4.0),
        (4.0, 1.7, 0.1, 4.0),  # a chunk is a window: no picture is taken for every 0.1 s
        (2.0, 0.25, 0.25, 2.0),
        (10.0, 5.0, 2.5, 2.5),
        (60.0, 60.0, 4.0, 4.0),  # however long windows are, what is decoded at once is not
        (1.0, 1.0, 1.0, 1.0),
    ],
)
def test_pieces_fit_windows_and_chunks_hold_whole_pieces(window, hop, piece, chunk):
    windowing = Windowing(window, hop)
    assert (windowing.piece_s, windowing.chunk_s) == pytest.approx((piece, chunk))
    assert windowing.pieces_per_window * windowing.piece_s == pytest.approx(window)
    assert windowing.pieces_per_hop * windowing.piece_s == pytest.approx(hop)


def test_a_chunk_is_cut_into_its_pieces_and_nothing_is_lost():
    audio = np.arange(37, dtype=np.float32)  # 3.7 s: the sound ends before the pictures
    times = (4.1, 4.9, 5.0, 7.6)
    chunk = Piece(4.0, 7.8, audio, RATE, times, tuple(observation(time, 0) for time in times))
    parts = list(split(chunk, 1.0))
    assert [(part.start_s, part.end_s) for part in parts] == [(4, 5), (5, 6), (6, 7), (7, 7.8)]
    assert [len(part.audio) for part in parts] == [10, 10, 10, 7]
    assert [part.times_s for part in parts] == [(4.1, 4.9), (5.0,), (), (7.6,)]
    again = join(parts)
    np.testing.assert_array_equal(again.audio, audio)
    assert (again.times_s, again.observations) == (chunk.times_s, chunk.observations)


def test_a_picture_is_one_piece_without_length():
    still = Piece(0.0, 0.0, np.empty(0, np.float32), 0, (0.0,), (observation(0.0, 0),))
    (only,) = split(still, 2.0)
    assert only.observations == still.observations
