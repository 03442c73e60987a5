"""Sound of any container as mono samples at one rate, in line with the picture."""

from __future__ import annotations  # av's Packet is generic in its stubs only

from collections import deque
from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.packet import Packet

from emotion_core.media.container import (
    Damage,
    Facts,
    decode_packet,
    open_container,
    packets,
    read_facts,
    use_only,
)
from emotion_core.media.lengths import seconds
from emotion_core.media.limits import MOST_GAPS_S, plausible_frame

# Time stamps may wander by this much (FLV rounds, clocks drift) before silence is put in, or
# sound left out, to catch up with them.
_JITTER_S = 0.1
# A longer hole is filled after resampling, not before: at 96 kHz it would take gigabytes.
_SHORT_HOLE_S = 10.0
# Codecs fill their last packet up: 4096 samples at 44.1 kHz at the most that are in use.
_PADDING_S = 0.1
_MOST_PLANES = 7
_LOUDEST = 1000.0  # full scale is 1: no sound is louder, and what is no number is not either
_LOT_S = 10.0
_NO_SAMPLES = np.empty(0, np.float32)


class SoundTrack:
    """Decoded frames in, samples on the file's own time line out.

    Sample n is the sound at n / sample_rate seconds from the start of the file: a stream that
    starts later is preceded by silence, holes are silent, what lies before 0 is left out.

    Args:
        sample_rate: Hz of the samples.
        facts: of the file. Where it states the end of the sound, what the last packet of a codec
            holds beyond it is padding and is left out.
    """

    def __init__(self, sample_rate: int, facts: Facts):
        self.sample_rate = sample_rate
        track = facts.audio
        self._stated_end_s = track.end_s if track and track.stated else float("inf")
        self.taken = 0  # samples handed out so far
        self._blocks: deque[np.ndarray] = deque()  # resampled, not yet handed out
        self._made = 0  # samples resampled so far, handed out or not
        self._rate = 0  # Hz of the frames
        self._resampler: AudioResampler | None = None
        self._base_s = 0.0  # where the frames at this rate began
        self._native = 0  # samples of the frames since then
        self._holes_s = 0.0  # filled so far
        self._nonsense = 0  # frames with values that are no sound

    @property
    def end_s(self) -> float:
        """Seconds up to which the sound is complete."""
        return self._base_s + (self._native / self._rate if self._rate else 0.0)

    @property
    def ready_s(self) -> float:
        """Seconds up to which samples can be taken: a resampler holds some back."""
        return self._made / self.sample_rate

    def push(self, frame: AudioFrame, start_s: float | None) -> None:
        """One more decoded frame, which starts at ``start_s`` (None: follows the last one)."""
        samples = mono(frame)
        if len(samples) and not np.abs(samples).max() < _LOUDEST:
            samples = np.nan_to_num(samples, nan=0.0).clip(-1, 1)
            self._nonsense += 1
        if frame.sample_rate != self._rate:
            self._change_rate(frame.sample_rate)
        late_s = 0.0 if start_s is None else start_s - self.end_s
        first = self._native == 0 and self._base_s == 0.0
        if abs(late_s) > (0 if first else _JITTER_S) and self._holes_s + late_s < MOST_GAPS_S:
            self._holes_s += max(0.0, late_s)
            shift = round(late_s * self._rate)
            if late_s > _SHORT_HOLE_S:
                self._skip(shift)
            elif shift > 0:
                self._resample(np.zeros(shift, np.float32))
            samples = samples[max(-shift, 0) :]
        self._resample(samples)

    def _skip(self, count: int) -> None:
        """So many native samples of silence, made at the rate that is wanted."""
        rate = self._rate
        self.finish()
        self._base_s += count / rate
        self._append(np.zeros(round(self._base_s * self.sample_rate) - self._made, np.float32))
        self._rate = 0
        self._change_rate(rate)

    def fill(self, until_s: float) -> None:
        """Silence up to ``until_s``: no sound comes any more for the time before it."""
        if self._rate == 0:
            self._change_rate(self.sample_rate)
        missing = round((until_s - self.end_s) * self._rate)
        if missing > 0:
            self._resample(np.zeros(missing, np.float32))

    def finish(self) -> None:
        """No more frames: what the resampler holds becomes ready, the length becomes exact."""
        if self._resampler is not None:
            self._keep(self._resampler.resample(None))
            self._resampler = None
        missing = round(self.end_s * self.sample_rate) - self._made
        if missing > 0:
            self._append(np.zeros(missing, np.float32))
        while missing < 0 and self._blocks:
            last = self._blocks.pop()
            kept = last[: max(0, len(last) + missing)]
            self._blocks.append(kept)
            dropped = len(last) - len(kept)
            self._made, missing = self._made - dropped, missing + dropped
            if missing < 0:
                self._blocks.pop()
        self._base_s, self._native = self.end_s, 0

    def take(self, until_s: float = float("inf")) -> np.ndarray:
        """The samples not yet taken, up to ``until_s`` or as far as they are ready.

        Returns:
            float32 (samples,) in [-1, 1]: what overshoots in coding or resampling is clipped.
        """
        if self._stated_end_s < self.end_s <= self._stated_end_s + _PADDING_S:
            until_s = min(until_s, self._stated_end_s)
        until = self._made
        if until_s < self.ready_s:
            until = max(round(until_s * self.sample_rate), self.taken)
        parts, left = [_NO_SAMPLES], until - self.taken
        while left > 0:
            block = self._blocks.popleft()
            if len(block) > left:
                self._blocks.appendleft(block[left:])
            parts.append(block[:left])
            left -= len(parts[-1])
        self.taken = until
        samples = np.concatenate(parts)
        return np.clip(samples, -1, 1, out=samples)

    def warnings(self) -> list[str]:
        """One line when there were values that are no sound: NaN, infinite or immense."""
        count = self._nonsense
        return [f"audio: {count} frame{'s' * (count > 1)} of what is no sound"] if count else []

    def _change_rate(self, rate: int) -> None:
        if self._rate:
            self.finish()
        self._rate = rate
        if rate != self.sample_rate:
            self._resampler = AudioResampler(format="flt", layout="mono", rate=self.sample_rate)

    def _resample(self, samples: np.ndarray) -> None:
        if len(samples) == 0:
            return
        if self._resampler is None:
            self._append(samples)
        else:
            frame = AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
            frame.sample_rate = self._rate
            frame.pts = None
            self._keep(self._resampler.resample(frame))
        self._native += len(samples)

    def _keep(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            self._append(frame.to_ndarray().reshape(-1))

    def _append(self, samples: np.ndarray) -> None:
        self._blocks.append(samples)
        self._made += len(samples)


def read_audio(
    path: str, sample_rate: int, start_s: float = 0.0, end_s: float | None = None
) -> tuple[np.ndarray, list[str]]:
    """The sound of any container, mixed to mono (mean of the channels) and resampled.

    Args:
        path: a local file.
        sample_rate: Hz.
        start_s, end_s: the part wanted, seconds from the start of the file (that of the picture,
            where there is one); ``end_s`` None means to the end. A file is decoded from its
            beginning, so that samples do not depend on where reading starts.

    Returns:
        float32 (samples,) in [-1, 1], shorter than asked for where the sound ends before; and what
        was wrong but survivable. Empty for a file without sound.

    Raises:
        ClipError: not a media file.
    """
    return read_sound(path, read_facts(path), sample_rate, start_s, end_s)


def read_sound(
    path: str, facts: Facts, sample_rate: int, start_s: float, end_s: float | None
) -> tuple[np.ndarray, list[str]]:
    """``read_audio`` of a file whose facts are known."""
    if facts.audio is None:
        return _NO_SAMPLES, []
    track, damage = SoundTrack(sample_rate, facts), Damage()
    until_s = float("inf") if end_s is None else end_s
    taken = [_NO_SAMPLES]
    with open_container(path) as container:
        stream = cast(AudioStream, container.streams[facts.audio.index])
        use_only(container, [stream])
        for packet in packets(container, [stream]):
            for frame, time in sound_frames(packet, facts, damage):
                track.push(frame, time)
            if track.taken < round(start_s * sample_rate):
                track.take(start_s)
            elif track.ready_s > track.taken / sample_rate + 2 * _LOT_S:
                # a codec may still turn out to have filled up the end
                taken.append(track.take(min(until_s, track.ready_s - _LOT_S)))
            if track.ready_s >= until_s:
                break
        else:
            track.finish()
    warnings = damage.warnings("audio") + track.warnings()
    if track.end_s < until_s:
        warnings += facts.audio.cut("audio", track.end_s)
    if track.taken < round(start_s * sample_rate):
        track.take(start_s)
    return np.concatenate([*taken, track.take(until_s)]), warnings


def mono(frame: AudioFrame) -> np.ndarray:
    """Samples of a decoded frame, mean of its channels: float32 (samples,) in [-1, 1]."""
    frame = _readable(frame)
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    if samples.dtype.kind == "u":
        scaled = (samples.astype(np.float32) - 128) / 128  # FFmpeg knows unsigned bytes only
    elif samples.dtype.kind == "i":
        scaled = (samples / 2.0 ** (8 * samples.dtype.itemsize - 1)).astype(np.float32)
    else:
        scaled = samples.astype(np.float32)
    return scaled[0] if len(scaled) == 1 else scaled.mean(axis=0, dtype=np.float32)


def _readable(frame: AudioFrame) -> AudioFrame:
    """The frame as PyAV 18 can make an array of it.

    Of eight planes and more it does not know the number, and reads on in memory until something
    looks like the end; of integers of 64 bits it makes nothing.
    """
    wide = frame.format.is_planar and frame.layout.nb_channels > _MOST_PLANES
    long = frame.format.name.startswith("s64")
    if not frame.samples or not (wide or long):
        return frame
    packed = "dbl" if long else frame.format.packed.name
    (same,) = AudioResampler(format=packed, layout=frame.layout).resample(frame)
    return same


def sound_frames(
    packet: Packet[Any], facts: Facts, damage: Damage
) -> Iterator[tuple[AudioFrame, float | None]]:
    """What is in a packet of sound, each frame with its time in the file (None: unknown)."""
    for frame in decode_packet(packet, damage):
        if plausible_frame(frame):
            yield frame, seconds(frame.pts, frame.time_base, facts.origin_s)
        else:
            damage.packets["audio"] += 1
