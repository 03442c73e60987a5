"""What ``--source`` and ``--audio`` name: a file, a stream or a camera, and how FFmpeg opens it."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.media.container import FORMATS
from emotion_core.text import redacted

NO_SOUND = "none"
# What each scheme may be spoken through. Nothing that a stream names is opened beside it: no
# playlists (hls, dash), no address that a server sends on to.
_PROTOCOLS: Mapping[str, str] = {
    "rtsp": "rtsp,rtp,tcp,udp",
    "rtsps": "rtsp,rtsps,rtp,tcp,udp,tls",
    "http": "http,tcp",
    "https": "https,tls,tcp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
}
SCHEMES = tuple(_PROTOCOLS)
# Some cameras take their password as a part of the path.
_IN_PATH = re.compile(r"((?:password|passwd|pwd|token|secret|key)=)[^/]*", re.IGNORECASE)
# How devices are called by each system's own part of FFmpeg.
_CAMERAS: Mapping[str, str] = {"linux": "v4l2", "darwin": "avfoundation"}
_CAMERA = {"framerate": "30", "video_size": "640x480"}


@dataclass(frozen=True)
class Input:
    """One thing that FFmpeg opens.

    Attributes:
        place: as FFmpeg takes it.
        format: FFmpeg's name of what reads it; None: FFmpeg finds out, among ``FORMATS`` and what
            the scheme brings.
        options: FFmpeg's.
        arrival: its times are those at which things arrive, not what it writes on them.
    """

    place: str
    format: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    arrival: bool = False


@dataclass(frozen=True)
class Address:
    """A source.

    Attributes:
        name: for people and tables: without a password.
        main: what gives the pictures, and the sound unless ``microphone`` does.
        microphone: what gives the sound; None: ``main``, or nobody.
        sound: sound is wanted.
        file: it is a file, which ends, and can stand still.
    """

    name: str
    main: Input
    microphone: Input | None = None
    sound: bool = True
    file: bool = False


def address(source: str, audio: str | None, platform: str = sys.platform) -> Address:
    """What the two options name.

    Args:
        source: the number of a camera, the address of a stream, or a file.
        audio: ``none``; for a camera its microphone (by default there is none).
        platform: as ``sys.platform`` has it.

    Raises:
        UsageError: there is no such file, or it is of a kind that is not opened.
    """
    if source.isdigit() or source.startswith("/dev/video"):
        return _camera(source, audio, platform)
    if audio not in (None, NO_SOUND):
        raise UsageError(
            f"--audio {audio}: a microphone goes with a camera (--source 0); a stream and a file "
            f"have their own sound, and --audio {NO_SOUND} leaves it out"
        )
    scheme, separator, _ = source.partition("://")
    if not separator or scheme == "file":
        return _file(source, audio is None)
    if scheme.lower() not in SCHEMES:
        raise UsageError(
            f"--source {redacted(source)}: no scheme {scheme!r}; choose one of "
            f"{', '.join(SCHEMES)}, a file, or the number of a camera"
        )
    return _stream(source, scheme.lower(), audio is None)


def _file(source: str, sound: bool) -> Address:
    uri = storage.absolute(source)
    path = storage.path_of(uri)
    if not Path(path).is_file():
        raise UsageError(f"--source {source}: there is no such file")
    return Address(uri, Input(path), sound=sound, file=True)


def _stream(source: str, scheme: str, sound: bool) -> Address:
    options = {"protocol_whitelist": _PROTOCOLS[scheme]}
    if scheme.startswith("rtsp"):
        # over one connection: nothing is lost on the way, and nothing else is opened
        options |= {"rtsp_transport": "tcp", "format_whitelist": f"rtsp,rtp,{FORMATS}"}
    else:
        options |= {"format_whitelist": f"{FORMATS},mpjpeg,mjpeg,live_flv"}
    if scheme.startswith("http"):
        options["max_redirects"] = "0"
    try:
        split = urlsplit(source)
    except ValueError as error:
        raise UsageError(f"--source {redacted(source)}: no address: {error}") from error
    # keys of streams and passwords of cameras stand in paths, too
    path = split.path.split("/")[:2] if scheme.startswith("rtmp") else [split.path]
    shown = _IN_PATH.sub(r"\1***", "/".join(path))
    name = f"{scheme}://{split.netloc.rpartition('@')[2]}{shown}"
    return Address(redacted(name), Input(source, None, options), sound=sound)


def _camera(source: str, audio: str | None, platform: str) -> Address:
    if platform not in _CAMERAS:
        raise UsageError(
            f"--source {source}: cameras are read on Linux and macOS; here give a stream's address"
        )
    format = _CAMERAS[platform]
    microphone = None if audio in (None, NO_SOUND) else audio
    if platform == "darwin":  # one thing to open for both
        place = f"{source}:{microphone or NO_SOUND}"
        sound = microphone is not None
        return Address(f"camera {source}", Input(place, format, _CAMERA, True), sound=sound)
    place = f"/dev/video{source}" if source.isdigit() else source
    return Address(
        f"camera {source}",
        Input(place, format, _CAMERA, arrival=True),
        None if microphone is None else Input(microphone, "alsa", {}, arrival=True),
        microphone is not None,
    )
