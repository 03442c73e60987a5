"""Pieces of what comes bit by bit are those that labelling cuts."""

import numpy as np
import pytest

from emotion_core.labelling.windows import Piece, Windowing, overlapping, split, windows
from emotion_core.live.gathering import Gathering
from emotion_core.live.orders import Sound

RATE = 1000
SOUND = np.random.default_rng(1).normal(0, 0.1, 20 * RATE).astype(np.float32)


def picture(time_s: float) -> Piece:
    return Piece(time_s, time_s, np.empty(0, np.float32), 0, (time_s,), ())


def times(end_s: float) -> list[float]:
    return [time for n in range(200) if (time := round(0.05 + 0.1 * n, 3)) < end_s]


def gathered(end_s: float, heard_s: float, seed: int, windowing: Windowing) -> list[Piece]:
    """Fed in bits of any length, sound behind pictures."""
    draw = np.random.default_rng(seed)
    gathering = Gathering(windowing, RATE, silence=False)
    found: list[Piece] = []
    waiting, first, now = times(end_s), 0, 0.0
    while now < end_s:
        now = min(end_s, now + draw.uniform(0.01, 0.5))
        while waiting and waiting[0] < now:
            gathering.seen(picture(waiting.pop(0)))
        until = min(round(now * RATE), round(heard_s * RATE))
        gathering.heard(Sound(first, SOUND[first:until]))
        first = max(first, until)
        found += gathering.due(now)
    return found + list(gathering.rest(end_s))


@pytest.mark.parametrize("end_s", [1.0, 3.9, 4.0, 4.1, 7.95, 8.3, 13.0])
@pytest.mark.parametrize("hop_s", [2.0, 3.0])
def test_windows_are_those_of_labelling(end_s: float, hop_s: float) -> None:
    windowing = Windowing(4.0, hop_s)
    heard_s = end_s - 0.7
    whole = Piece(0.0, end_s, SOUND[: round(heard_s * RATE)], RATE, tuple(times(end_s)), ())
    want = list(windows(split(whole, windowing.piece_s), windowing))
    for seed in range(5):
        pieces = gathered(end_s, heard_s, seed, windowing)
        got = list(overlapping(pieces, windowing))
        assert [(w.start_s, w.end_s, w.times_s) for w in got] == [
            (w.start_s, w.end_s, w.times_s) for w in want
        ]
        for one, other in zip(got, want, strict=True):
            assert np.array_equal(one.audio, other.audio)


def test_a_piece_comes_as_soon_as_nothing_more_can_come_for_it() -> None:
    gathering = Gathering(Windowing(), RATE, silence=False)
    gathering.heard(Sound(0, SOUND[: 3 * RATE]))

    assert list(gathering.due(2.19)) == []  # what follows may be a short tail
    (piece,) = gathering.due(2.2)
    assert (piece.start_s, piece.end_s, len(piece.audio)) == (0.0, 2.0, 2 * RATE)


def test_a_hole_is_silent_and_what_comes_late_is_left_out() -> None:
    gathering = Gathering(Windowing(), RATE, silence=True)
    gathering.heard(Sound(0, SOUND[:500]))
    gathering.heard(Sound(1000, SOUND[1000:1500]))
    first, second = gathering.due(4.2)
    gathering.heard(Sound(3000, SOUND[3000:5000]))
    (third,) = gathering.due(6.2)

    want = np.zeros(2000, np.float32)
    want[:500], want[1000:1500] = SOUND[:500], SOUND[1000:1500]
    assert np.array_equal(first.audio, want)
    assert np.array_equal(second.audio, np.zeros(2000, np.float32))
    assert np.array_equal(third.audio[:1000], SOUND[4000:5000])


def test_a_picture_that_comes_late_is_in_no_other_piece() -> None:
    gathering = Gathering(Windowing(), RATE, silence=True)
    list(gathering.due(4.2))
    for time_s in (3.9, 4.1):
        gathering.seen(Piece(time_s, time_s, SOUND[:0], 0, (time_s,), ()))
    (third,) = gathering.due(6.2)
    assert third.times_s == (4.1,)


def test_nothing_is_kept_of_pieces_that_were_given() -> None:
    gathering = Gathering(Windowing(), RATE, silence=True)
    for second in range(3600):
        gathering.heard(Sound(second * RATE, SOUND[:RATE]))
        gathering.seen(picture(float(second)))
        list(gathering.due(float(second)))

    assert len(gathering._heard) < 6 and len(gathering._seen) < 6
