"""Small media files made by the tests, in which every picture can be told from every other."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 8
TONE_HZ = 440.0
COLOURS = np.array([[1, 4, 4], [4, 1, 4], [4, 4, 1]], np.uint8)  # divisors: red, green, blue


def picture(number: int, width: int = 96, height: int = 64) -> np.ndarray:
    """RGB: the number as eight bright or dark bars above, dark left and bright right below."""
    image = np.full((height, width, 3), 30, np.uint8)
    edges = np.linspace(0, width, BITS + 1).astype(int)
    for bit in range(BITS):
        if number >> bit & 1:
            image[: height // 2, edges[bit] : edges[bit + 1]] = 220
    image[height // 2 :, width // 2 :] = 220
    return image


def number_of(image: np.ndarray) -> int:
    """The number painted into a picture; asserts that it is upright and not mirrored."""
    height, width = image.shape[:2]
    below = image[height * 3 // 4]
    assert below[width // 4].mean() < 90 < 160 < below[width * 3 // 4].mean(), "not upright"
    edges = np.linspace(0, width, BITS + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).astype(int)
    bars = image[height // 4, middles].mean(axis=1)
    return int(sum(int(bar > 125) << bit for bit, bar in enumerate(bars)))


def tone(seconds: float, rate: int, channels: int = 2) -> np.ndarray:
    """float32 (channels, samples): 440 Hz, the second channel half as loud as the first."""
    wave = 0.5 * np.sin(2 * np.pi * TONE_HZ * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave / (1 + channel) for channel in range(channels)]).astype(np.float32)


def write_clip(
    path: Path,
    frames: int = 50,
    fps: int = 25,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    times_ms: Sequence[int] | None = None,
    turned: int = 0,
    hflip: bool = False,
    sound: str | None = "aac",
    sound_s: float | None = None,
    sound_from_s: float = 0.0,
    rate: int = 48000,
    format: str | None = None,
    mux_options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    coloured: bool = False,
    faint: bool = False,
    loudness: float = 1.0,
    layout: str = "stereo",
    sample_fmt: str | None = None,
) -> Path:
    """Write a clip whose picture n is ``picture(n)`` once it is shown upright.

    Args:
        times_ms: when each picture starts; None: at ``fps``.
        turned: degrees counter-clockwise that a player has to turn the stored picture by.
        hflip: a player has to mirror it.
        layout, sample_fmt: channels and kind of samples; None: the codec's own kind.
        sound: codec of a tone that lasts ``sound_s`` (None: as long as the pictures) from
            ``sound_from_s`` on; None for no sound.
        loudness: what the tone is multiplied by.
        coloured: in red, green and blue stripes.
        faint: in greys so close to each other that nobody takes the next picture for a new shot.
    """
    stamps = list(times_ms) if times_ms is not None else [1000 * n // fps for n in range(frames)]
    items: list[tuple[float, Any, Any]] = []
    with av.open(str(path), "w", format=format, options=mux_options or {}) as container:
        width, height = size if turned % 180 == 0 else size[::-1]
        if stamps:
            video: Any = container.add_stream(codec, rate=fps, options=options or {})
            video.width, video.height, video.pix_fmt = width, height, pix_fmt
            if times_ms is not None:
                video.codec_context.time_base = Fraction(1, 1000)
            video.codec_context.thread_count = 1
            if turned or hflip:
                video.set_display_rotation(turned, hflip=hflip)
        if sound:
            audio: Any = container.add_stream(sound, rate=rate, layout=layout)
            if sample_fmt:
                audio.codec_context.format = sample_fmt
        for number, stamp in enumerate(stamps):
            image = picture(number, *size)
            if coloured:
                image = image // COLOURS[np.arange(size[0]) // 3 % len(COLOURS)]
            if faint:
                image = 128 + image // 8
            if hflip:
                image = image[:, ::-1]
            stored = np.ascontiguousarray(np.rot90(image, -turned // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            if times_ms is not None:
                frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            items.append((stamp / 1000, video, frame))
        if sound:
            items += _sound(audio, stamps, fps, sound_s, sound_from_s, rate, loudness)
        # in the order of their times, as cameras write them
        for _, stream, frame in sorted(items, key=lambda item: item[0]):
            container.mux(stream.encode(frame))
        for stream in {id(item[1]): item[1] for item in items}.values():
            container.mux(stream.encode(None))
    return path


def _sound(
    stream: Any,
    stamps: list[int],
    fps: int,
    sound_s: float | None,
    from_s: float,
    rate: int,
    loudness: float,
) -> list[tuple[float, Any, Any]]:
    if sound_s is None:
        sound_s = stamps[-1] / 1000 + 1 / fps - from_s
    layout = stream.codec_context.layout
    samples = loudness * tone(sound_s, rate, layout.nb_channels)
    depth: dict[str, Any] = {"s16": np.int16, "s16p": np.int16, "s32": np.int32, "s32p": np.int32}
    if kind := depth.get(stream.codec_context.format.name):
        samples = (samples * np.iinfo(kind).max).astype(kind)
    items = []
    for start in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, start : start + 1024])
        name = stream.codec_context.format.name
        if not stream.codec_context.format.is_planar:
            block = np.ascontiguousarray(block.T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(block, format=name, layout=layout.name)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(from_s * rate) + start
        items.append((from_s + start / rate, stream, frame))
    return items
