"""Small random changes of a training clip's faces, alike in all its pictures."""

import numpy as np
from scipy import ndimage

from emotion_core.recipes.specs import TrainSpec

BRIGHTNESS, CONTRAST = 0.2, 0.2
SHIFT = 1 / 12  # of the picture's side
ERASED = (0.02, 0.25)  # share of the picture

Faces = tuple[np.ndarray | None, ...]


def augment_faces(faces: Faces, rng: np.random.Generator, spec: TrainSpec) -> Faces:
    """Mirrored or not, moved a little, another brightness and contrast.

    Also turned, zoomed and partly hidden, where the recipe says so.

    Args:
        faces: uint8 (size, size, 3) or (size, size) each, None without a face.
        rng: decides everything.
        spec: how much: ``rotation``, ``zoom``, ``erasing``.
    """
    mirror = rng.random() < 0.5
    dx, dy = rng.uniform(-SHIFT, SHIFT, 2)
    gain = rng.uniform(1 - CONTRAST, 1 + CONTRAST)
    offset = 255 * rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    angle = np.radians(rng.uniform(-spec.rotation, spec.rotation))
    zoom = rng.uniform(1 - spec.zoom, 1 + spec.zoom)
    hidden = _rectangle(rng) if rng.random() < spec.erasing else None

    def change(face: np.ndarray | None) -> np.ndarray | None:
        if face is None:
            return None
        face = face[:, ::-1] if mirror else face
        if spec.rotation or spec.zoom:
            moved = _warp(face, angle, zoom, dy * len(face), dx * len(face))
        else:
            moved = _move(face, round(dy * len(face)), round(dx * len(face)))
        mean = moved.mean()
        changed = np.clip((moved - mean) * gain + mean + offset, 0, 255).astype(np.uint8)
        if hidden is not None:
            top, left, bottom, right = np.round(np.array(hidden) * len(face)).astype(int)
            changed[top:bottom, left:right] = changed.mean()
        return changed

    return tuple(change(face) for face in faces)


def _move(face: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shifted by whole pixels; what comes in at the border repeats the border."""
    rows = np.clip(np.arange(face.shape[0]) - down, 0, face.shape[0] - 1)
    columns = np.clip(np.arange(face.shape[1]) - right, 0, face.shape[1] - 1)
    return face[rows][:, columns]


def _warp(face: np.ndarray, angle: float, zoom: float, down: float, right: float) -> np.ndarray:
    """Turned and zoomed about its middle, then shifted; the border is repeated.

    Args:
        face: uint8 (size, size) or (size, size, 3).
        angle: radians.
        zoom: above 1 is larger.
        down, right: pixels.

    Returns:
        uint8, the same shape.
    """
    cos, sin = np.cos(angle), np.sin(angle)
    back = np.array([[cos, -sin], [sin, cos]]) / zoom  # from where a pixel goes to where it was
    middle = np.full(2, (len(face) - 1) / 2)
    offset = middle - back @ (middle + [down, right])
    planes = face[:, :, None] if face.ndim == 2 else face
    moved = [
        ndimage.affine_transform(planes[:, :, k], back, offset, order=1, mode="nearest")
        for k in range(planes.shape[2])
    ]
    return np.stack(moved, axis=2).reshape(face.shape)


def _rectangle(rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Top, left, bottom and right of a rectangle, as shares of the picture's side."""
    area, ratio = rng.uniform(*ERASED), np.exp(rng.uniform(-1, 1))
    height, width = min(1.0, np.sqrt(area * ratio)), min(1.0, np.sqrt(area / ratio))
    top, left = rng.uniform(0, 1 - height), rng.uniform(0, 1 - width)
    return top, left, top + height, left + width
