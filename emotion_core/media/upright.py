"""Pictures as they are shown: turned upright, and no larger than asked for."""

from collections.abc import Mapping
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame
from PIL import Image

Matrix = tuple[int, int, int, int]
UPRIGHT: Matrix = (1, 0, 0, 1)


def display_matrix(frame: VideoFrame) -> Matrix:
    """How a player turns this frame: ``(a, b, c, d)`` as -1, 0 or 1, (1, 0, 0, 1) for not at all.

    A point (x, y) of the stored picture is shown at (a x + c y, b x + d y), as in the track header
    of ISO 14496-12. Angles between the quarter turns count as none. To be asked once a file: a
    frame and its side data refer to each other, and stay in memory until the garbage collector
    comes by.
    """
    # av's stubs call it a TypedDict; it is a mapping from Type to a buffer
    side_data = cast(Mapping[Type, Buffer], frame.side_data)
    if Type.DISPLAYMATRIX not in side_data:
        return UPRIGHT
    data = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.int32)
    a, b, c, d = (int(v) for v in np.sign(np.rint(data[[0, 1, 3, 4]] / 65536)))
    straight = (b, c) == (0, 0) and a and d
    crossed = (a, d) == (0, 0) and b and c
    return (a, b, c, d) if straight or crossed else UPRIGHT


def swaps_sides(matrix: Matrix) -> bool:
    """Whether width and height change places."""
    return matrix[0] == 0


def is_mirrored(matrix: Matrix) -> bool:
    """Whether the picture is shown as in a mirror: a turn alone does not do it."""
    a, b, c, d = matrix
    return a * d - b * c < 0


def turn(picture: np.ndarray, matrix: Matrix) -> np.ndarray:
    """The picture (height, width, 3) as it is shown."""
    a, b, c, d = matrix
    if swaps_sides(matrix):
        picture = picture.transpose(1, 0, 2)
        right, down = c, b
    else:
        right, down = a, d
    return np.ascontiguousarray(picture[:: down or 1, :: right or 1])


def fitted_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """(width, height) with the longer side at most ``max_side``: never larger than before.

    Headers without a size, of which no picture could be decoded either, say 0 x 0.
    """
    scale = min(1.0, max_side / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture (height, width, 3), uint8, at ``size`` (width, height), antialiased by Pillow."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    scaled = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(scaled)
