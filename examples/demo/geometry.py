"""Where every pixel of a moving face comes from: smooth displacement fields around key points.

All warps here are inverse: for a place in the new picture they say how far the old picture's pixel
has moved. Positions and displacements are pixels of the final picture; movements are multiplied by
``Marks.unit``, the distance between the eyes.
"""

from dataclasses import dataclass, replace

import numpy as np

from examples.demo.expression import FIELDS, Expression
from examples.demo.photos import Photo, Point

# rows of the basis: the linear fields of an Expression, and the face turned to the side
_LINEAR = tuple(name for name in FIELDS if name not in ("jaw", "tilt"))
BASIS = (*_LINEAR, "yaw")

HEAD_WIDTH = 1.6  # half a head with its hair, in distances between the eyes
HEAD_REACH = 1.4  # where its movements end, in sizes of the head


@dataclass(frozen=True)
class Marks:
    """Key points of one face in the final picture, left and right as seen there.

    Attributes:
        unit: distance between the eyes.
        eyes, brows_inner, brows_outer, nose, mouth, chin, collar: as in ``photos.Photo``.
        lips_apart: pixels.
        top: y of the highest point of the head.
    """

    unit: float
    eyes: tuple[Point, Point]
    brows_inner: tuple[Point, Point]
    brows_outer: tuple[Point, Point]
    nose: Point
    mouth: tuple[Point, Point, Point]
    chin: Point
    collar: Point
    lips_apart: float
    top: float

    @property
    def head_centre(self) -> Point:
        """Middle of the head."""
        return self.nose[0], (self.top + self.chin[1]) / 2


def place(photo: Photo, scale: float, origin: Point, mirrored: bool) -> Marks:
    """The key points of a photograph that was scaled, mirrored and put at ``origin``."""
    width = photo.load().shape[1]

    def put(point: Point) -> Point:
        x = width - 1 - point[0] if mirrored else point[0]
        return origin[0] + scale * x, origin[1] + scale * point[1]

    def pair(points: tuple[Point, Point]) -> tuple[Point, Point]:
        left, right = sorted(put(p) for p in points)
        return left, right

    corners = pair((photo.mouth[0], photo.mouth[2]))
    return Marks(
        unit=scale * photo.eye_distance,
        eyes=pair(photo.eyes),
        brows_inner=pair(photo.brows_inner),
        brows_outer=pair(photo.brows_outer),
        nose=put(photo.nose),
        mouth=(corners[0], put(photo.mouth[1]), corners[1]),
        chin=put(photo.chin),
        collar=put(photo.collar),
        lips_apart=scale * photo.lips_apart,
        top=put((0.0, photo.top))[1],
    )


def settled(marks: Marks, rest: Expression) -> Marks:
    """The key points after a photograph's own expression was taken back."""
    (lx, ly), middle, (rx, ry) = marks.mouth
    up, out = rest.corner_up * marks.unit, rest.corner_out * marks.unit
    return replace(marks, mouth=((lx - out, ly - up), middle, (rx + out, ry - up)), lips_apart=0.0)


def _bump(x: np.ndarray, y: np.ndarray, at: Point, wide: float, high: float) -> np.ndarray:
    return np.exp(-(((x - at[0]) / wide) ** 2) - ((y - at[1]) / high) ** 2)


def basis(marks: Marks, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Displacement of every place for one unit of each linear movement.

    Args:
        marks: the face.
        x, y: float (height, width), places.

    Returns:
        float32 (len(BASIS), 2, height, width): x and y displacement, pixels.
    """
    u = marks.unit
    fields = {name: np.zeros((2, *x.shape)) for name in BASIS}
    for side, eye, inner, outer, corner in zip(
        (-1, 1), marks.eyes, marks.brows_inner, marks.brows_outer,
        (marks.mouth[0], marks.mouth[2]), strict=True,
    ):  # fmt: skip
        at_inner = _bump(x, y, inner, 0.26 * u, 0.17 * u)
        fields["brow_inner"][1] -= at_inner
        fields["brow_knit"][0] -= side * at_inner
        fields["brow_outer"][1] -= _bump(x, y, outer, 0.30 * u, 0.17 * u)
        # wide and flat: lids move, the outline of the eye does not
        lids = _bump(x, y, eye, 0.30 * u, 0.13 * u)
        fields["eye_open"][1] += (y - eye[1]) / u * lids
        fields["corner_up"][1] -= _bump(x, y, corner, 0.34 * u, 0.20 * u)
        fields["corner_out"][0] += side * _bump(x, y, corner, 0.24 * u, 0.20 * u)
        cheek = (eye[0], (eye[1] + corner[1]) / 2)
        fields["cheek"][1] -= _bump(x, y, cheek, 0.32 * u, 0.22 * u)
        wing = (marks.nose[0] + side * 0.2 * u, marks.nose[1])
        fields["nose"][1] -= 0.7 * _bump(x, y, wing, 0.22 * u, 0.25 * u)
    mouth = marks.mouth[1]
    lip = (mouth[0], mouth[1] - 0.08 * u)
    fields["upper_lip"][1] -= _bump(x, y, lip, 0.30 * u, 0.10 * u)
    # the middle of the face lies in front: it moves further than the outline when the head turns
    front = _bump(x, y, marks.nose, 0.75 * u, 0.95 * u)
    fields["pitch"][1] += front
    fields["yaw"][0] += front
    return (np.stack([fields[name] for name in BASIS]) * u).astype(np.float32)


def weights(expression: Expression, yaw: float) -> np.ndarray:
    """How much of each row of ``basis`` there is, float32 (len(BASIS),)."""
    return np.array([*(getattr(expression, name) for name in _LINEAR), yaw], np.float32)


def combine(weights: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """The displacement of all movements together, float32 (2, height, width)."""
    # not a matrix product: BLAS rounds differently with each number of threads
    total = np.zeros(basis.shape[1:], np.float32)
    for weight, field in zip(weights, basis, strict=True):
        if weight:
            total += weight * field
    return total


def open_jaw(
    marks: Marks, x: np.ndarray, y: np.ndarray, opening: float
) -> tuple[np.ndarray, np.ndarray]:
    """The lower lip, chin and cheeks going down by ``opening`` pixels.

    Returns:
        How far each place moved down, pixels, and how much of it is the inside of the mouth, 0 to
        1; both of the shape of ``x``.
    """
    (lx, ly), (mx, my), (rx, ry) = marks.mouth
    half = (rx - lx) / 2
    across = (x - (lx + rx) / 2) / half
    line = ly + (ry - ly) * (across + 1) / 2
    below = y - (line + (my - (ly + ry) / 2) * np.clip(1 - across**2, 0, 1))
    reach = opening * np.exp(-((across / 1.5) ** 2))
    towards_neck = np.clip((marks.collar[1] - y) / (marks.collar[1] - marks.chin[1] + 1e-6), 0, 1)
    bow = np.clip(1 - across**2, 0, 1)
    # lips part at once; at the corners and beyond, the cheek stretches over a longer way
    way = reach + (1 - bow) * 0.5 * marks.unit
    down = reach * np.clip(below / way, 0, 1) * towards_neck
    gap = 0.92 * opening * bow
    soft = 0.02 * marks.unit + 1.0
    inside = np.clip((below + soft) / soft, 0, 1) * np.clip((gap - below) / soft + 0.5, 0, 1)
    return down, inside * np.clip(gap / (2 * soft), 0, 1)


def shut_lips(marks: Marks, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far each place moves down (negative: up) when the photograph's parted lips close."""
    (lx, ly), (mx, my), (rx, ry) = marks.mouth
    across = (x - (lx + rx) / 2) / ((rx - lx) / 2)
    bow = np.clip(1 - across**2, 0, 1)
    below = y - ((ly + ry) / 2 + (my - (ly + ry) / 2) * bow)
    fade = np.exp(-(np.clip(below / (0.45 * marks.unit), 0, None) ** 2))
    return -marks.lips_apart * np.sqrt(bow) * np.clip(below + 1, 0, 1) * fade


def reshape(
    marks: Marks, x: np.ndarray, y: np.ndarray, shape: tuple[float, float, float]
) -> np.ndarray:
    """An actor's own face: displacement for a wider jaw, a wider forehead and a longer face.

    Returns:
        float (2, height, width).
    """
    jaw, forehead, length = shape
    u, (nx, ny) = marks.unit, marks.nose
    wide = jaw * _bump(x, y, (nx, ny + 0.5 * u), 1.3 * u, 0.6 * u)
    wide = wide + forehead * _bump(x, y, (nx, ny - 0.9 * u), 1.5 * u, 0.6 * u)
    long = length * _bump(x, y, (nx, ny), 1.5 * u, 1.2 * u)
    return np.stack([wide * (x - nx), long * (y - ny)])


def head_weight(marks: Marks, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How much each place follows the head: 1 in it, 0 at the collar and away from it."""
    cx, cy = marks.head_centre
    high = marks.collar[1] - cy
    wide = HEAD_WIDTH * marks.unit
    # distance from the middle in units of the head's size, above and below alike
    far = np.sqrt(((x - cx) / wide) ** 2 + ((y - cy) / high) ** 2)
    ramp = np.clip((HEAD_REACH - far) / 0.45, 0, 1)
    neck = np.clip((marks.collar[1] + 0.5 * marks.unit - y) / (1.0 * marks.unit), 0, 1)
    both = np.minimum(ramp, neck)
    return both * both * (3 - 2 * both)
