"""What the headers of a file say about the length of each of its streams."""

import re
from dataclasses import dataclass
from fractions import Fraction

from av.stream import Stream

from emotion_core.media.ending import ends_early, states_length

# Formats whose headers state how long each stream is; the others' lengths are FFmpeg's estimates.
# An MP3 file may: ``ending.states_length``.
_DECLARING = {
    "mov", "matroska", "avi", "flv", "wav", "w64", "aiff", "flac", "asf", "caf", "mxf", "gxf", "rm",
    "au", "wv", "tta", "ape",
}  # fmt: skip
_ROUGH = {"gxf", "rm"}  # they mean all streams together
_CUT_S = 0.25
_CUT_UNSTATED_S = 1.0  # sound and picture of one file differ in length by some tenths of a second
# Matroska has no field for the end of a stream; the usual writers leave this tag.
_TAGGED = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")


@dataclass(frozen=True)
class Track:
    """One stream of a container.

    Attributes:
        index: its number in the container.
        end_s: where the headers say that it ends, seconds.
        stated: they say it of this stream, and not of the file as a whole.
        slack_s: a stream that ends earlier than this before ``end_s`` is cut.
        early: bytes are missing at the end of the file, and so perhaps of this stream.
    """

    index: int
    end_s: float
    stated: bool
    slack_s: float
    early: bool = False

    def cut(self, kind: str, read_s: float) -> list[str]:
        """One line when a stream that was read to its end, at ``read_s``, stops too early."""
        if read_s < self.end_s - self.slack_s:
            return [f"{kind}: stops at {read_s:.1f} s of {self.end_s:.1f} s"]
        return [f"{kind}: stops at {read_s:.1f} s, where bytes are missing"] if self.early else []


@dataclass(frozen=True)
class FileFacts:
    """What is known of all streams of a file together.

    Attributes:
        format: FFmpeg's first name of the container format.
        origin_s: the container's own time at which it starts.
        whole_s: its length.
        declares: its headers state lengths that can be relied on.
        early: bytes are missing at its end.
    """

    format: str
    origin_s: float
    whole_s: float
    declares: bool
    early: bool


def file_facts(path: str, format: str, origin_s: float, whole_s: float) -> FileFacts:
    """See ``FileFacts``."""
    declares = format in _DECLARING or (format == "mp3" and states_length(path))
    return FileFacts(format, origin_s, whole_s, declares, ends_early(path, format))


def track_of(stream: Stream, file: FileFacts, alone: bool) -> Track:
    """What the headers say about one stream of a file."""
    end_s = None
    if stream.duration:
        ticks = (stream.start_time or 0) + stream.duration
        end_s = seconds(ticks, stream.time_base, file.origin_s)
    elif match := _TAGGED.fullmatch(stream.metadata.get("DURATION", "")):
        hours, minutes, rest = (float(group) for group in match.groups())
        end_s = 3600 * hours + 60 * minutes + rest - file.origin_s
    exact = file.format not in _ROUGH and (alone or end_s is not None)
    slack_s = _CUT_S if exact else _CUT_UNSTATED_S
    return Track(
        index=stream.index,
        end_s=file.whole_s if end_s is None else min(max(end_s, 0.0), file.whole_s),
        stated=end_s is not None,
        slack_s=slack_s if file.declares else float("inf"),
        early=file.early,
    )


def seconds(ticks: int | None, time_base: Fraction | None, origin_s: float) -> float | None:
    """Time in the file of a time stamp, None for none."""
    if ticks is None or time_base is None:
        return None
    return float(ticks * time_base) - origin_s
