"""Opening containers of unknown origin, and what their headers say.

FFmpeg follows what it finds inside a "video": a playlist that is called ``clip.mp4`` would make it
open other files and network addresses. So only formats that carry their media themselves may be
opened, and only through the ``file`` protocol. Everything else of this room relies on the verdict
given here.
"""

from __future__ import annotations  # av's Packet is generic in its stubs only

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import av
import av.error
import av.stream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from emotion_core.errors import ClipError
from emotion_core.media.lengths import Track, file_facts, seconds, track_of
from emotion_core.media.limits import MOST_VIDEO_PIXELS, plausible, refuse_large
from emotion_core.media.types import MediaInfo
from emotion_core.media.upright import UPRIGHT, Matrix, display_matrix, swaps_sides

# Self-contained formats only: no hls, dash, concat, sdp, image sequences, nor raw streams.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,mpeg,mpegts,ogg,asf,wav,w64,aiff,au,caf,"
    "flac,mp3,aac,ac3,eac3,amr,wv,ape,tta,dv,mxf,rm,gif,apng,nut,gxf,mtv,nsv"
)
# Formats that can say "turn this picture before showing it".
_TURNING = {"mov", "matroska"}
_COVERS = (
    av.stream.Disposition.attached_pic
    | av.stream.Disposition.timed_thumbnails
    | av.stream.Disposition.still_image
)
# Brands of stills in a video's container, one stream per tile: no moving picture.
_STILL_BRANDS = {"heic", "heix", "heim", "heis", "mif1", "avif"}


@dataclass(frozen=True)
class Facts:
    """What a container holds and how its times are to be read.

    Attributes:
        info: for the users of this room.
        format: FFmpeg's first name of the container format (``mov``, ``matroska``, ...).
        video, audio: the streams that are used, None without one.
        origin_s: the container's own time at which it starts; all times here count from it.
        matrix: how the first picture is turned (``upright.display_matrix``).
        early: bytes are missing at the end of the file.
    """

    info: MediaInfo
    format: str
    video: Track | None
    audio: Track | None
    origin_s: float
    matrix: Matrix
    early: bool = False


class Damage:
    """Counts what could not be read of one file."""

    def __init__(self) -> None:
        self.packets = {"video": 0, "audio": 0}

    def warnings(self, kind: str) -> list[str]:
        """One line when packets of ``video`` or ``audio`` were lost."""
        count = self.packets[kind]
        return [f"{kind}: {count} damaged packet{'s' * (count > 1)} left out"] if count else []


def open_container(path: str) -> InputContainer:
    """Open a local file with FFmpeg, through no other protocol and as no playlist.

    Raises:
        ClipError: not a media file, or one of a kind that is refused.
    """
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    try:
        if _is_wave(path):
            # its header says all; FFmpeg would read 5 MB of samples for what else might be in it
            options["probesize"] = "65536"
        place = os.path.abspath(path)  # a leading slash: never taken for an address
        return av.open(
            _Nameless(place) if "%" in place else place,
            "r",
            container_options=options,
            metadata_errors="replace",
        )
    except FileNotFoundError:
        raise ClipError("decode", "gone: there is no such file") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ClipError("decode", f"unreadable: {_reason(error)}") from error


class _Nameless:
    """A file whose name FFmpeg does not see: ``img%03d.jpg`` would be a hundred files to it."""

    def __init__(self, path: str):
        file = open(path, "rb")  # noqa: SIM115 - closed when the container lets go of it
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def read_facts(path: str) -> Facts:
    """Read the headers of a file (and one picture, where the format may turn pictures).

    Raises:
        ClipError: ``unreadable`` as for ``open_container``, or when there is no stream that can be
            decoded.
    """
    with open_container(path) as container:
        if container.metadata.get("major_brand", "").strip() in _STILL_BRANDS:
            raise ClipError("decode", "unreadable: a HEIF still, which is not supported")
        video, audio = chosen_streams(container)
        name = container.format.name.split(",")[0]
        origin = (container.start_time or 0) / av.time_base
        whole = (container.duration or 0) / av.time_base
        if whole <= 0:
            whole = _measure(path, origin)
        matrix = UPRIGHT
        if video and (name in _TURNING or not video.width):
            matrix = _first_matrix(container, video)  # after which the size is known, too
        file = file_facts(path, name, origin, whole)
        pictures = None if video is None else track_of(video, file, alone=audio is None)
        return Facts(
            info=_info(video, pictures, audio is not None, whole, matrix),
            format=name,
            video=pictures,
            audio=None if audio is None else track_of(audio, file, alone=video is None),
            origin_s=origin,
            matrix=matrix,
            early=file.early,
        )


def chosen_streams(container: InputContainer) -> tuple[VideoStream | None, Stream | None]:
    """The moving picture and the sound of a container that are used; one of them at least.

    Raises:
        ClipError: it has neither that can be decoded, or pictures that are too large.
    """
    video = _video_stream(container)
    audio = container.streams.best("audio", related=video)
    audio = audio if audio is not None and _can_decode(audio) and plausible(audio) else None
    if video is None and audio is None:
        raise ClipError("decode", "unreadable: no picture or sound that can be decoded")
    if video is not None:
        refuse_large(video.width, video.height, MOST_VIDEO_PIXELS)
    return video, audio


def use_only(container: InputContainer, streams: Sequence[Stream]) -> None:
    """Let the demuxer drop all other streams, and decode these in the calling thread.

    One thread, because many decoders run side by side on a machine.
    """
    for stream in container.streams:
        if stream not in streams:
            stream.discard = av.stream.Discard.all
        elif _can_decode(stream):
            stream.codec_context.thread_count = 1


def packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """Packets of ``streams`` in the order of the file, as far as it can be read.

    The last packet of each stream is empty and empties its decoder.
    """
    flushed = set()
    try:
        for packet in container.demux(*streams):
            if packet.size == 0 and packet.dts is None:
                flushed.add(packet.stream.index)
            yield packet
    except (av.error.FFmpegError, OSError):
        pass  # the file ends here: whoever reads on notices by the times that are missing
    except IndexError:
        # PyAV 18 at the end of a file in which a stream turned up that was not there when it was
        # opened (damaged FLV): it empties the decoders of more streams than it knows
        pass
    for stream in streams:
        if stream.index not in flushed:
            last: Packet[Any] = Packet()
            last.stream = stream
            yield last


def decode_packet(packet: Packet[Any], damage: Damage) -> list[Any]:
    """Frames that come out of the decoder when ``packet`` goes in; a damaged one gives none."""
    try:
        return packet.decode()
    except EOFError:
        return []  # a decoder that has been emptied before
    except (av.error.FFmpegError, ValueError):
        damage.packets[packet.stream.type] += 1
        return []


def _is_wave(path: str) -> bool:
    with open(path, "rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WAVE"


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ArgumentError):
        return "a playlist or another format that is not opened"
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split()) or type(error).__name__


def _video_stream(container: InputContainer) -> VideoStream | None:
    """The stream a player shows: FFmpeg's best one, covers and thumbnails left out."""
    moving = [
        stream
        for stream in container.streams.video
        if _can_decode(stream) and not stream.disposition & _COVERS
    ]
    best = container.streams.best("video")
    if best in moving:
        return best
    return max(moving, key=lambda stream: stream.width * stream.height, default=None)


def _first_matrix(container: InputContainer, video: VideoStream) -> Matrix:
    """How the first picture is turned: only a decoded one says so."""
    use_only(container, [video])
    damage = Damage()
    for packet in packets(container, [video]):
        for frame in decode_packet(packet, damage):
            return display_matrix(frame)
    return UPRIGHT


def _can_decode(stream: Stream) -> bool:
    # the stubs say that there always is one; FFmpeg knows more codecs than it can decode
    return cast(object, stream.codec_context) is not None


def _info(
    video: VideoStream | None,
    pictures: Track | None,
    has_audio: bool,
    duration_s: float,
    matrix: Matrix,
) -> MediaInfo:
    if video is None or pictures is None:
        return MediaInfo("audio", duration_s, 0, 0, 0.0, has_audio)
    sides = video.codec_context.width, video.codec_context.height
    width, height = reversed(sides) if swaps_sides(matrix) else sides
    rate = video.average_rate or video.guessed_rate
    fps = float(rate or 0)
    return MediaInfo("video", duration_s, width, height, fps, has_audio, pictures.end_s)


def _measure(path: str, origin_s: float) -> float:
    """Length in seconds of a file that does not state it: the end of its last packet."""
    end = 0.0
    with open_container(path) as container:
        streams = [s for s in container.streams if s.type in ("video", "audio")]
        for packet in packets(container, streams):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None:
                last = seconds(stamp + (packet.duration or 0), packet.time_base, origin_s)
                end = max(end, last or 0.0)
    return end
