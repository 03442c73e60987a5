"""How long one video may hold up a worker."""

from dataclasses import dataclass

# A worker labels a minute of video in some ten seconds, so this is a day and a half of video; where
# one only just keeps up with real time, six hours of it. What takes longer is a file that never
# ends, or one that its owner should know of.
VIDEO_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True)
class Limits:
    """The longest that things may take.

    Attributes:
        piece_s: decoding one piece of a video, seconds.
        video_s: all work on one video; infinity: as long as it takes. What was labelled until then
            is kept.
    """

    piece_s: float = 120.0
    video_s: float = VIDEO_TIMEOUT_S
