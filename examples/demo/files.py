"""Writing clips: H.264 and AAC through PyAV, atomically, and the same bytes for the same input."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from examples.demo.performance import FPS
from examples.demo.picture import HEIGHT, WIDTH
from examples.demo.voice import FILE_RATE

_FORMATS = {".mp4": "mp4", ".m4a": "ipod", ".mkv": "matroska"}


def write_clip(
    path: Path,
    frames: Iterable[np.ndarray] | None,
    sound: np.ndarray | None,
    title: str,
    comment: str,
    keep: float = 1.0,
) -> None:
    """Write one clip; it appears under its name when it is complete.

    Args:
        path: .mp4, .mkv, or .m4a (sound only).
        frames: planes of yuv420p, uint8 (1080, 1280) each, 30 a second; None for no picture.
        sound: float32 (samples,), mono, 48 kHz; None for no sound.
        title, comment: metadata.
        keep: the share of the file's bytes to keep: below 1 gives a damaged file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.unfinished")
    # bitexact: no dates, no random identifiers
    options = {"fflags": "+bitexact"}
    if path.suffix != ".mkv":  # the index comes first, so that a cut file can still be opened
        options["movflags"] = "+faststart"
    with av.open(str(draft), "w", format=_FORMATS[path.suffix], options=options) as out:
        out.metadata.update({"title": title, "comment": comment})
        picture = _picture_stream(out) if frames is not None else None
        voice = _sound_stream(out) if sound is not None else None
        if sound is not None and voice is not None:
            # first, because it is small: the muxer sorts both by time
            out.mux(voice.encode(_sound_frame(sound)))
            out.mux(voice.encode(None))
        if frames is not None and picture is not None:
            for index, planes in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
                out.mux(picture.encode(frame))
            out.mux(picture.encode(None))
    if keep < 1.0:
        os.truncate(draft, int(draft.stat().st_size * keep))
    os.replace(draft, path)


def write_junk(seed: int, path: Path, size: int = 20_000) -> None:
    """A file that only pretends to be a video."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.unfinished")
    draft.write_bytes(np.random.default_rng([seed, 9]).bytes(size))
    os.replace(draft, path)


def _picture_stream(out: av.container.OutputContainer) -> av.VideoStream:
    # one thread: with more, the bytes depend on the machine
    options = {"preset": "ultrafast", "crf": "24", "threads": "1"}
    stream = out.add_stream("libx264", rate=FPS, options=options)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    stream.thread_count = 1
    stream.codec_context.gop_size = 2 * FPS
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _sound_stream(out: av.container.OutputContainer) -> av.AudioStream:
    stream = out.add_stream("aac", rate=FILE_RATE, layout="mono")
    stream.bit_rate = 96_000
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return stream


def _sound_frame(sound: np.ndarray) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
    frame.sample_rate, frame.pts = FILE_RATE, 0
    return frame
