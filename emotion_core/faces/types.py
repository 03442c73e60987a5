"""What a face detector is, for the rest of the house."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Detections:
    """The faces of one picture, best score first.

    Attributes:
        boxes: float32 (k, 4), x1 y1 x2 y2 in pixels of the picture.
        scores: float32 (k,), in [0, 1].
        landmarks: float32 (k, 5, 2), left eye, right eye, nose, left and right corner of the mouth
            (left as seen in the picture), x y in pixels.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray


class Detector(Protocol):
    """Finds faces in a batch of equally large pictures.

    Attributes:
        name: as ``--detector`` takes it, without a path.
        weights_hash: SHA-256 of the weights file, hex.
        provider: the ONNX Runtime execution provider in use.
    """

    name: str
    weights_hash: str
    provider: str

    def detect(self, images: np.ndarray) -> list[Detections]:
        """Faces of each picture of ``images``, uint8 (n, height, width, 3) RGB."""
        ...
