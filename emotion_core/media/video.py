"""Moving pictures by time, whichever library decodes them."""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from emotion_core.errors import ClipError, UsageError
from emotion_core.media.container import Facts
from emotion_core.media.decord_reader import DecordError, DecordReader, check_pixels
from emotion_core.media.pyav_reader import PyavReader
from emotion_core.media.types import MediaInfo
from emotion_core.media.upright import fitted_size, resize

DECODERS = ("auto", "decord", "pyav")


class VideoReader(Protocol):
    """The moving picture of one file. One implementation per decoder, one contract test for all.

    Attributes:
        name: ``decord`` or ``pyav``.
        info: the headers.
        warnings: filled while reading: what was wrong but survivable.
    """

    name: str
    info: MediaInfo
    warnings: list[str]

    def frames_at(self, times_s: Iterable[float]) -> Iterator[tuple[float, np.ndarray]]:
        """The picture that a player shows at each time.

        That is the last one whose presentation time is at or before it (by up to a millisecond
        after counts as at), and the first one for times before the first. Times count from the
        start of the file, as in a player; rotation and mirroring that the file asks for are
        applied, the shape of its pixels (sample aspect ratio) is not. Lazy: one picture is held.

        Args:
            times_s: ascending, seconds. A picture may be asked for more than once.

        Yields:
            (time, uint8 (height, width, 3) RGB). Times beyond the place where a cut file stops
            are left out, with a line in ``warnings``.
        """
        ...

    def close(self) -> None:
        """Free the file."""
        ...


def read_pictures(
    path: str, facts: Facts, times_s: np.ndarray, max_side: int, decoder: str
) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    """Pictures at ``times_s``, scaled down as they come so that few large ones are held.

    Args:
        path: a local file.
        facts: of this file, from ``read_facts``.
        times_s: ascending, seconds.
        max_side: pixels of the longer side at most.
        decoder: ``decord``, ``pyav``, or ``auto``: decord, then PyAV where decord cannot do it or
            shows other pixels than PyAV (said in a warning that starts with ``decoder:``).

    Returns:
        uint8 (n, height, width, 3); their times, float64 (n,); the decoder; warnings.

    Raises:
        ClipError: ``decoder`` is ``decord`` and cannot read the file.
        UsageError: no such decoder.
    """
    if decoder not in DECODERS:
        raise UsageError(f"no decoder {decoder!r}: choose one of {', '.join(DECODERS)}")
    warnings: list[str] = []
    if decoder != "pyav":
        try:
            reader = DecordReader(path, facts)
            if decoder == "auto" and len(times_s):
                check_pixels(reader, path, facts, float(times_s[0]))
            return _collect(reader, times_s, max_side)
        except DecordError as error:
            if decoder == "decord":
                raise ClipError("decode", f"unreadable: decord: {error}") from error
            warnings.append(f"decoder: not decord ({error})")
    frames, times, name, more = _collect(PyavReader(path, facts), times_s, max_side)
    return frames, times, name, warnings + more


def stack(pictures: list[np.ndarray]) -> np.ndarray:
    """uint8 (n, height, width, 3) of pictures of one size, (0, 0, 0, 3) of none."""
    return np.stack(pictures) if pictures else np.empty((0, 0, 0, 3), np.uint8)


def scale(picture: np.ndarray, info: MediaInfo, max_side: int) -> np.ndarray:
    """A picture at the size that all pictures of its file get.

    A stream that changes its size midway comes out in the size of its headers.
    """
    return resize(picture, fitted_size(info.width, info.height, max_side))


def _collect(
    reader: VideoReader, times_s: np.ndarray, max_side: int
) -> tuple[np.ndarray, np.ndarray, str, list[str]]:
    pictures, times = [], []
    try:
        for time, picture in reader.frames_at(float(t) for t in times_s):
            pictures.append(scale(picture, reader.info, max_side))
            times.append(time)
    finally:
        reader.close()
    return stack(pictures), np.array(times, np.float64), reader.name, list(reader.warnings)
