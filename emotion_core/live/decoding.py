"""Packets of one connection become the pictures and the sound that the models want."""

from __future__ import annotations  # av's Packet is generic in its stubs only

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emotion_core.live.orders import Message, Order, Picture, Sound
from emotion_core.media.audio import SoundTrack, sound_frames
from emotion_core.media.container import Damage, Facts, decode_packet
from emotion_core.media.decode import picture_times
from emotion_core.media.lengths import seconds
from emotion_core.media.pyav_reader import PictureClock, RgbPictures
from emotion_core.media.sampling import Among
from emotion_core.media.shown import ShownPictures
from emotion_core.media.video import scale

# How far sound may lie behind pictures (or the other way) before what is there counts: of a file
# as ``media.stream`` has it, of what is live at once.
_FILE_SLACK_S, _LIVE_SLACK_S = 30.0, 1.0
# After a gap in a stream nobody is shown the picture before it again and again.
_STALE_S = 1.0
_SOUND_S = 0.1  # told at once
_DELAY_S = 1.0  # that a device's sound may come late by
_MOST_HOLE_S = 10.0  # that is filled with silence


class Progress:
    """How far each modality of a source has been told, whichever thread tells it."""

    def __init__(self, file: bool) -> None:
        self.slack_s = _FILE_SLACK_S if file else _LIVE_SLACK_S
        self.reached_s = 0.0
        self.told_s: dict[str, float] = {}

    @property
    def ready_s(self) -> float:
        """Seconds before which nothing more comes."""
        slowest = min(self.told_s.values(), default=self.reached_s)
        return min(self.reached_s, max(slowest, self.reached_s - self.slack_s))


class Decoded:
    """The pictures and the sound of one container, on the source's own time line.

    Args:
        container: open, with its streams chosen.
        facts: of it.
        order: what is wanted.
        progress: is told how far this has come.
        tell: takes each picture and each stretch of sound.
    """

    def __init__(
        self,
        container: InputContainer,
        facts: Facts,
        order: Order,
        progress: Progress,
        tell: Callable[[Message], None],
    ):
        self._facts, self._progress, self._tell = facts, progress, tell
        self._file = order.address.file
        self._damage = Damage()
        self._clock: PictureClock | None = None
        spec = order.plan.video
        if facts.video is not None and spec is not None:
            self._side = spec.max_side
            stream = cast(VideoStream, container.streams[facts.video.index])
            self._clock = PictureClock(stream, facts)
            self._to_rgb = RgbPictures(facts)
            self._answered = Among(picture_times(facts, order.plan))
            times = picture_times(facts, order.mouths or order.plan)
            self._shown: ShownPictures[tuple[VideoFrame, float]] = ShownPictures(times)
            progress.told_s["pictures"] = 0.0
        self._sound: SoundTrack | None = None
        self._from_s = 0.0  # where its time line begins, in the source's
        if facts.audio is not None and order.plan.sample_rate is not None:
            self._sound = SoundTrack(order.plan.sample_rate, facts)
            progress.told_s["sound"] = 0.0

    def time_of(self, packet: Packet[Any]) -> float:
        """Seconds from the start at which a packet is to be decoded."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        known = seconds(stamp, packet.time_base, self._facts.origin_s)
        return self._progress.reached_s if known is None else known

    def feed(self, packet: Packet[Any], now: float, arrived_s: float | None = None) -> None:
        """Decode one more packet.

        Args:
            packet: of one of the streams.
            now: by the clock that all processes share.
            arrived_s: its time where that is when it came; None: what is written on it.
        """
        reached_s = self.time_of(packet) if arrived_s is None else arrived_s
        self._progress.reached_s = max(self._progress.reached_s, reached_s)
        if packet.stream.type == "audio":
            self._hear(packet, arrived_s)
        elif self._clock is not None:
            self._clock.see(packet)
            for frame in decode_packet(packet, self._damage):
                time_s = self._clock.time_of(frame) if arrived_s is None else arrived_s
                self._show(self._shown.push(time_s, (frame, now)), time_s)
            self._told_pictures()

    def finish(self) -> tuple[float, list[str]]:
        """The end of a file, or of a recording: where it is, and what was wrong."""
        warnings, end_s = [], 0.0
        facts = self._facts
        if self._clock is not None and facts.video is not None:
            end_s = self._clock.end_s
            cut = facts.video.cut("video", end_s)
            # of a recording on a server nobody has looked where it ends
            known = self._file and not cut
            self._show(self._shown.finish(float("inf") if known else end_s), end_s)
            warnings += cut
        if self._sound is not None and facts.audio is not None:
            self._sound.finish()
            self._tell_sound(0.0)
            end_s = max(end_s, self._sound.end_s)
            warnings += facts.audio.cut("audio", self._sound.end_s) + self._sound.warnings()
        return end_s, warnings + self._damage.warnings("video") + self._damage.warnings("audio")

    def _show(self, shown: Iterator[tuple[float, tuple[VideoFrame, float]]], now_s: float) -> None:
        for time_s, (frame, arrived) in shown:
            answered = self._answered.holds(time_s)
            if self._file or now_s - time_s <= _STALE_S:
                rgb = scale(self._to_rgb(frame), self._facts.info, self._side)
                self._tell(Picture(time_s, rgb, arrived, answered))

    def _told_pictures(self) -> None:
        next_s = self._shown.next_s
        self._progress.told_s["pictures"] = float("inf") if next_s is None else next_s

    def _hear(self, packet: Packet[Any], arrived_s: float | None) -> None:
        if self._sound is None:
            return
        for frame, time_s in sound_frames(packet, self._facts, self._damage):
            if arrived_s is not None:
                # a busy machine hands frames over late, and then several at once: one follows the
                # other, unless what is missing is too long for a delay
                began_s = max(0.0, arrived_s - frame.samples / frame.sample_rate)
                end_s = self._from_s + self._sound.end_s
                delayed = self._sound.end_s and abs(began_s - end_s) <= _DELAY_S
                time_s = None if delayed else began_s
            self._sound = self._behind_hole(self._sound, time_s)
            self._sound.push(frame, None if time_s is None else time_s - self._from_s)
        self._tell_sound(_SOUND_S)

    def _behind_hole(self, sound: SoundTrack, time_s: float | None) -> SoundTrack:
        """The track to go on with: of a stream that was silent for long, one that begins there.

        A file's silence is filled in, for an hour at most; a camera may be silent for days.
        """
        if self._file or time_s is None or time_s - self._from_s - sound.end_s <= _MOST_HOLE_S:
            return sound
        sound.finish()
        self._tell_sound(0.0)
        self._from_s = time_s
        return SoundTrack(sound.sample_rate, self._facts)

    def _tell_sound(self, least_s: float) -> None:
        sound = self._sound
        assert sound is not None
        if sound.ready_s - sound.taken / sound.sample_rate < least_s:
            return
        first, samples = sound.taken + round(self._from_s * sound.sample_rate), sound.take()
        if len(samples):
            self._tell(Sound(first, samples.astype(np.float32, copy=False)))
        self._progress.told_s["sound"] = self._from_s + sound.taken / sound.sample_rate
