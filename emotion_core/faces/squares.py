"""A known face, sought again in a small square around it, which costs less than the picture."""

import numpy as np

from emotion_core.faces.boxes import iou
from emotion_core.faces.crop import crop_face, square_around
from emotion_core.faces.types import Detections

# Pixels of the square that a face is sought in, and how much wider than the face it is.
SIDE = 128
_MARGIN = 1.0
_SAME_FACE = 0.2  # IoU with where the face is known to be


def square_of(frame: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The square around a box of a picture, uint8 (SIDE, SIDE, 3), RGB, for a detector."""
    return crop_face(frame, box, SIDE, _MARGIN, False)


def place_of(box: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Where ``square_of`` lies in a picture of this shape: left, top and side, pixels."""
    return square_around(box, _MARGIN, *shape[:2])


def in_picture(faces: Detections, box: np.ndarray, shape: tuple[int, ...]) -> Detections:
    """Faces in pixels of the square around ``box`` -> in pixels of the picture."""
    left, top, side = place_of(box, shape)
    corner, scale = np.array([left, top]), side / SIDE
    return Detections(
        (faces.boxes * scale + np.tile(corner, 2)).astype(np.float32),
        faces.scores,
        (faces.landmarks * scale + corner).astype(np.float32),
    )


def same_face(box: np.ndarray, faces: Detections) -> int | None:
    """Which of the faces is the one that was at ``box``, None if none is."""
    overlaps = iou(box[None], faces.boxes)[0]
    if not len(overlaps) or overlaps.max() < _SAME_FACE:
        return None
    return int(overlaps.argmax())
