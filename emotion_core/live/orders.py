"""What the child that plays a source tells its parent, and what it is asked for."""

from dataclasses import dataclass

import numpy as np

from emotion_core.live.addresses import Address
from emotion_core.media.types import DecodePlan, MediaInfo

PAUSE, RESUME = "pause", "resume"


@dataclass(frozen=True)
class Order:
    """What is to be played, and how.

    Attributes:
        address: the source.
        plan: which of its pictures the models want, and the rate of its sound.
        mouths: the plan of those pictures in which mouths are looked at besides; None: none are.
        open_s, read_s: the longest that opening, and waiting for something to read, may take.
        pace: seconds of a file that are played in a second.
    """

    address: Address
    plan: DecodePlan
    mouths: DecodePlan | None = None
    open_s: float = 10.0
    read_s: float = 10.0
    pace: float = 1.0


@dataclass(frozen=True)
class Opened:
    """The source is open, and has been read as far as its headers go."""

    info: MediaInfo


@dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
        time_s: seconds from the start of this connection (of the file).
        rgb: uint8 (height, width, 3), scaled as the models want it.
        arrived: when it left the decoder, by the clock that all processes of a machine share.
        answered: models are to see it; else only mouths are looked at in it.
    """

    time_s: float
    rgb: np.ndarray
    arrived: float
    answered: bool = True


@dataclass(frozen=True)
class Sound:
    """Sound that follows, or leaves a hole to, the sound before.

    Attributes:
        first: the place of its first sample, counted from the start of this connection.
        samples: float32 (n,), mono, in [-1, 1].
    """

    first: int
    samples: np.ndarray


@dataclass(frozen=True)
class Ready:
    """Everything before ``time_s`` has been told: nothing more comes for it."""

    time_s: float


@dataclass(frozen=True)
class Closed:
    """The end of this connection.

    Attributes:
        end_s: where it ends.
        lost: why, unless it ended as it should.
        refused: it could not be opened at all.
        warnings: what was wrong but survivable.
    """

    end_s: float = 0.0
    lost: str = ""
    refused: bool = False
    warnings: tuple[str, ...] = ()


Message = Opened | Picture | Sound | Ready | Closed
