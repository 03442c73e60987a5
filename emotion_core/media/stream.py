"""A long file in consecutive chunks, in one pass and in bounded memory."""

from __future__ import annotations  # av's Packet is generic in its stubs only

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from emotion_core.errors import UsageError
from emotion_core.media.audio import SoundTrack, sound_frames
from emotion_core.media.container import (
    Damage,
    Facts,
    decode_packet,
    open_container,
    packets,
    read_facts,
    use_only,
)
from emotion_core.media.decode import decode_still, picture_times, refuse_damaged, still_info
from emotion_core.media.lengths import seconds
from emotion_core.media.limits import MOST_GAPS_S
from emotion_core.media.pyav_reader import PictureClock, RgbPictures
from emotion_core.media.shown import TOLERANCE_S, ShownPictures
from emotion_core.media.types import DecodePlan, Media
from emotion_core.media.video import scale, stack

# How far sound may lie behind picture (or the other way) in the order of the file before the one
# that lags is taken to be silent, or still: what is kept waiting for it is held in memory.
_SLACK_S = 30.0
_GAP_S = 30.0  # what is shorter is no gap


def stream(path: str, plan: DecodePlan, chunk_s: float) -> Iterator[Media]:
    """The file in consecutive chunks of ``chunk_s`` seconds.

    Chunk k covers ``[start + k * chunk_s, start + (k + 1) * chunk_s)``, ``start`` being the plan's.
    Every chunk is there, in order, also one in which there is nothing. Put together, the chunks are
    what ``decode`` takes with the same plan through PyAV: the same pictures, the same sound (which
    is missing, not silent, where it does not reach). Memory is bounded by the pictures of a chunk
    and 30 seconds of the file.

    Args:
        path: a local file: video, sound, or a still (which is one chunk).
        plan: what to take; pictures always come through PyAV.
        chunk_s: seconds, positive.

    Yields:
        One ``Media`` a chunk; ``warnings`` are those of the whole file and come with the last one.

    Raises:
        ClipError: as ``decode`` does; before the first chunk, or instead of the last one.
        UsageError: ``chunk_s`` is not positive.
    """
    if chunk_s <= 0:
        raise UsageError(f"the length of a chunk must be positive, not {chunk_s}")
    still = still_info(path)
    if still is not None:
        yield decode_still(path, still, plan)
        return
    facts = read_facts(path)
    chunks = _Chunks(facts, plan, chunk_s)
    damage = Damage()
    with open_container(path) as container:
        wanted = [container.streams[i] for i in chunks.streams]
        use_only(container, wanted)
        for packet in packets(container, wanted) if wanted else ():
            if not chunks.reach(packet):
                break
            # before the packet is decoded: after a gap, all that was shown meanwhile is due
            yield from chunks.due()
            chunks.feed(packet, damage)
            yield from chunks.due()
            if chunks.enough:
                break
        else:
            chunks.finish()
    yield from chunks.rest(damage.warnings("video") + damage.warnings("audio"))


class _Chunks:
    """What has been decoded of a file and not been handed out yet.

    Attributes:
        streams: indices of the container's streams that are wanted.
    """

    def __init__(self, facts: Facts, plan: DecodePlan, chunk_s: float):
        self._facts, self._plan, self._chunk_s = facts, plan, chunk_s
        video = facts.video if plan.video is not None else None
        audio = facts.audio if plan.sample_rate is not None else None
        self.streams = [track.index for track in (video, audio) if track is not None]
        self._shown: ShownPictures[VideoFrame] = ShownPictures(picture_times(facts, plan))
        self._clock: PictureClock | None = None
        self._to_rgb = RgbPictures(facts)
        self._pictures: list[tuple[float, np.ndarray]] = []
        self._sound: SoundTrack | None = None
        if plan.sample_rate and audio is not None:
            self._sound = SoundTrack(plan.sample_rate, facts)
        self._number = 0  # of the chunk to be handed out next
        self._demuxed_s = 0.0  # how far the file has been read
        self._gaps_s = 0.0
        self._warnings: list[str] = []
        self._any = False

    @property
    def complete(self) -> bool:
        """Whether nothing more can come for the next chunk."""
        end_s = self._start_of(self._number + 1)
        if self._demuxed_s > end_s + _SLACK_S:
            return True
        pictures = self._shown.next_s is None or self._shown.next_s >= end_s
        sound = self._sound is None or self._sound.ready_s >= end_s
        return pictures and sound and self._demuxed_s >= end_s

    @property
    def enough(self) -> bool:
        """Whether the plan's end has been passed by everything that is wanted."""
        end_s = self._plan.end_s
        if end_s is None:
            return False
        late = self._demuxed_s > end_s + _SLACK_S
        sound = self._sound is None or self._sound.ready_s >= end_s
        return late or (self._shown.next_s is None and sound and self._demuxed_s >= end_s)

    def reach(self, packet: Packet[Any]) -> bool:
        """Go on to the time of one more packet; False when that is not to be believed."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        now_s = seconds(stamp, packet.time_base, self._facts.origin_s) or 0.0
        jump_s = now_s - self._demuxed_s
        self._gaps_s += jump_s if jump_s > _GAP_S else 0.0
        if self._gaps_s > MOST_GAPS_S:
            self._warnings.append(
                f"{packet.stream.type}: jumps from {self._demuxed_s:.1f} s to {now_s:.1f} s, "
                "the rest is left out"
            )
            return False
        self._demuxed_s = max(self._demuxed_s, now_s)
        return True

    def feed(self, packet: Packet[Any], damage: Damage) -> None:
        """Decode one more packet."""
        if packet.stream.type == "video":
            if self._clock is None:
                self._clock = PictureClock(cast(VideoStream, packet.stream), self._facts)
            self._clock.see(packet)
            for frame in decode_packet(packet, damage):
                self._keep(self._shown.push(self._clock.time_of(frame), frame))
        elif self._sound is not None:
            for frame, time in sound_frames(packet, self._facts, damage):
                self._sound.push(frame, time)

    def finish(self) -> None:
        """The file has been read to its end."""
        video, audio = self._facts.video, self._facts.audio
        if self._clock is not None and video is not None:
            cut = video.cut("video", self._clock.end_s)
            self._keep(self._shown.finish(self._clock.end_s if cut else float("inf")))
            self._warnings += cut
        if self._sound is not None and audio is not None:
            self._sound.finish()
            self._warnings += audio.cut("audio", self._sound.end_s)
            self._warnings += self._sound.warnings()

    def due(self) -> Iterator[Media]:
        """All chunks for which nothing more can come."""
        while self.complete:
            yield self.cut_off()

    def cut_off(self) -> Media:
        """The next chunk."""
        start_s, end_s = self._start_of(self._number), self._start_of(self._number + 1)
        if self._plan.end_s is not None:
            end_s = min(end_s, self._plan.end_s)
        self._number += 1
        # a stream that lags too far behind: what is there counts
        self._keep(self._shown.finish(end_s - TOLERANCE_S))
        mine = [(time, p) for time, p in self._pictures if start_s <= time < end_s]
        self._pictures = [(time, p) for time, p in self._pictures if time >= end_s]
        audio = np.empty(0, np.float32)
        if self._sound is not None:
            self._sound.take(start_s)  # came too late for the chunk before
            audio = self._sound.take(end_s)
        self._any = self._any or bool(mine) or bool(len(audio))
        return Media(
            info=self._facts.info,
            frames=stack([picture for _, picture in mine]),
            frame_times_s=np.array([time for time, _ in mine], np.float64),
            audio=audio,
            sample_rate=self._plan.sample_rate or 0 if len(audio) else 0,
            decoder="pyav" if mine else "",
        )

    def rest(self, damage: list[str]) -> Iterator[Media]:
        """The chunks that remain at the end, the last one with the warnings."""
        warnings = (*self._warnings, *damage)
        end_s = max(
            self._sound.end_s if self._sound is not None else 0.0,
            self._clock.end_s if self._clock is not None else 0.0,
        )
        if self._plan.end_s is not None:
            end_s = min(end_s, self._plan.end_s)
        last = self.cut_off()
        while self._start_of(self._number) < end_s - TOLERANCE_S:
            yield last
            last = self.cut_off()
        if not self._any:
            refuse_damaged(list(warnings))
        yield replace(last, warnings=warnings)

    def _start_of(self, number: int) -> float:
        return self._plan.start_s + number * self._chunk_s

    def _keep(self, shown: Iterator[tuple[float, VideoFrame]]) -> None:
        spec = self._plan.video
        assert spec is not None or self._clock is None
        for time, frame in shown:
            assert spec is not None
            picture = scale(self._to_rgb(frame), self._facts.info, spec.max_side)
            self._pictures.append((time, picture))
