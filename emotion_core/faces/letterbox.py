"""Pictures of any size -> the batch that a detector's network takes, and boxes back again."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

STRIDE = 32  # both detector families halve the picture five times


@dataclass(frozen=True)
class Fit:
    """How pictures of one size sit in the top left corner of the network's input.

    Attributes:
        canvas: (height, width) of the input; what the picture leaves free stays black.
        scaled: (height, width) of the picture inside it, aspect kept to the nearest pixel.
        scale: float32 (2,), input pixels per picture pixel, x and y.
    """

    canvas: tuple[int, int]
    scaled: tuple[int, int]
    scale: np.ndarray


def fit(height: int, width: int, side: int, fixed: tuple[int, int] | None = None) -> Fit:
    """Place a picture: its longer side becomes at most ``side``; it is never scaled up.

    Args:
        height, width: of the picture, pixels.
        side: longest side wanted.
        fixed: (height, width) of a network that takes only this size; ``side`` is then ignored.
    """
    limit = min(fixed[0] / height, fixed[1] / width) if fixed else side / max(height, width)
    ratio = min(1.0, limit)
    scaled = (max(1, round(height * ratio)), max(1, round(width * ratio)))
    canvas = fixed or (-(-scaled[0] // STRIDE) * STRIDE, -(-scaled[1] // STRIDE) * STRIDE)
    scale = np.array([scaled[1] / width, scaled[0] / height], dtype=np.float32)
    return Fit(canvas, scaled, scale)


def letterbox(images: np.ndarray, place: Fit) -> np.ndarray:
    """Pictures, uint8 (n, height, width, 3) -> network input, float32 (n, 3, H, W), 0 to 255."""
    batch = np.zeros((len(images), 3, *place.canvas), dtype=np.float32)
    rows, columns = place.scaled
    for image, target in zip(images, batch, strict=True):
        if image.shape[:2] != place.scaled:
            # Pillow's filters widen with the scale: no aliasing when scaling down
            small = Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR)
            image = np.asarray(small)
        target[:, :rows, :columns] = image.transpose(2, 0, 1)
    return batch
