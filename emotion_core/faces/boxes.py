"""Geometry of boxes, ``x1 y1 x2 y2``: overlap, suppression, and what counts as a face."""

import numpy as np

from emotion_core.faces.types import Detections


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas (k,) of ``boxes`` (k, 4); 0 where a box is turned inside out."""
    sides = np.clip(boxes[:, 2:4] - boxes[:, 0:2], 0.0, None)
    return sides[:, 0] * sides[:, 1]


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair, (m, 4) and (n, 4) -> (m, n); 0 for empty boxes."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:4], second[None, :, 2:4])
    sides = np.clip(high - low, 0.0, None)
    overlap = sides[..., 0] * sides[..., 1]
    union = areas(first)[:, None] + areas(second)[None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Greedy non-maximum suppression.

    Args:
        boxes: (k, 4).
        scores: (k,).
        threshold: a box that overlaps a better one with at least this IoU goes.

    Returns:
        int64 indices of the boxes that stay, best score first.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[iou(boxes[best : best + 1], boxes[rest])[0] < threshold]
    return np.array(kept, dtype=np.int64)


def is_face(detections: Detections, min_score: float, min_face: int) -> np.ndarray:
    """Which detections are good enough to be a face.

    Args:
        detections: of one picture.
        min_score: lowest score.
        min_face: shortest side of the box, pixels.

    Returns:
        bool (k,).
    """
    sides = detections.boxes[:, 2:4] - detections.boxes[:, 0:2]
    return (detections.scores >= min_score) & (sides.min(axis=1, initial=np.inf) >= min_face)


def take(detections: Detections, chosen: np.ndarray) -> Detections:
    """The detections that ``chosen`` (bool mask or indices) names, in that order."""
    return Detections(
        detections.boxes[chosen], detections.scores[chosen], detections.landmarks[chosen]
    )


def order_by_score(
    boxes: np.ndarray, scores: np.ndarray, landmarks: np.ndarray, overlap: float
) -> Detections:
    """Candidates of one picture -> its faces: suppressed at IoU ``overlap``, best first."""
    keep = nms(boxes, scores, overlap)
    return Detections(
        boxes[keep].astype(np.float32),
        scores[keep].astype(np.float32),
        landmarks[keep].astype(np.float32),
    )
