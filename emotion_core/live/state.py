"""What a live session knows at one instant, and what may be asked of it.

The page and its server know the session through this module only; the engine fulfils it. Nothing
here holds a lock or a model: a snapshot is a frozen value that any thread may keep.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Figures:
    """How well the machine keeps up."""

    pictures_per_s: float
    """Pictures answered a second, over the last few seconds."""
    latency_s: float
    """From the newest answered picture's arrival to its answer."""
    latency_95_s: float
    """95 % of the pictures of the last minute were answered within this."""
    dropped: int
    """Pictures dropped at the front since the start."""
    source: str
    """"starting", "playing", "paused", "reconnecting" or "ended"."""
    note: str
    """One line about the source: "" or e.g. "lost after 12 s; trying again in 4 s"."""


@dataclass(frozen=True)
class Face:
    """A face on the newest picture."""

    track_id: int
    box: tuple[float, float, float, float]
    """x, y, width, height as shares of the picture, 0 to 1."""
    emotion: str
    """"" before its first answer."""
    probabilities: tuple[float, ...]
    """In the order of the session's labels; () before its first answer."""
    speaking: bool


@dataclass(frozen=True)
class Moment:
    """One point of the timeline: an answer about one window."""

    time_s: float
    """Seconds of the session (media time)."""
    who: int | None
    """``track_id``; None is the voice that nobody was given."""
    emotion: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Snapshot:
    """What a page shows at one instant."""

    number: int
    """Grows by one with each snapshot."""
    time_s: float
    """Seconds of the session (media time)."""
    picture: bytes
    """JPEG of the newest picture, without boxes, at most 640 px wide; b"" before the first."""
    faces: tuple[Face, ...]
    voice: Moment | None
    """The newest answer about the sound."""
    moments: tuple[Moment, ...]
    """What is new since the snapshot before."""
    figures: Figures


class Session(Protocol):
    """A running session, as its page sees it. Every method may be called from any thread."""

    labels: tuple[str, ...]
    models: tuple[str, ...]
    """Lines to show: name, figure on unseen speakers, licence."""

    def newest(self, after: int, timeout: float) -> Snapshot | None:
        """The newest snapshot whose number is above ``after``; None after ``timeout`` seconds.

        Its moments are all since the snapshot ``after``, of the last hour at most.
        """
        ...

    def pause(self) -> None:
        """Hold it: a file stands still, what anything else gives meanwhile is not looked at."""
        ...

    def resume(self) -> None:
        """Go on."""
        ...

    def stop(self) -> None:
        """End it, also twice."""
        ...
