"""Windows over a stream of pieces: cover everything, never twice what need not be."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.windows import FaceObservation, Piece, Windowing, join, split, windows
from emotion_core.media.types import MediaInfo

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


def test_no_picture_is_lost_where_pieces_are_no_round_numbers():
    windowing = Windowing(20.0, 10.0)
    start_s = 5 * windowing.piece_s  # 16.666666666666668; edges are rounded
    chunk = Piece(
        start_s, start_s + windowing.chunk_s, np.empty(0, np.float32), RATE, (start_s,),
        (observation(start_s, 0),),
    )  # fmt: skip
    found = list(split(chunk, windowing.piece_s))
    assert [part.times_s for part in found] == [(start_s,)]
    assert found[0].observations == chunk.observations


def test_what_is_told_of_seconds_without_a_face_does_not_depend_on_chunks():
    """A stretch in which no picture was looked at is as the picture before it, or the first one."""

    def no_face_s(*looks: tuple[float, ...], end_s: float = 99.0, faces: tuple = (2.0, 6.0)):
        seen = Seen()
        for number, times in enumerate(looks):
            observed = tuple(observation(time, 0) for time in times if time in faces)
            piece = Piece(2.0 * number, 2.0 * number + 2, np.empty(0), 0, times, observed)
            info = MediaInfo("video", 99.0, 64, 64, 25.0, False, pictures_end_s=end_s)
            media: Any = SimpleNamespace(info=info, frames=(), decoder="pyav", warnings=())
            seen.add(media, piece)
        return seen.no_face_s

    assert no_face_s((), (2.0,), (), (6.0,), ()) == 0
    assert no_face_s((), (2.0,), (5.0,), (), (), (11.0,)) == 8
    assert no_face_s((), (3.0,), ()) == 6
    assert no_face_s((), (), ()) == 6
    assert no_face_s((2.0,), (), (), (), end_s=4.0) == 4, "its pictures end, the sound goes on"


@pytest.mark.parametrize(("window", "hop"), [(float("inf"), 2.0), (float("nan"), 2.0)])
def test_a_window_has_an_end(window, hop):
    with pytest.raises(UsageError, match="a window has an end"):
        Windowing(window, hop)


def test_a_picture_is_one_piece_without_length():
    still = Piece(0.0, 0.0, np.empty(0, np.float32), 0, (0.0,), (observation(0.0, 0),))
    (only,) = split(still, 2.0)
    assert only.observations == still.observations
