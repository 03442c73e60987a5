"""A stream of pieces becomes overlapping windows, without holding more than one window."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emotion_core.errors import UsageError

# A tail shorter than this share of a piece is no window of its own: containers round durations up.
SHORT_TAIL = 0.1


@dataclass(frozen=True)
class Windowing:
    """Windows of ``window_s`` seconds, one every ``hop_s`` seconds; the last one may be shorter."""

    window_s: float = 4.0
    hop_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.hop_s <= self.window_s:
            raise UsageError(
                f"a hop of {self.hop_s:g} s with windows of {self.window_s:g} s: the hop must be "
                "more than 0 and at most the window, or parts of the video would be skipped"
            )

    @property
    def piece_s(self) -> float:
        """The longest piece of which both window and hop are multiples (to the millisecond)."""
        return math.gcd(round(self.window_s * 1000), round(self.hop_s * 1000)) / 1000

    @property
    def pieces_per_window(self) -> int:
        return round(self.window_s / self.piece_s)

    @property
    def pieces_per_hop(self) -> int:
        return round(self.hop_s / self.piece_s)


@dataclass(frozen=True)
class Sight:
    """One face in one picture.

    Attributes:
        time_s: of the picture.
        face_id: the person.
        box: x1 y1 x2 y2 as fractions of the picture.
        score: the detector's.
        crop: uint8 (size, size, 3) or (size, size), as the recipe's network wants it.
    """

    time_s: float
    face_id: int
    box: tuple[float, ...]
    score: float
    crop: np.ndarray


@dataclass(frozen=True)
class Piece:
    """A stretch of a video, faces found and people told apart.

    Attributes:
        start_s, end_s: where it lies.
        audio: float32 (samples,), empty without sound.
        times_s: of the pictures that were looked at.
        sights: the faces in them, in order of time.
    """

    start_s: float
    end_s: float
    audio: np.ndarray
    times_s: tuple[float, ...]
    sights: tuple[Sight, ...]

    def people(self) -> list[int]:
        """Everybody seen, in order of ``face_id``."""
        return sorted({sight.face_id for sight in self.sights})


def join(pieces: list[Piece]) -> Piece:
    """Neighbouring pieces as one."""
    return Piece(
        pieces[0].start_s,
        pieces[-1].end_s,
        np.concatenate([piece.audio for piece in pieces]),
        tuple(time for piece in pieces for time in piece.times_s),
        tuple(sight for piece in pieces for sight in piece.sights),
    )


def windows(pieces: Iterable[Piece], windowing: Windowing) -> Iterator[Piece]:
    """Every window of a video, in order of time, as soon as its last piece is there.

    The windows start at 0, hop, 2 hop, ... and together cover the whole video: the last one is
    shorter when the video ends within it.
    """
    held: list[Piece] = []
    fresh = 0  # pieces in ``held`` that no window has shown yet
    for piece in _without_short_tail(pieces, windowing.piece_s):
        held.append(piece)
        fresh += 1
        if len(held) == windowing.pieces_per_window:
            yield join(held)
            held = held[windowing.pieces_per_hop :]
            fresh = 0
    if fresh:
        yield join(held)


def _without_short_tail(pieces: Iterable[Piece], piece_s: float) -> Iterator[Piece]:
    before: Piece | None = None
    for piece in pieces:
        if before is not None and piece.end_s - piece.start_s < SHORT_TAIL * piece_s:
            before = join([before, piece])
            continue
        if before is not None:
            yield before
        before = piece
    if before is not None:
        yield before
