"""A video with what the labels say drawn on it: boxes, names, emotions, and the voice below."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from typing import IO

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from emotion_core import storage
from emotion_core.exports.labelled import LabelledVideo, Stretch
from emotion_core.exports.timed import said
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan, Media
from emotion_core.media.upright import fitted_size
from emotion_core.recipes.specs import VideoSpec
from emotion_core.report.colours import colour_of

SUFFIX = ".mp4"
_SIDE = 640  # of the drawn video, its longer one
_MOST_FPS = 30.0
_RATE = 44_100
_CHUNK_S = 2.0
TIMEOUT_S = 60.0  # of the decoder, for a chunk
_TEXT = 15
# Time stamps of the drawn video count these.
_TICKS = 1000


def draw(video: LabelledVideo, decoder: IsolatedDecoder, file: IO[bytes]) -> None:
    """Write the video as MP4 (H.264, AAC), at most 640 pixels wide or high.

    It has some 30 pictures a second. The table has a box a window, from where the face was seen
    best; in between a box moves in a straight line, so on a quick move it lags. The sound is mono.

    Args:
        video: with answers.
        decoder: reads the file.
        file: what is written to; it can be sought in.

    Raises:
        ClipError: the file is gone, or cannot be read.
    """
    spec = VideoSpec(sampling="stride", every=1, max_frames=10**9, max_side=_SIDE)
    plan = DecodePlan(video=spec, sample_rate=_RATE, decoder="pyav")
    row = video.row
    with (
        storage.local_copy(row["uri"], None, row["size"], row["version"]) as path,
        av.open(file, "w", format="mp4") as out,
    ):
        writer = _Writer(out, Pen(video))
        for number, media in enumerate(decoder.stream(str(path), plan, _CHUNK_S)):
            writer.add(media, number * _CHUNK_S)
        writer.close()


class _Writer:
    """Encodes chunks; its streams are opened with the first one, which says what there is."""

    def __init__(self, out: av.container.OutputContainer, pen: "Pen"):
        self._out, self._pen = out, pen
        self._pictures: av.VideoStream | None = None
        self._sound: av.AudioStream | None = None
        self._samples = 0

    def add(self, media: Media, start_s: float) -> None:
        """One more chunk."""
        if self._pictures is None:
            self._open(media)
        assert self._pictures is not None
        step = max(1, round(media.info.fps / _MOST_FPS))
        for picture, time_s in zip(media.frames[::step], media.frame_times_s[::step], strict=True):
            drawn = self._pen.draw(picture, float(time_s))
            even = drawn[: _even(drawn.shape[0]), : _even(drawn.shape[1])]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
            frame.pts, frame.time_base = round(time_s * _TICKS), Fraction(1, _TICKS)
            self._out.mux(self._pictures.encode(frame))
        if self._sound is not None:
            self._hear(media, start_s)

    def close(self) -> None:
        """What the encoders hold back."""
        for stream in (self._pictures, self._sound):
            if stream is not None:
                self._out.mux(stream.encode(None))

    def _open(self, media: Media) -> None:
        rate = Fraction(media.info.fps or 25).limit_denominator(1001)
        self._pictures = self._out.add_stream("libx264", rate=min(rate, Fraction(int(_MOST_FPS))))
        if len(media.frames):
            height, width = media.frames[0].shape[:2]
        else:  # the first picture comes later: the file's header knows its size
            width, height = fitted_size(media.info.width or 64, media.info.height or 64, _SIDE)
        self._pictures.height, self._pictures.width = _even(height), _even(width)
        self._pictures.pix_fmt = "yuv420p"
        self._pictures.codec_context.time_base = Fraction(1, _TICKS)
        if media.info.has_audio:
            self._sound = self._out.add_stream("aac", rate=_RATE, layout="mono")

    def _hear(self, media: Media, start_s: float) -> None:
        assert self._sound is not None
        # where the sound does not reach there is silence, so that it stays in step
        missing = round(start_s * _RATE) - self._samples
        audio = np.concatenate([np.zeros(max(0, missing), np.float32), media.audio])
        if not len(audio):
            return
        frame = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = _RATE, self._samples
        frame.time_base = Fraction(1, _RATE)
        self._samples += len(audio)
        self._out.mux(self._sound.encode(frame))


class Pen:
    """Draws what is said of one video; what all its pictures share is looked up once."""

    def __init__(self, video: LabelledVideo):
        self._lanes = [(lane, Places(lane)) for lane in video.lanes.values()]
        self._font = ImageFont.load_default(_TEXT)

    def draw(self, picture: np.ndarray, time_s: float) -> np.ndarray:
        """A picture with the boxes and words of one moment, uint8 (height, width, 3)."""
        image = Image.fromarray(picture)
        pen = ImageDraw.Draw(image)
        for stretches, places in self._lanes:
            before = bisect_right(stretches, time_s, key=lambda each: each.start_s) - 1
            if before < 0 or time_s >= (now := stretches[before]).end_s:
                continue
            words = f"{now.lane}: {said(now)} {now.confidence:.0%}"
            corner, box = (4.0, image.height - _TEXT - 6.0), places.at(time_s)
            if box is not None:
                x1, y1, x2, y2 = (v * s for v, s in zip(box, image.size * 2, strict=True))
                pen.rectangle((x1, y1, x2, y2), outline=colour_of(now.emotion), width=2)
                corner = (x1, max(0.0, y1 - _TEXT - 6))
            _write(pen, corner, words, colour_of(now.emotion), self._font)
        return np.asarray(image)


class Places:
    """Where a lane's face is, as far as it is known."""

    def __init__(self, lane: Sequence[Stretch]):
        known = sorted((s.box_s, s.box) for s in lane if s.box is not None and s.box_s is not None)
        self._times = [time for time, _ in known]
        self._edges = list(zip(*(box for _, box in known), strict=True))

    def at(self, time_s: float) -> tuple[float, ...] | None:
        """Fractions of the picture, in a straight line between the places known; None for sound."""
        if not self._times:
            return None
        return tuple(np.interp(time_s, self._times, edge).item() for edge in self._edges)


def _write(
    pen: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    colour: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    x1, y1, x2, y2 = pen.textbbox(place, words, font=font)
    pen.rectangle((x1 - 2, y1 - 2, x2 + 2, y2 + 2), fill="#000000")
    pen.text(place, words, fill=colour, font=font)


def _even(size: int) -> int:
    """Without the last row or column where there is an odd number, which H.264 does not take."""
    return max(2, size - size % 2)
