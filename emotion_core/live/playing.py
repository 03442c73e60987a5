"""The child that plays one connection to a source: opens it, decodes it, and tells what comes.

It opens what the user named and nothing else, but that an RTSP server may send on. No stranger's
file runs a decoder in the process that holds the models. It keeps nothing: what its parent does not
take, its parent drops.
"""

from __future__ import annotations  # av's Packet is generic in its stubs only

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from emotion_core.errors import ClipError
from emotion_core.live.addresses import Address, Input
from emotion_core.live.decoding import Decoded, Progress
from emotion_core.live.orders import PAUSE, Closed, Message, Opened, Order, Ready
from emotion_core.media.container import (
    Facts,
    chosen_streams,
    open_container,
    packets,
    read_facts,
    use_only,
)
from emotion_core.media.isolated import prepare_child
from emotion_core.media.lengths import Track, seconds
from emotion_core.media.types import MediaInfo
from emotion_core.media.upright import UPRIGHT
from emotion_core.text import one_line, redacted

# A stream may come in a burst; beyond this it is a recording, and played at its own pace.
_MOST_AHEAD_S = 5.0
# A stream whose times go further than this from one packet to the next has begun anew.
_MOST_JUMP_S = 15.0
# A recording that a server sends is whole where it ends at most so long before its stated end.
_MOST_MISSING_S = 2.0
_ALSA = Path("/usr/share/alsa/alsa.conf")  # av's wheel looks elsewhere
_BEAT_S = 1.0
_READY_S = 0.1


class _Lost(Exception):
    """The source gives no more, though it has not ended."""


# What a connection may end with.
_TROUBLES = (_Lost, ClipError, av.error.FFmpegError, OSError, ValueError)


def play(order: Order, pipe: Connection) -> None:
    """Play the source into ``pipe``, to its end or until this process is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    prepare_child()
    _be_quiet()
    if _ALSA.is_file():
        os.environ.setdefault("ALSA_CONFIG_PATH", str(_ALSA))
    _Player(order, pipe).run()


def _be_quiet() -> None:
    """Libraries write to standard error what is told in one line anyway."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


@dataclass(frozen=True)
class _Part:
    """A container that is open."""

    given: Input
    container: InputContainer
    facts: Facts
    packets: Iterator[Packet[Any]]


class _Player:
    def __init__(self, order: Order, pipe: Connection):
        self._order, self._pipe = order, pipe
        self._file = order.address.file
        self._sending = threading.Lock()
        self._progress = Progress(self._file)
        self._told_s = 0.0
        self._origin = 0.0  # when the source was open, by the clock
        self._held_s = 0.0  # how long it has been paused
        self._latest: dict[str, float] = {}  # when each device gave something last

    def run(self) -> None:
        """Play all of it."""
        refused = True
        try:
            parts = self._open(self._order.address)
            refused = False
            self._origin = time.monotonic()
            heard = any(part.facts.audio is not None for part in parts)
            wanted = heard and self._order.plan.sample_rate is not None
            self._tell(Opened(replace(parts[0].facts.info, has_audio=wanted)))
            self._tell(self._play(parts))
        except _TROUBLES as error:
            self._lose(error, refused)

    def _lose(self, error: Exception, refused: bool = False) -> None:
        self._tell(Closed(self._progress.reached_s, redacted(_reason(error)), refused))

    def _tell(self, message: Message) -> None:
        with self._sending:
            self._pipe.send(message)

    def _open(self, address: Address) -> list[_Part]:
        if address.file:
            facts = read_facts(address.main.place)
            container = open_container(address.main.place)
            wanted = _used(container, facts, self._order)
            return [_Part(address.main, container, facts, packets(container, wanted))]
        own_sound = address.sound and address.microphone is None
        parts = [self._connect(address.main, True, own_sound)]
        if address.microphone is not None:
            parts.append(self._connect(address.microphone, False, True))
        return parts

    def _connect(self, given: Input, pictures: bool, sound: bool) -> _Part:
        container = av.open(
            given.place,
            "r",
            given.format,
            container_options=dict(given.options),
            timeout=(self._order.open_s, self._order.read_s),
        )
        video, audio = chosen_streams(container)
        video, audio = video if pictures else None, audio if sound else None
        wanted: list[Stream] = [each for each in (video, audio) if each is not None]
        if not wanted:
            raise _Lost("neither pictures nor the sound that was asked for are in it")
        use_only(container, wanted)
        demuxed = _followed(container, wanted)
        first = next(demuxed, None)
        if first is None:
            raise _Lost("there is nothing in it")
        return _Part(
            given, container, _facts(container, video, audio, first), chain([first], demuxed)
        )

    def _play(self, parts: list[_Part]) -> Closed:
        """All parts side by side, until the first one ends."""
        makers = [
            Decoded(part.container, part.facts, self._order, self._progress, self._tell)
            for part in parts
        ]
        for made, part in zip(makers[1:], parts[1:], strict=True):
            threading.Thread(target=self._play_beside, args=(made, part), daemon=True).start()
        whole_s = (parts[0].container.duration or 0) / av.time_base
        try:
            self._play_one(makers[0], parts[0])
        except _Lost:
            # a server that names no length hangs up at the end of a recording, too
            if not whole_s or self._progress.reached_s < whole_s - _MOST_MISSING_S:
                raise
        if not self._file and not whole_s:
            raise _Lost("the stream ended")
        end_s, warnings = makers[0].finish()
        return Closed(end_s, warnings=tuple(warnings))

    def _play_beside(self, made: Decoded, part: _Part) -> None:
        # told from here: what plays in front may have hung
        try:
            self._play_one(made, part)
            self._lose(_Lost("the microphone gives no more"))
        except _TROUBLES as error:
            self._lose(error)

    def _play_one(self, made: Decoded, part: _Part) -> None:
        last_s: float | None = None
        for packet in part.packets:
            if part.given.arrival:
                now = time.monotonic()
                self._alive(part, now)
                made.feed(packet, now, now - self._origin)
            else:
                time_s = made.time_of(packet)
                jumped = last_s is not None and abs(time_s - last_s) > _MOST_JUMP_S
                if jumped and not self._file:
                    raise _Lost("its clock jumped")
                last_s = time_s
                self._wait(time_s)
                made.feed(packet, time.monotonic())
            if self._progress.ready_s >= self._told_s + _READY_S:
                self._tell_ready()

    def _alive(self, part: _Part, now: float) -> None:
        """Raises ``_Lost`` when the device beside this one has hung, which no time limit ends."""
        self._latest[part.given.place] = now
        for place, latest in list(self._latest.items()):
            if now - latest > self._order.read_s:
                raise _Lost(f"nothing came from {place} for too long")

    def _tell_ready(self) -> None:
        self._told_s = self._progress.ready_s
        self._tell(Ready(self._told_s))

    def _wait(self, time_s: float) -> None:
        """Until what is written at ``time_s`` is due; for as long as this is paused."""
        ahead_s = 0.0 if self._file else _MOST_AHEAD_S
        while True:
            due = self._origin + self._held_s + (time_s - ahead_s) / self._order.pace
            left_s = due - time.monotonic()
            if self._pipe.poll(max(0.0, min(left_s, _BEAT_S))):
                self._obey()
            elif left_s <= _BEAT_S:
                return
            else:
                self._tell_ready()  # a sign of life

    def _obey(self) -> None:
        if self._pipe.recv() == PAUSE:
            began = time.monotonic()
            while self._pipe.recv() == PAUSE:
                pass
            self._held_s += time.monotonic() - began


def _facts(
    container: InputContainer, video: VideoStream | None, audio: Stream | None, first: Packet[Any]
) -> Facts:
    """What is known of a stream, of which nobody knows the end."""
    endless = float("inf")
    stamp = first.dts if first.dts is not None else first.pts
    width, height, fps = 0, 0, 0.0
    if video is not None:
        width, height = video.codec_context.width, video.codec_context.height
        fps = float(video.average_rate or video.guessed_rate or 0)
    kind = "audio" if video is None else "video"
    pictures, sound = (
        None if stream is None else Track(stream.index, endless, False, endless)
        for stream in (video, audio)
    )
    return Facts(
        MediaInfo(kind, endless, width, height, fps, audio is not None, endless if video else 0.0),
        container.format.name.split(",")[0],
        pictures,
        sound,
        origin_s=seconds(stamp, first.time_base, 0.0) or 0.0,
        matrix=UPRIGHT,
    )


def _used(container: InputContainer, facts: Facts, order: Order) -> list[Stream]:
    video = facts.video if order.plan.video is not None else None
    audio = facts.audio if order.plan.sample_rate is not None and order.address.sound else None
    wanted = [container.streams[track.index] for track in (video, audio) if track is not None]
    use_only(container, wanted)
    return wanted


def _followed(container: InputContainer, wanted: list[Stream]) -> Iterator[Packet[Any]]:
    """Packets as they come. Unlike a file's, an error is told: the connection is to be made anew.

    Raises:
        _Lost: nothing came for too long, or the connection broke.
    """
    try:
        for packet in container.demux(*wanted):
            if packet.size:
                yield packet
    except (av.error.FFmpegError, OSError, IndexError) as error:
        raise _Lost(_reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):
        return "nothing came from it for too long"
    if isinstance(error, av.error.ArgumentError):
        return "a playlist or another format that is not opened"
    told = getattr(error, "strerror", None)
    return str(told) if told else one_line(error)
