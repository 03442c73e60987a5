"""Pictures through decord, where it can be trusted with the file.

decord 0.6.0 brings an FFmpeg of its own that cannot be restricted, looks pictures up by index, and
fills gaps with copies of neighbours without a word. It therefore only gets files on which its own
table of times agrees with PyAV's, in containers whose index makes its jumps exact: in MPEG program
streams its first picture is the second key picture, half a second late, under the first one's time.

Its older FFmpeg also turns some pictures into other colours: those with more than 8 bits, with an
odd number of lines or columns, or interlaced ones differ by up to 60 of 255 from PyAV's. Whoever
did not ask for decord by name gets it only where ``check_pixels`` finds the same pixels.
"""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast

import numpy as np
from av.video.stream import VideoStream

from emotion_core.media.container import (
    Facts,
    open_container,
    packets,
    use_only,
)
from emotion_core.media.lengths import seconds
from emotion_core.media.pyav_reader import PyavReader
from emotion_core.media.shown import TOLERANCE_S
from emotion_core.media.types import MediaInfo
from emotion_core.media.upright import is_mirrored

# Formats decord is given, and the bytes (from, to) that such a file starts with: decord's own
# FFmpeg must not take it for anything else, a playlist above all.
_TRUSTED = {
    "mov": (4, 8, (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")),
    "matroska": (0, 4, (b"\x1a\x45\xdf\xa3",)),
}
# Codecs that people use and on which a test has compared its pictures with PyAV's. What else its
# older FFmpeg can decode has not been compared, and is what the files of strangers can attack.
_PROVEN = frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"})

# How pictures may be stored for decord's colours to be PyAV's (found by trying, on even sizes).
_SAME_COLOURS = {
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "gbrp", "rgb24", "bgr0",
}  # fmt: skip


class DecordError(Exception):
    """decord cannot give this file's pictures, or not the right ones."""


class DecordReader:
    """A ``VideoReader`` on decord.

    Raises:
        DecordError: on opening, when decord cannot be trusted with the file; while reading, when
            it fails.
    """

    name = "decord"

    def __init__(self, path: str, facts: Facts):
        self.info: MediaInfo = facts.info
        self.warnings: list[str] = []
        _check_format(path, facts)
        self._starts_s = _picture_times(path, facts)
        self._reader: _Decord | None = _open(path)
        _check_times(self._reader, self._starts_s)

    def frames_at(self, times_s: Iterable[float]) -> Iterator[tuple[float, np.ndarray]]:
        """See ``VideoReader``."""
        last: tuple[int, np.ndarray] | None = None
        for time in times_s:
            after = np.searchsorted(self._starts_s, time + TOLERANCE_S, side="right")
            index = max(int(after) - 1, 0)
            if last is None or last[0] != index:
                last = index, self._picture(index)
            yield time, last[1]

    def close(self) -> None:
        """Free the file."""
        self._reader = None

    def _picture(self, index: int) -> np.ndarray:
        assert self._reader is not None
        try:
            picture = self._reader[index].asnumpy()
        except Exception as error:  # whatever it raises: another decoder can try
            raise DecordError(_first_line(error)) from error
        if picture.shape != (self.info.height, self.info.width, 3):
            raise DecordError(f"a picture of {picture.shape[1]}x{picture.shape[0]} pixels")
        return picture


def check_pixels(reader: DecordReader, path: str, facts: Facts, time_s: float) -> None:
    """Prove that decord shows this file in the colours that PyAV, and so labelling, does.

    Args:
        reader: has opened the file.
        path, facts: the file.
        time_s: of a picture to compare, pixel by pixel.

    Raises:
        DecordError: it does not, or cannot be trusted to.
    """
    assert facts.video is not None
    with open_container(path) as container:
        context = cast(VideoStream, container.streams[facts.video.index]).codec_context
        stored, odd = context.pix_fmt, bool(context.width % 2 or context.height % 2)
    if stored not in _SAME_COLOURS or odd:
        sides = " of odd size" * odd
        raise DecordError(f"it has other colours for {stored} pictures{sides}")
    ours = PyavReader(path, facts)
    try:
        right = next(ours.frames_at([time_s]), None)
    finally:
        ours.close()
    (_, shown) = next(reader.frames_at([time_s]))
    if right is None or not np.array_equal(right[1], shown):
        raise DecordError(f"its picture at {time_s:.2f} s is not PyAV's")


class _Decord(Protocol):
    """The part of ``decord.VideoReader`` that is used (it ships no types)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def get_frame_timestamp(self, index: np.ndarray) -> np.ndarray: ...


def _check_format(path: str, facts: Facts) -> None:
    if facts.format not in _TRUSTED:
        raise DecordError(f"its jumps in {facts.format} files are not exact")
    start, end, signs = _TRUSTED[facts.format]
    with open(path, "rb") as file:
        if file.read(end)[start:] not in signs:
            raise DecordError(f"unusual first bytes for a {facts.format} file")
    if is_mirrored(facts.matrix):
        raise DecordError("it turns mirrored pictures without mirroring them")
    unknown = sorted(_codecs(path) - _PROVEN)
    if unknown:
        raise DecordError(f"it was never compared on {', '.join(unknown)}")


def _codecs(path: str) -> set[str]:
    """Of all pictures in a file: which stream decord takes for the best is its own choice."""
    with open_container(path) as container:
        contexts = [cast(object, stream.codec_context) for stream in container.streams.video]
    return {getattr(context, "name", "an unknown codec") for context in contexts}


def _picture_times(path: str, facts: Facts) -> np.ndarray:
    """Start of each picture, ascending seconds, from the packets' headers (nothing is decoded)."""
    starts: list[float] = []
    keys: list[int] = []
    end_s = 0.0
    with open_container(path) as container:
        assert facts.video is not None
        stream = container.streams[facts.video.index]
        use_only(container, [stream])
        for packet in packets(container, [stream]):
            start_s = seconds(packet.pts, packet.time_base, facts.origin_s)
            if packet.size == 0 or packet.is_discard:  # discarded: outside of the edit list
                continue
            if start_s is None or packet.is_corrupt:
                raise DecordError("packets without times, or damaged ones")
            if packet.is_keyframe:
                keys.append(len(starts))
            starts.append(start_s)
            end_s = max(end_s, start_s + float((packet.duration or 0) * packet.time_base))
    if not starts:
        raise DecordError("no packets")
    if facts.early or facts.video.cut("video", end_s):
        raise DecordError("the file is cut")
    order = np.argsort(starts)
    if not np.array_equal(order[keys], keys):
        # it takes the n-th packet for the n-th picture and jumps to the wrong one
        raise DecordError("key pictures that are not shown in the order of the file")
    return np.array(starts)[order]


def _open(path: str) -> _Decord:
    try:
        import decord  # loads a second FFmpeg: only where it is used, and after PyAV's
    except ImportError as error:
        raise DecordError("it is not installed here") from error
    decord.logging.set_level(decord.logging.QUIET)
    try:
        # any picture that decord would replace by a copy of a neighbour is an error instead
        return decord.VideoReader(
            os.path.abspath(path),  # a leading slash: never taken for an address
            ctx=decord.cpu(0),
            num_threads=1,
            fault_tol=1e-4,
        )
    except Exception as error:  # whatever it raises: another decoder can try
        raise DecordError(_first_line(error)) from error


def _check_times(reader: _Decord, starts_s: np.ndarray) -> None:
    if len(reader) != len(starts_s):
        raise DecordError(f"it counts {len(reader)} pictures of {len(starts_s)}")
    try:
        times = reader.get_frame_timestamp(np.arange(len(reader)))[:, 0]
    except Exception as error:  # of a damaged index it makes an empty table
        raise DecordError(_first_line(error)) from error
    # both from their first picture on: decord counts from the stream's start, not the file's
    gap = np.abs((times - times[0]) - (starts_s - starts_s[0])).max()
    if gap > TOLERANCE_S:
        raise DecordError(f"its times differ by up to {gap:.3f} s")


def _first_line(error: BaseException) -> str:
    """What decord says, without the place in its source and the C++ stack."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0].split("] ")[-1].strip()[:200]
