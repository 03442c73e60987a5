"""A stream of pieces becomes overlapping windows, without holding more than one window."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.faces.mouths import MouthPicture

# A tail shorter than this share of a piece is no window of its own: containers round durations up.
SHORT_TAIL = 0.1

# What is decoded at once holds at most this much, however long windows are: pictures take memory.
LONGEST_CHUNK_S = 4.0

# Times are multiples of pieces; rounding keeps 0.1 + 0.2 from being told apart from 0.3.
_DECIMALS = 6


@dataclass(frozen=True)
class Windowing:
    """Windows of ``window_s`` seconds, one every ``hop_s`` seconds; the last one may be shorter.

    A video is cut into pieces of which both are whole numbers, and decoded in chunks, which are
    one or several pieces.

    Attributes:
        window_s: seconds that one window lasts, counted in thousandths.
        hop_s: seconds from the start of one window to that of the next, alike.

    Raises:
        UsageError: a hop of 0 or less, or longer than the window.
    """

    window_s: float = 4.0
    hop_s: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.hop_s <= self.window_s < math.inf:
            raise UsageError(
                f"a hop of {self.hop_s:g} s with windows of {self.window_s:g} s: the hop must be "
                "more than 0 and at most the window, or stretches of the video would be skipped; "
                "and a window has an end"
            )
        if min(round(self.window_s * 1000), round(self.hop_s * 1000)) < 1:
            raise UsageError(f"a hop of {self.hop_s:g} s: it must be at least 0.001 s")

    @property
    def piece_s(self) -> float:
        """The longest piece of which window and hop are multiples, cut up where it is too long."""
        common_s = math.gcd(round(self.window_s * 1000), round(self.hop_s * 1000)) / 1000
        return common_s / math.ceil(common_s / LONGEST_CHUNK_S)

    @property
    def chunk_s(self) -> float:
        """What is decoded at once: a window, or as many pieces as are short enough."""
        longest = min(self.window_s, LONGEST_CHUNK_S)
        return self.piece_s * max(1, int(longest / self.piece_s + 1e-9))

    @property
    def short_s(self) -> float:
        """A tail that is shorter than this is no piece of its own."""
        return SHORT_TAIL * self.piece_s

    @property
    def pieces_per_window(self) -> int:
        return round(self.window_s / self.piece_s)

    @property
    def pieces_per_hop(self) -> int:
        return round(self.hop_s / self.piece_s)


@dataclass(frozen=True)
class FaceObservation:
    """One face in one picture.

    Attributes:
        time_s: of the picture.
        track_id: whose.
        box: x1 y1 x2 y2 as fractions of the picture.
        score: the detector's.
        crops: the face as each model wants it, uint8 (size, size, 3) or (size, size); None where
            it is no face to that model.
    """

    time_s: float
    track_id: int
    box: tuple[float, ...]
    score: float
    crops: tuple[np.ndarray | None, ...]


@dataclass(frozen=True)
class Piece:
    """A stretch of a video, faces found and assigned to tracks.

    Attributes:
        start_s, end_s: where it lies.
        audio: float32 (samples,), empty without sound.
        sample_rate: of ``audio``, Hz; 0 without sound.
        times_s: of the pictures that were looked at.
        observations: the faces in them, in order of time.
        speech_s: when speech was heard, a time for each frame of it (``sound.speech``); None:
            nobody looked for speech.
        mouths: the mouths of its tracks, in order of time; None: nobody looked at them.
    """

    start_s: float
    end_s: float
    audio: np.ndarray
    sample_rate: int
    times_s: tuple[float, ...]
    observations: tuple[FaceObservation, ...]
    speech_s: tuple[float, ...] | None = None
    mouths: tuple[MouthPicture, ...] | None = None

    def track_ids(self) -> list[int]:
        """The tracks seen, ascending."""
        return sorted({observation.track_id for observation in self.observations})


def join(pieces: list[Piece]) -> Piece:
    """Neighbouring pieces as one."""
    return Piece(
        pieces[0].start_s,
        pieces[-1].end_s,
        np.concatenate([piece.audio for piece in pieces]),
        max(piece.sample_rate for piece in pieces),
        tuple(time for piece in pieces for time in piece.times_s),
        tuple(observation for piece in pieces for observation in piece.observations),
        None
        if any(piece.speech_s is None for piece in pieces)
        else tuple(time for piece in pieces for time in piece.speech_s or ()),
        None
        if any(piece.mouths is None for piece in pieces)
        else tuple(mouth for piece in pieces for mouth in piece.mouths or ()),
    )


def split(chunk: Piece, piece_s: float) -> Iterator[Piece]:
    """A chunk as its pieces, the last one shorter where the chunk is."""
    count = max(1, math.ceil((chunk.end_s - chunk.start_s) / piece_s - 1e-6))
    edges = [round(chunk.start_s + number * piece_s, _DECIMALS) for number in range(count)]
    first = round(chunk.start_s * chunk.sample_rate)
    for start_s, end_s in zip(edges, [*edges[1:], chunk.end_s], strict=True):
        last = end_s == chunk.end_s
        # the first edge is rounded too, and a picture of the chunk may lie before it
        from_s = -math.inf if start_s == edges[0] else start_s
        until_s = math.inf if last else end_s
        begin = round(start_s * chunk.sample_rate) - first
        end = None if last else round(end_s * chunk.sample_rate) - first
        yield Piece(
            start_s,
            end_s,
            chunk.audio[begin:end],
            chunk.sample_rate,
            tuple(time for time in chunk.times_s if from_s <= time < until_s),
            tuple(
                observation
                for observation in chunk.observations
                if from_s <= observation.time_s < until_s
            ),
            None
            if chunk.speech_s is None
            else tuple(time for time in chunk.speech_s if from_s <= time < until_s),
            None
            if chunk.mouths is None
            else tuple(mouth for mouth in chunk.mouths if from_s <= mouth.time_s < until_s),
        )


def windows(pieces: Iterable[Piece], windowing: Windowing) -> Iterator[Piece]:
    """Every window of a video, in order of time, as soon as its last piece is there.

    The windows start at 0, hop, 2 hop, ... and together cover the whole video: the last one is
    shorter when the video ends within it.
    """
    return overlapping(_without_short_tail(pieces, windowing.short_s), windowing)


def overlapping(pieces: Iterable[Piece], windowing: Windowing) -> Iterator[Piece]:
    """``windows`` of pieces of which none is a short tail: none is held back to see what comes."""
    held: list[Piece] = []
    fresh = 0  # pieces in ``held`` that no window has shown yet
    for piece in pieces:
        held.append(piece)
        fresh += 1
        if len(held) == windowing.pieces_per_window:
            yield join(held)
            held = held[windowing.pieces_per_hop :]
            fresh = 0
    if fresh:
        yield join(held)


def _without_short_tail(pieces: Iterable[Piece], short_s: float) -> Iterator[Piece]:
    before: Piece | None = None
    for piece in pieces:
        if before is not None and piece.end_s - piece.start_s < short_s:
            before = join([before, piece])
            continue
        if before is not None:
            yield before
        before = piece
    if before is not None:
        yield before
