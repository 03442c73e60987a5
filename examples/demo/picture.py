"""From an actor to video frames: the still picture once, the moving head for every frame.

Everything outside the head stands still, so only the head's rectangle is computed anew, and that
directly in the planes that the video codec takes (yuv420p). The wall is smooth: warping it together
with the head's outline cannot be seen, and saves cutting the head out of every frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import av
import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch.nn.functional import grid_sample, interpolate

from examples.demo import geometry
from examples.demo.actors import Look
from examples.demo.expression import Expression, with_rest

WIDTH, HEIGHT = 1280, 720
_STEP = 4  # displacements are computed on every fourth pixel and interpolated
_EYE_LINE = 0.42 * HEIGHT
_MOUTH_YUV = (38.0, 122.0, 150.0)  # the dark inside of an open mouth


@dataclass(frozen=True)
class Pose:
    """A face at one moment.

    Attributes:
        expression: what it does.
        x, y: where the head has moved, in distances between the eyes.
        yaw: the middle of the face turned to the side, same unit.
    """

    expression: Expression
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0


class Scene:
    """A wall with any number of people in front of it.

    Args:
        wall: RGB, 0 to 255.
        looks: the people, from the back to the front; their heads should not overlap.
    """

    def __init__(self, wall: tuple[float, float, float], looks: Sequence[Look]):
        canvas = _wall(wall)
        marks = [_put(canvas, look) for look in looks]
        frame = av.VideoFrame.from_ndarray(np.asarray(canvas), format="rgb24")
        self._still = frame.reformat(format="yuv420p").to_ndarray()
        self._heads = [_Head(self._still, mark) for mark in marks]

    def frame(self, poses: Sequence[Pose]) -> np.ndarray:
        """One frame, uint8 (1080, 1280): the planes of yuv420p as PyAV takes them."""
        planes = self._still.copy()
        for head, pose in zip(self._heads, poses, strict=True):
            head.draw(planes, pose)
        return planes


def _wall(colour: tuple[float, float, float]) -> Image.Image:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    # lit from above in the middle; a slow dither keeps the gradient free of steps
    light = 1.03 - 0.10 * ((x / WIDTH - 0.5) ** 2 * 2 + (y / HEIGHT - 0.35) ** 2)
    grain = np.random.default_rng(0).uniform(-0.5, 0.5, light.shape)
    rgb = np.array(colour)[None, None] * light[..., None] + grain[..., None]
    return Image.fromarray(np.clip(rgb, 0, 255).astype(np.uint8))


def _put(canvas: Image.Image, look: Look) -> geometry.Marks:
    """Paste a person onto the canvas; returns the key points of the face at rest."""
    photo = look.photo
    person = _graded(photo.cut_out(), look)
    scale = look.eye_distance / photo.eye_distance
    ground = max(y for _, y in photo.outline)
    origin_y = max(_EYE_LINE - scale * photo.eyes[0][1], HEIGHT + 4 - scale * ground)
    nose_x = person.width - 1 - photo.nose[0] if look.mirrored else photo.nose[0]
    origin = (round(look.centre_x - scale * nose_x), round(origin_y))
    marks = geometry.place(photo, scale, origin, look.mirrored)
    if look.mirrored:
        person = person.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    size = (round(person.width * scale), round(person.height * scale))
    person = person.resize(size, Image.Resampling.BICUBIC)
    marks = _settled(person, origin, marks, look)
    canvas.paste(person, origin, person.getchannel("A"))
    return marks


def _graded(rgba: np.ndarray, look: Look) -> Image.Image:
    """The person in the actor's colours."""
    rgb, alpha = Image.fromarray(rgba[..., :3]), rgba[..., 3]
    hsv = np.asarray(rgb.convert("HSV")).copy()
    clothes = np.clip((np.arange(len(rgba)) - look.photo.clothes_from) / 6, 0, 1)[:, None, None]
    hsv[..., 0] += np.uint8(look.clothes_hue)  # wraps around, as hues do
    dressed = np.asarray(Image.fromarray(hsv, "HSV").convert("RGB"))
    mixed = rgba[..., :3] * (1 - clothes) + dressed * clothes
    lit = 255 * (np.clip(mixed * look.gains, 0, 255) / 255) ** look.gamma
    picture = Image.fromarray(lit.astype(np.uint8))
    picture = ImageEnhance.Color(picture).enhance(look.saturation)
    return Image.fromarray(np.dstack([np.asarray(picture), alpha]))


def _settled(
    person: Image.Image, origin: tuple[int, int], marks: geometry.Marks, look: Look
) -> geometry.Marks:
    """Take the photographed expression back and put the actor's own face shape on, in place.

    Returns:
        The key points afterwards.
    """
    rest = with_rest(look.photo.rest)
    x1, y1, x2, y2 = (v - origin[i % 2] for i, v in enumerate(_rectangle(marks)))
    box = (max(0, x1), max(0, y1), min(person.width, x2), min(person.height, y2))
    part = np.asarray(person.crop(box)).copy()
    left, top = origin[0] + box[0], origin[1] + box[1]
    rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]].astype(np.float32)
    x, y = columns + left, rows + top
    shaped = geometry.reshape(marks, x, y, look.shape)
    x, y = x - shaped[0], y - shaped[1]
    moved = geometry.combine(geometry.weights(rest, 0.0), geometry.basis(marks, x, y))
    x, y = x - moved[0], y - moved[1]
    if marks.lips_apart:
        y = y - geometry.shut_lips(marks, x, y)
    source = torch.from_numpy(part).permute(2, 0, 1)[None].float()
    units = ((2 * (x - left) + 1) / part.shape[1] - 1, (2 * (y - top) + 1) / part.shape[0] - 1)
    places = torch.from_numpy(np.stack(units, -1).astype(np.float32))[None]
    warped = _sample(source, places)[0].permute(1, 2, 0).round().to(torch.uint8)
    person.paste(Image.fromarray(warped.numpy()), box)
    return geometry.settled(marks, rest)


class _Head:
    """One person's head: a rectangle of the still picture that is warped for every frame."""

    def __init__(self, still: np.ndarray, marks: geometry.Marks):
        self._marks = marks
        self._box = _rectangle(marks)
        x1, y1, x2, y2 = self._box
        luma = still[y1:y2, x1:x2]
        self._luma = torch.from_numpy(luma.copy()).float()[None, None]
        chroma = [plane[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2] for plane in _chroma(still)]
        self._chroma = torch.from_numpy(np.stack(chroma)).float()[None]
        # places on a coarse lattice that hits the first and last pixel
        self._coarse = ((y2 - y1) // _STEP + 1, (x2 - x1) // _STEP + 1)
        rows = np.linspace(y1, y2 - 1, self._coarse[0])
        columns = np.linspace(x1, x2 - 1, self._coarse[1])
        self._x, self._y = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
        self._basis = geometry.basis(marks, self._x, self._y)
        self._weight = geometry.head_weight(marks, self._x, self._y).astype(np.float32)

    def draw(self, planes: np.ndarray, pose: Pose) -> None:
        """Draw the head in ``pose`` into the planes of one frame."""
        x1, y1, x2, y2 = self._box
        # channels last is both the faster way to interpolate and what grid_sample reads
        coarse = self._field(pose).contiguous(memory_format=torch.channels_last)
        size = (y2 - y1, x2 - x1)
        field = interpolate(coarse, size=size, mode="bilinear", align_corners=True)
        places, mouth = field[:, :2].permute(0, 2, 3, 1), field[0, 2]
        luma = _sample(self._luma, places)[0, 0]
        luma += mouth * (_MOUTH_YUV[0] - luma)
        planes[y1:y2, x1:x2] = luma.to(torch.uint8).numpy()
        # a colour sample covers two by two pixels: its middle is half a pixel further
        half = torch.tensor([1 / size[1], 1 / size[0]])
        colour = _sample(self._chroma, places[:, ::2, ::2] + half)[0]
        colour += mouth[::2, ::2] * (torch.tensor(_MOUTH_YUV[1:])[:, None, None] - colour)
        for plane, new in zip(_chroma(planes), colour.round().to(torch.uint8), strict=True):
            plane[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2] = new.numpy()

    def _field(self, pose: Pose) -> torch.Tensor:
        """Where the coarse places come from (grid_sample's units), the mouth: (1, 3, h, w)."""
        marks, face = self._marks, pose.expression
        turn = np.float32(np.deg2rad(face.tilt))
        pivot_x, pivot_y = marks.collar
        move_x = pose.x * marks.unit - turn * (self._y - pivot_y)
        move_y = pose.y * marks.unit + turn * (self._x - pivot_x)
        x, y = self._x - self._weight * move_x, self._y - self._weight * move_y
        # the expression belongs to the head at rest: look it up there
        moved = geometry.combine(geometry.weights(face, pose.yaw), self._basis)
        still = torch.from_numpy(moved)[None]
        dx, dy = self._at_rest(still, x, y)
        x, y = x - dx, y - dy
        inside = np.zeros_like(x)
        if face.jaw > 0:
            down, inside = geometry.open_jaw(marks, x, y, face.jaw * marks.unit)
            y = y - down
        return torch.from_numpy(np.stack([*self._units(x, y), inside]).astype(np.float32))[None]

    def _at_rest(self, field: torch.Tensor, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        grid = torch.from_numpy(np.stack(self._units(x, y), -1).astype(np.float32))[None]
        return _sample(field, grid)[0].numpy()

    def _units(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of the picture as ``grid_sample`` counts them in the rectangle, -1 to 1."""
        x1, y1, x2, y2 = self._box
        return (2 * (x - x1) + 1) / (x2 - x1) - 1, (2 * (y - y1) + 1) / (y2 - y1) - 1


def _rectangle(marks: geometry.Marks) -> tuple[int, int, int, int]:
    """What the head's movements reach, on whole multiples of the coarse step."""
    x, y = marks.head_centre
    reach = geometry.HEAD_REACH
    wide, high = reach * geometry.HEAD_WIDTH * marks.unit, reach * (marks.collar[1] - y)
    low = min(y + high, marks.collar[1] + 0.5 * marks.unit)
    return (
        max(0, int((x - wide) // _STEP) * _STEP),
        max(0, int((y - high) // _STEP) * _STEP),
        min(WIDTH, int(-(-(x + wide) // _STEP)) * _STEP),
        min(HEIGHT, int(-(-low // _STEP)) * _STEP),
    )


def _sample(source: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    return grid_sample(source, places, padding_mode="border", align_corners=False)


def _chroma(planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Writable views of the two colour planes, (360, 640) each."""
    flat = planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    return flat[0], flat[1]
