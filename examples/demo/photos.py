"""The two photographs behind the demo's faces: where they come from, and what is where on them.

Both ship inside wheels that this package installs anyway, and both are in the public domain as
works of the United States government. Key points and outlines were read off the pictures by hand,
in pixels of the photograph, x to the right and y down.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Point = tuple[float, float]

_FEATHER = 1.1  # pixels of the photograph over which an outline fades


@dataclass(frozen=True)
class Photo:
    """A photographed person.

    Attributes:
        person: whose portrait it is.
        credit: source and licence, one line.
        shipped_in: the file inside an installed wheel.
        load: reads it, uint8 (height, width, 3) RGB.
        outline: polygon around head and body.
        eyes, brows_inner, brows_outer: left and right, as seen in the picture.
        nose: its tip.
        mouth: left corner, middle of the upper lip's lower edge, right corner.
        lips_apart: how far the lower lip is from the upper one in the picture.
        chin: lowest point of the face.
        collar: where the neck ends.
        clothes_from: row below which there is no skin.
        top: highest row of the head.
        rest: corrections that turn the photographed expression into a neutral one, as
            ``expression.Expression`` fields.
    """

    person: str
    credit: str
    shipped_in: str
    load: Callable[[], np.ndarray]
    outline: tuple[Point, ...]
    eyes: tuple[Point, Point]
    brows_inner: tuple[Point, Point]
    brows_outer: tuple[Point, Point]
    nose: Point
    mouth: tuple[Point, Point, Point]
    lips_apart: float
    chin: Point
    collar: Point
    clothes_from: float
    top: float
    rest: dict[str, float]

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes: the unit of every movement."""
        (x1, y1), (x2, y2) = self.eyes
        return float(np.hypot(x2 - x1, y2 - y1))

    def cut_out(self) -> np.ndarray:
        """The person without the background, uint8 (height, width, 4) RGBA."""
        rgb = self.load()
        mask = Image.new("L", (rgb.shape[1], rgb.shape[0]), 0)
        ImageDraw.Draw(mask).polygon(list(self.outline), fill=255)
        # smaller before it is softened, so that nothing of the old background shines through
        mask = mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(_FEATHER))
        return np.dstack([rgb, np.asarray(mask)])


def _collins() -> np.ndarray:
    import skimage.data

    return np.asarray(skimage.data.astronaut())


def _hopper() -> np.ndarray:
    from matplotlib import get_data_path

    path = Path(get_data_path(), "sample_data", "grace_hopper.jpg")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


COLLINS = Photo(
    person="Eileen Collins",
    credit="NASA, public domain (scikit-image, skimage.data.astronaut)",
    shipped_in="skimage/data/astronaut.png",
    load=_collins,
    outline=(
        (184.8, 151.7), (179.3, 131.6), (172.0, 121.0), (170.2, 117.0), (161.9, 107.8),
        (155.5, 96.9), (153.7, 80.4), (154.3, 67.6), (160.1, 54.8), (171.1, 43.9), (189.3, 33.5),
        (195.0, 28.5), (209.4, 21.0), (222.2, 16.8), (235.0, 16.1), (249.7, 19.2), (264.3, 25.6),
        (278.9, 33.8), (288.0, 43.9), (295.3, 58.5), (300.8, 76.8), (301.2, 91.4), (297.2, 106.0),
        (289.9, 117.0), (281.5, 126.1), (278.0, 133.4), (269.5, 137.5), (266.1, 144.4),
        (262.4, 155.3), (257.9, 164.5), (256.0, 173.0), (272.0, 184.0), (290.0, 202.0),
        (302.0, 224.0), (305.0, 240.0), (322.0, 248.0), (342.0, 266.0), (352.0, 290.0),
        (358.0, 320.0), (361.0, 345.0), (361.0, 360.0), (25.0, 360.0), (36.0, 330.0),
        (40.0, 300.0), (52.0, 268.0), (75.0, 248.0), (100.0, 230.0), (116.0, 216.0),
        (112.0, 200.0), (114.0, 186.0), (124.0, 170.0), (140.0, 157.0), (160.0, 150.0),
    ),
    eyes=((203.4, 101.5), (246.9, 104.0)),
    brows_inner=((213.1, 91.4), (238.7, 93.2)),
    brows_outer=((191.0, 90.5), (262.0, 94.1)),
    nose=(224.0, 126.0),
    mouth=((204.0, 140.4), (223.0, 143.7), (243.8, 141.1)),
    lips_apart=5.8,
    chin=(220.4, 178.0),
    collar=(220.0, 186.0),
    clothes_from=190.0,
    top=16.0,
    rest={"corner_up": -0.07, "corner_out": -0.07, "eye_open": 0.1},
)  # fmt: skip

HOPPER = Photo(
    person="Grace Hopper",
    credit="James S. Davis, US Navy, public domain (matplotlib, sample_data/grace_hopper.jpg)",
    shipped_in="matplotlib/mpl-data/sample_data/grace_hopper.jpg",
    load=_hopper,
    outline=(
        (199.4, 300.0), (185.0, 297.0), (174.3, 286.0), (162.4, 266.0), (158.5, 247.6),
        (163.0, 238.0), (155.8, 212.0), (153.2, 196.0), (156.0, 186.0), (148.0, 181.0),
        (145.8, 147.3), (150.6, 120.9), (159.8, 97.1), (169.0, 86.6), (174.3, 82.6),
        (179.6, 65.4), (192.8, 50.9), (217.9, 41.2), (221.8, 33.8), (237.7, 25.8), (253.5, 22.7),
        (272.0, 24.5), (290.5, 32.4), (301.0, 41.7), (319.5, 47.0), (340.6, 61.5), (351.2, 76.0),
        (353.3, 86.6), (364.4, 86.6), (369.2, 97.1), (372.3, 136.7), (368.4, 181.6),
        (375.0, 189.5), (375.7, 202.7), (369.7, 229.1), (361.8, 260.8), (361.8, 274.0),
        (356.5, 289.8), (346.0, 303.0), (334.0, 305.7), (331.0, 314.0), (341.5, 328.0),
        (358.0, 339.0), (381.0, 350.0), (410.0, 363.0), (442.0, 374.0), (475.0, 385.0),
        (494.0, 402.0), (502.0, 440.0),
        (509.0, 500.0), (511.0, 600.0), (18.0, 600.0), (22.0, 520.0), (25.0, 470.0),
        (33.0, 420.0), (55.0, 394.0), (90.0, 378.0), (140.0, 356.0), (180.0, 340.0),
        (199.0, 326.0),
    ),
    eyes=((223.2, 191.0), (305.5, 187.6)),
    brows_inner=((243.0, 168.4), (283.9, 163.1)),
    brows_outer=((196.0, 165.8), (330.0, 160.5)),
    nose=(266.7, 236.0),
    mouth=((231.1, 281.0), (266.7, 279.2), (306.3, 277.0)),
    lips_apart=0.0,
    chin=(264.0, 325.0),
    collar=(264.0, 345.0),
    clothes_from=430.0,
    top=22.0,
    rest={"corner_up": 0.02},
)  # fmt: skip

PHOTOS = (COLLINS, HOPPER)
