"""Pictures through PyAV: every container FFmpeg knows, and what can be read of damaged files."""

from __future__ import annotations  # av's Packet is generic in its stubs only

import heapq
from collections.abc import Iterable, Iterator
from typing import Any, cast

import av.error
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from emotion_core.errors import ClipError
from emotion_core.media.container import (
    Damage,
    Facts,
    decode_packet,
    open_container,
    packets,
    use_only,
)
from emotion_core.media.lengths import seconds
from emotion_core.media.limits import MOST_VIDEO_PIXELS, refuse_large
from emotion_core.media.shown import ShownPictures
from emotion_core.media.types import MediaInfo
from emotion_core.media.upright import turn

# Decoding on is cheaper than a jump over less than this.
_WORTH_A_JUMP_S = 0.2
# Pictures that lean on later ones are decoded up to this much before they are shown.
_REORDERING_S = 0.5
_USUAL_FPS = 25.0
_NO_MORE_JUMPS = -(2**63)  # FFmpeg's "no time stamp": never a place in a file


class PictureClock:
    """Gives every decoded picture its time in the file.

    AVI stores no presentation times, and FFmpeg's guess goes wrong with B-frames: there the
    pictures, which leave the decoder in the order in which they are shown, take the decoding times
    of the packets in ascending order.
    """

    def __init__(self, stream: VideoStream, facts: Facts):
        self._base = stream.time_base
        self._origin_s = facts.origin_s
        self._spacing_s = 1 / (facts.info.fps or _USUAL_FPS)
        self._decoding_times: list[int] | None = [] if facts.format == "avi" else None
        self.end_s = 0.0  # of the last picture's display

    def see(self, packet: Packet[Any]) -> None:
        """To be told of each packet before it is decoded."""
        if self._decoding_times is not None and packet.size and packet.dts is not None:
            heapq.heappush(self._decoding_times, packet.dts)

    def time_of(self, frame: VideoFrame) -> float:
        """Seconds from the start of the file; to be asked once for each picture, in order."""
        ticks = frame.pts if frame.pts is not None else frame.dts
        if self._decoding_times:
            ticks = heapq.heappop(self._decoding_times)
        start = seconds(ticks, self._base, self._origin_s)
        if start is None:
            start = self.end_s  # follows the one before
        shown = seconds(frame.duration or None, self._base, 0.0) or self._spacing_s
        self.end_s = start + shown
        return start


class RgbPictures:
    """Decoded pictures of a file as arrays.

    One for a file: FFmpeg's converter is set up once, which for 640 x 480 takes five times as long
    as to convert a picture.
    """

    def __init__(self, facts: Facts):
        self._facts = facts
        self._converter = VideoReformatter()

    def __call__(self, frame: VideoFrame) -> np.ndarray:
        """uint8 (height, width, 3), RGB, upright as the file asks for.

        Raises:
            ClipError: in the middle of a damaged file a picture became one that nobody can convert.
        """
        refuse_large(frame.width, frame.height, MOST_VIDEO_PIXELS)
        try:
            # one thread, because many decoders run side by side on a machine
            picture = self._converter.reformat(frame, format="rgb24", threads=1).to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            text = f"unreadable: a picture of {frame.width} x {frame.height} pixels: {error}"
            raise ClipError("decode", " ".join(text.split())) from error
        return turn(picture, self._facts.matrix)


class PyavReader:
    """A ``VideoReader`` on PyAV. It can be asked for pictures once."""

    name = "pyav"

    def __init__(self, path: str, facts: Facts):
        assert facts.video is not None
        self.info: MediaInfo = facts.info
        self.warnings: list[str] = []
        self._facts = facts
        self._to_rgb = RgbPictures(facts)
        self._track = facts.video
        self._path = path
        self._container = open_container(path)
        self._stream = cast(VideoStream, self._container.streams[self._track.index])
        use_only(self._container, [self._stream])

    def frames_at(self, times_s: Iterable[float]) -> Iterator[tuple[float, np.ndarray]]:
        """See ``VideoReader``."""
        shown: ShownPictures[VideoFrame] = ShownPictures(times_s)
        damage = Damage()
        clock = PictureClock(self._stream, self._facts)
        for start_s, frame in self._pictures(shown, clock, damage):
            for time, picture in shown.push(start_s, frame):
                yield time, self._to_rgb(picture)
            if shown.next_s is None:
                break
        else:
            cut = self._track.cut("video", clock.end_s)
            # the last picture stays in view, but nobody knows what a cut file went on to show
            for time, picture in shown.finish(clock.end_s if cut else float("inf")):
                yield time, self._to_rgb(picture)
            self.warnings += cut
        self.warnings += damage.warnings("video")

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _pictures(
        self, shown: ShownPictures[VideoFrame], clock: PictureClock, damage: Damage
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Decoded pictures in order, less those that a jump to a later key picture saves."""
        tried: set[int] = set()
        demuxed = packets(self._container, [self._stream])
        landing = False
        while (packet := next(demuxed, None)) is not None:
            clock.see(packet)
            for frame in decode_packet(packet, damage):
                start_s = clock.time_of(frame)
                wanted_s = shown.next_s
                if landing and wanted_s is not None and not _lands(frame, start_s, wanted_s):
                    tried.add(_NO_MORE_JUMPS)
                    demuxed, landing = self._start_again(), False
                    break
                landing = False
                yield start_s, frame
            wanted_s = shown.next_s
            if not landing and wanted_s is not None and self._pays(wanted_s, clock.end_s, tried):
                demuxed, landing = self._jump(wanted_s), True

    def _pays(self, wanted_s: float, here_s: float, tried: set[int]) -> bool:
        """Whether there is a key picture well ahead of ``here_s`` and before ``wanted_s``.

        Only where the container's index is complete as soon as it is opened, and is trusted. Each
        key picture is jumped for once (added to ``tried``), wherever the jump ends.
        """
        base = self._stream.time_base
        if base is None or self._facts.format != "mov" or _NO_MORE_JUMPS in tried:
            return False
        if wanted_s < here_s + _WORTH_A_JUMP_S:
            return False
        # the index holds decoding times
        early_s = _REORDERING_S if self._stream.codec_context.has_b_frames else 0.0
        latest = int((wanted_s - early_s + self._facts.origin_s) / base)
        entries = self._stream.index_entries
        position = entries.search_timestamp(latest, backward=True)
        if position < 0:
            return False
        stamp = int(entries[position].timestamp)
        ahead = (seconds(stamp, base, self._facts.origin_s) or 0.0) > here_s + _WORTH_A_JUMP_S
        new = stamp not in tried
        tried.add(stamp)
        return ahead and new

    def _jump(self, wanted_s: float) -> Iterator[Packet[Any]]:
        """Packets from the last key picture before ``wanted_s`` on."""
        assert self._stream.time_base is not None
        # FFmpeg takes it as a time of presentation
        ticks = int((wanted_s + self._facts.origin_s) / self._stream.time_base)
        try:
            self._container.seek(ticks, stream=self._stream)
        except av.error.FFmpegError:
            return self._start_again()
        return packets(self._container, [self._stream])

    def _start_again(self) -> Iterator[Packet[Any]]:
        """Packets from the beginning of the file, which is opened anew."""
        self._container.close()
        self._container = open_container(self._path)
        self._stream = cast(VideoStream, self._container.streams[self._track.index])
        use_only(self._container, [self._stream])
        return packets(self._container, [self._stream])


def _lands(frame: VideoFrame, start_s: float, wanted_s: float) -> bool:
    """Whether decoding on from this first picture after a jump gives the one shown then."""
    return frame.key_frame and start_s <= wanted_s
