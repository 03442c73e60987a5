"""Still images: picture files, and the lines of ``fer2013.csv``."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps

from emotion_core.errors import ClipError
from emotion_core.media.limits import MOST_STILL_PIXELS, refuse_large
from emotion_core.text import one_line

# Raster formats that hold their own pixels. PostScript, which runs a program, is not among them.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000")
# A line of fer2013.csv or its reordered copies: a digit, and then many numbers from 0 to 255.
_CSV_ROW = re.compile(rb'"?\d"?, ?(?:[A-Za-z]+, ?)?"?\d{1,3}( \d{1,3}){15}')
_ENOUGH = 128
_SIDE = 48
# 2,304 numbers of three digits, and what stands before them.
_LONGEST_ROW = 1 << 16


def still_size(path: str) -> tuple[int, int] | None:
    """(width, height) of the upright picture when the file is a still; None when it is not.

    An animated GIF or PNG is a video, and not one of these; of an animated WebP, which FFmpeg 8.1
    cannot decode, the first picture counts. Nothing is decoded.

    Raises:
        ClipError: a still whose header is damaged, or one too large to open safely.
    """
    if _is_csv_row(path):
        return _SIDE, _SIDE
    try:
        image = _open(path)
    except (Image.UnidentifiedImageError, FileNotFoundError):
        return None
    with image:
        with _pillow():
            animated = image.format in ("GIF", "PNG") and getattr(image, "n_frames", 1) > 1
            on_its_side = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        if animated:
            return None
        width, height = image.size
        return (height, width) if on_its_side else (width, height)


def read_still(path: str) -> np.ndarray:
    """The picture as it is shown: uint8 (height, width, 3), RGB, EXIF orientation applied.

    Transparent parts are white; of a file with several pages, the first one.

    Raises:
        ClipError: damaged, or too large to open safely.
    """
    if _is_csv_row(path):
        return _csv_picture(path)
    with _open(path) as image:
        with _pillow():
            upright = ImageOps.exif_transpose(image)
            upright.load()
        return np.asarray(_rgb(upright))


@contextmanager
def _pillow() -> Iterator[None]:
    """Calls of Pillow that read a file: whatever they raise is about the file.

    Its readers of formats are not of one mind about what to raise: ``OSError``, ``SyntaxError``,
    ``ValueError``, ``RuntimeError``, ``IndexError``, ``KeyError``, ``struct.error`` ... have been
    seen. Nothing of our own belongs in here.
    """
    try:
        with warnings.catch_warnings():  # about damage, and about its limit, which is another one
            warnings.simplefilter("ignore")
            yield
    except (Image.UnidentifiedImageError, FileNotFoundError, MemoryError):
        raise
    except Exception as error:
        raise ClipError("decode", f"unreadable: {one_line(error)}") from error


def _open(path: str) -> Image.Image:
    with _pillow():
        image = Image.open(path, formats=_FORMATS)
    refuse_large(*image.size, MOST_STILL_PIXELS)
    return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16 bits a pixel: Pillow would cut them off at 255
        grey = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image.convert("RGB")


def _is_csv_row(path: str) -> bool:
    with open(path, "rb") as file:
        return _CSV_ROW.match(file.read(_ENOUGH)) is not None


def _csv_picture(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        try:
            line = file.read(_LONGEST_ROW + 1)
            if len(line) > _LONGEST_ROW:
                raise ClipError("decode", "a line of pixels that does not end")
            grey = picture_of_line(line)
        except ClipError as error:
            raise ClipError("decode", f"unreadable: {error}") from error
    return np.repeat(grey[:, :, None], 3, axis=2)


def picture_of_line(line: bytes) -> np.ndarray:
    """The picture in one line of ``fer2013.csv`` (or of its reordered copies).

    Returns:
        uint8 (48, 48), grey, row by row from the top left.

    Raises:
        ClipError: stage ``decode``: not 2,304 numbers from 0 to 255.
    """
    pixels = max(line.split(b","), key=len)
    try:
        values = np.array(pixels.strip(b'" \r\n').split(), dtype=np.int64)
    except ValueError as error:
        raise ClipError("decode", "a line of fer2013.csv without its pixels") from error
    if values.size != _SIDE * _SIDE or values.min() < 0 or values.max() > 255:
        raise ClipError("decode", f"{values.size} pixel values, not {_SIDE * _SIDE} from 0 to 255")
    return values.astype(np.uint8).reshape(_SIDE, _SIDE)
