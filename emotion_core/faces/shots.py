"""Where one shot ends and the next begins, and whether two faces look alike.

Both are comparisons of small pictures. They are no recognition of people: they only keep somebody
who is seen after a cut from being taken for whoever was in the same place before it.
"""

import numpy as np
from PIL import Image

from emotion_core.faces.crop import crop_face

_SIDE = 16
_LEVELS = 4  # per colour
# Within a shot, pictures up to 0.7 s apart stayed below 0.08 and 0.21 on the clips that this was
# tried on; real cuts began at 0.25 and 0.42. A cut that is seen where there is none does little:
# who looks the same in the same place is carried over.
_MOVED = 0.12
_RECOLOURED = 0.35


class Shots:
    """Tells for each picture of a video whether a new shot begins with it."""

    def __init__(self) -> None:
        self._before: tuple[np.ndarray, np.ndarray] | None = None

    def begins(self, picture: np.ndarray) -> bool:
        """True when ``picture``, uint8 (height, width, 3), is far from the one given before.

        Far is a mean difference of more than 12 % between thumbnails, or 35 % of other colours.
        The first picture begins no new shot.
        """
        thumb, colours = _thumbnail(picture), _colours(picture)
        before, self._before = self._before, (thumb, colours)
        if before is None:
            return False
        moved = float(np.abs(thumb - before[0]).mean())
        recoloured = 1.0 - float(np.minimum(colours, before[1]).sum())
        return moved > _MOVED or recoloured > _RECOLOURED


def appearance(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """What a face looks like, to be compared by dot product: 1 is the same, 0 nothing alike.

    Args:
        picture: uint8 (height, width, 3), RGB.
        box: (4,), x1 y1 x2 y2 in pixels.

    Returns:
        float32 (768,) of length 1: the face at 16 x 16 without its mean brightness. Of one person
        up to two seconds apart, 95 % of pairs were above 0.8 on the clips that this was tried on;
        of two people, 95 % were below 0.75.
    """
    values = crop_face(picture, box, _SIDE, 0.0, False).astype(np.float32).reshape(-1)
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    small = Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


def _colours(picture: np.ndarray) -> np.ndarray:
    """Share of the pixels in each of 64 colours."""
    some = np.asarray(Image.fromarray(picture).reduce(max(1, min(picture.shape[:2]) // 64)))
    levels = some.reshape(-1, 3).astype(np.int64) * _LEVELS // 256
    places = levels @ np.array([_LEVELS**2, _LEVELS, 1])
    return np.bincount(places, minlength=_LEVELS**3) / len(places)
