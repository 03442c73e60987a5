"""Pictures -> one square face crop each, of the person the clip is about."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from emotion_core.faces.boxes import areas, iou, is_face
from emotion_core.faces.types import Detections, Detector
from emotion_core.recipes.specs import VideoSpec

_SAME_PERSON = 0.3  # IoU with the previous picture's face
_LARGEST_BOX = 4  # picture sides: a network's answer has no upper bound, memory has


@dataclass(frozen=True)
class FaceCrops:
    """The main person's face in each picture of a clip; None where a picture has no face.

    Attributes:
        crops: uint8 (size, size, 3), or (size, size) when grey.
        boxes: ``(x1, y1, x2, y2)`` of the detected face, fractions of the picture, cut at its edge.
        scores: in [0, 1]; 1.0 where the recipe takes the picture itself for the face.
        n_faces: faces seen in each picture, of anybody.
    """

    crops: list[np.ndarray | None]
    boxes: list[tuple[float, float, float, float] | None]
    scores: list[float | None]
    n_faces: list[int]


def pick_face(
    detections: Detections, previous_box: np.ndarray | None, min_score: float, min_face: int
) -> int | None:
    """The main person among the faces of a picture.

    It is the one that was it before, if a face overlaps with ``previous_box``, and otherwise the
    largest.

    Args:
        detections: of the picture.
        previous_box: (4,) in pixels, the main person's face in the picture before, or None.
        min_score, min_face: weaker and smaller (shortest side, pixels) detections are no faces.

    Returns:
        Index into ``detections``, or None without a face.
    """
    faces = np.nonzero(is_face(detections, min_score, min_face))[0]
    if not len(faces):
        return None
    boxes = detections.boxes[faces]
    if previous_box is not None:
        overlaps = iou(previous_box[None], boxes)[0]
        if overlaps.max() >= _SAME_PERSON:
            return int(faces[overlaps.argmax()])
    return int(faces[areas(boxes).argmax()])


def crop_face(
    image: np.ndarray, box: np.ndarray, size: int, margin: float, grey: bool
) -> np.ndarray:
    """Cut a square around a face and scale it, without aliasing.

    Args:
        image: uint8 (height, width, 3), RGB.
        box: (4,), x1 y1 x2 y2 in pixels; parts outside the picture repeat its edge.
        size: side of the result, pixels.
        margin: the square's side is the box's longer side times ``1 + margin``.
        grey: one channel (ITU-R 601-2 luma) instead of three.

    Returns:
        uint8 (size, size, 3), or (size, size) when ``grey``.
    """
    left, top, side = square_around(box, margin, *image.shape[:2])
    first, end = (int(np.floor(left)), int(np.floor(top))), (left + side, top + side)
    columns, rows = (range(a, int(np.ceil(z))) for a, z in zip(first, end, strict=True))
    region = _region(image, rows, columns)
    picture = Image.fromarray(region)
    if grey:
        picture = picture.convert("L")
    # ``box`` keeps the fraction of a pixel, so that a slowly moving face does not jump
    x, y = left - columns[0], top - rows[0]
    square = (x, y, min(x + side, picture.width), min(y + side, picture.height))
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR, box=square))


def square_around(
    box: np.ndarray, margin: float, height: int, width: int
) -> tuple[float, float, float]:
    """Left, top and side of the square that ``crop_face`` cuts, pixels.

    Args:
        box, margin: as ``crop_face`` takes them.
        height, width: of the picture.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    side = max(x2 - x1, y2 - y1, 1.0) * (1.0 + margin)
    side = min(side, _LARGEST_BOX * max(height, width))
    return (x1 + x2 - side) / 2, (y1 + y2 - side) / 2, side


def _region(image: np.ndarray, rows: range, columns: range) -> np.ndarray:
    """These rows and columns of a picture; those beyond its edge repeat it."""
    height, width = image.shape[:2]
    (inner, above_below), (across, left_right) = _within(rows, height), _within(columns, width)
    region = image[inner, across]
    missing = (above_below, left_right, (0, 0))
    return np.pad(region, missing, "edge") if np.any(missing) else region


def _within(wanted: range, size: int) -> tuple[slice, tuple[int, int]]:
    """The part of a range in ``range(size)``, one at least, and what lacks before and behind."""
    start = min(max(wanted.start, 0), size - 1)
    stop = max(min(wanted.stop, size), start + 1)
    before = min(max(0, -wanted.start), len(wanted) - 1)
    return slice(start, stop), (before, len(wanted) - before - (stop - start))


def crop_faces(frames: np.ndarray, detector: Detector | None, spec: VideoSpec) -> FaceCrops:
    """Find and cut the main person's face in every picture of a clip.

    Args:
        frames: uint8 (n, height, width, 3), RGB, in order of time.
        detector: may be None when ``spec.detect`` is False; then the largest centred square of
            each picture is the face.
        spec: the recipe's crop settings.

    Returns:
        ``n`` entries in every list.
    """
    if not spec.detect:
        return _whole_pictures(frames, spec)
    if detector is None:
        raise ValueError("spec.detect needs a detector")
    result = FaceCrops([], [], [], [])
    previous: np.ndarray | None = None
    for frame, detections in zip(frames, detector.detect(frames), strict=True):
        chosen = pick_face(detections, previous, spec.min_score, spec.min_face)
        result.n_faces.append(int(is_face(detections, spec.min_score, spec.min_face).sum()))
        if chosen is None:
            result.crops.append(None)
            result.boxes.append(None)
            result.scores.append(None)
            continue
        previous = detections.boxes[chosen]
        result.crops.append(crop_face(frame, previous, spec.face_size, spec.margin, spec.grey))
        result.boxes.append(as_fractions(previous, frame.shape[0], frame.shape[1]))
        result.scores.append(float(detections.scores[chosen]))
    return result


def as_fractions(box: np.ndarray, height: int, width: int) -> tuple[float, float, float, float]:
    """A box in pixels -> fractions of the picture's width and height, cut at its edge."""
    x1, y1, x2, y2 = np.clip(box / np.array([width, height, width, height]), 0.0, 1.0).tolist()
    return (x1, y1, x2, y2)


def encode_png(crop: np.ndarray) -> bytes:
    """A crop, uint8 (h, w, 3) or (h, w) -> PNG, lossless; the same bytes for the same crop."""
    buffer = BytesIO()
    Image.fromarray(crop).save(buffer, format="PNG")
    return buffer.getvalue()


def _whole_pictures(frames: np.ndarray, spec: VideoSpec) -> FaceCrops:
    count = len(frames)
    height, width = frames.shape[1:3]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    square = np.array([left, top, left + side, top + side])
    return FaceCrops(
        crops=[crop_face(frame, square, spec.face_size, 0.0, spec.grey) for frame in frames],
        boxes=[as_fractions(square, height, width)] * count,
        scores=[1.0] * count,
        n_faces=[1] * count,
    )
