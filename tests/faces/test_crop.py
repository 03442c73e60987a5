from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotion_core.faces.crop import (
    _region,
    as_fractions,
    crop_face,
    crop_faces,
    encode_png,
    pick_face,
)
from emotion_core.faces.types import Detections
from emotion_core.recipes.specs import VideoSpec


def faces(*boxes: tuple[float, ...], scores: tuple[float, ...] | None = None) -> Detections:
    found = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    marks = np.asarray(scores or (0.9,) * len(found), dtype=np.float32)
    return Detections(found, marks, np.zeros((len(found), 5, 2), dtype=np.float32))


class Script:
    """A detector that says what it is told to."""

    name, weights_hash, provider = "script", "0" * 64, "none"

    def __init__(self, *answers: Detections):
        self.answers = list(answers)

    def detect(self, images: np.ndarray) -> list[Detections]:
        assert len(images) == len(self.answers)
        return self.answers


def gradient(height: int, width: int) -> np.ndarray:
    """Red is x, green is y."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[..., 0] = np.arange(width)
    picture[..., 1] = np.arange(height)[:, None]
    return picture


SMALL, LARGE, TINY = (10, 10, 40, 40), (100, 10, 180, 90), (0, 0, 10, 12)


def test_the_largest_face_is_the_main_person() -> None:
    assert pick_face(faces(SMALL, LARGE, TINY), None, 0.5, 16) == 1


def test_the_main_person_stays_while_another_comes_closer() -> None:
    previous = np.array([12, 10, 42, 40], dtype=np.float32)
    assert pick_face(faces(LARGE, SMALL), previous, 0.5, 16) == 1
    far = np.array([300, 300, 330, 330], dtype=np.float32)
    assert pick_face(faces(LARGE, SMALL), far, 0.5, 16) == 0


def test_weak_and_tiny_faces_are_none() -> None:
    assert pick_face(faces(LARGE, SMALL, scores=(0.4, 0.6)), None, 0.5, 16) == 1
    assert pick_face(faces(TINY), None, 0.5, 16) is None
    assert pick_face(faces(TINY), None, 0.5, 10) == 0
    assert pick_face(faces(), np.array(SMALL, dtype=np.float32), 0.5, 16) is None


def test_crop_of_the_same_size_is_the_picture_itself() -> None:
    picture = gradient(100, 120)
    crop = crop_face(picture, np.array([30, 20, 62, 52]), size=32, margin=0.0, grey=False)
    assert np.array_equal(crop, picture[20:52, 30:62])


def test_crop_is_a_square_with_a_margin_around_the_box() -> None:
    """Box 20 x 40 about (60, 50): the square has side 40 * 1.5 = 60, from (30, 20)."""
    picture = gradient(100, 120)
    crop = crop_face(picture, np.array([50, 30, 70, 70]), size=60, margin=0.5, grey=False)
    assert np.array_equal(crop, picture[20:80, 30:90])


def test_crop_keeps_fractions_of_a_pixel() -> None:
    picture = gradient(100, 120) * 2  # so that half a pixel shows
    half = crop_face(picture, np.array([30.5, 20, 62.5, 52]), 32, 0.0, False)
    assert (half[:, 2:-2, 0] == 2 * np.arange(32, 60) + 1).all()


def test_outside_the_picture_its_edge_repeats() -> None:
    picture = gradient(40, 40)
    crop = crop_face(picture, np.array([-10, -10, 22, 22]), 32, 0.0, False)
    assert np.array_equal(crop[10:, 10:], picture[:22, :22])
    assert (crop[:10, :10] == 0).all()
    crop = crop_face(picture, np.array([24, 24, 56, 56]), 32, 0.0, False)
    assert (crop[16:, 16:, :2] == 39).all()


@pytest.mark.parametrize(
    "box",
    [(500, 500, 540, 540), (-1e7, -1e7, 1e7, 1e7), (20, 20, 20, 20), (30, 30, 10, 10)],
)
def test_strange_boxes_still_give_a_crop(box: tuple[float, ...]) -> None:
    crop = crop_face(gradient(40, 50), np.array(box, dtype=np.float32), 16, 0.2, False)
    assert crop.shape == (16, 16, 3) and crop.dtype == np.uint8


def test_scaling_down_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    crop = crop_face(stripes, np.array([0, 0, 256, 256]), 64, 0.0, False)
    assert crop[:, 2:-2].min() > 115 and crop[:, 2:-2].max() < 140


def test_grey_crops_have_one_channel() -> None:
    red = np.zeros((40, 40, 3), dtype=np.uint8)
    red[..., 0] = 255
    crop = crop_face(red, np.array([5, 5, 35, 35]), 16, 0.0, True)
    assert crop.shape == (16, 16) and (crop == 76).all()  # 0.299 * 255


def test_crop_faces_of_a_clip() -> None:
    frames = np.stack([gradient(100, 200)] * 4)
    detector = Script(
        faces(LARGE, SMALL),
        faces(),
        faces((5, 5, 95, 95), (104, 12, 182, 92)),  # somebody larger turns up
        faces(TINY, (150, 40, 250, 120), scores=(0.99, 0.8)),  # leaves at the right
    )
    result = crop_faces(frames, detector, VideoSpec(face_size=24))
    assert result.n_faces == [2, 0, 2, 1]
    assert [crop is None for crop in result.crops] == [False, True, False, False]
    assert result.boxes[0] == pytest.approx((0.5, 0.1, 0.9, 0.9))
    assert result.boxes[1] is None and result.scores[1] is None
    assert result.boxes[2] == pytest.approx((0.52, 0.12, 0.91, 0.92))
    assert result.boxes[3] == pytest.approx((0.75, 0.4, 1.0, 1.0))
    assert result.scores[3] == pytest.approx(0.8)
    first = result.crops[0]
    assert first is not None and first.shape == (24, 24, 3)
    expected = crop_face(frames[0], np.array(LARGE, dtype=np.float32), 24, 0.2, False)
    assert np.array_equal(first, expected)


def test_without_detection_the_picture_is_the_face() -> None:
    stills = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), dtype=np.uint8)
    result = crop_faces(stills, None, VideoSpec(detect=False, face_size=48))
    assert np.array_equal(np.stack([c for c in result.crops if c is not None]), stills)
    assert result.boxes == [(0, 0, 1, 1)] * 2
    assert result.scores == [1.0, 1.0] and result.n_faces == [1, 1]


def test_without_detection_a_wide_picture_gives_its_centre() -> None:
    wide = gradient(50, 100)
    result = crop_faces(wide[None], None, VideoSpec(detect=False, face_size=50))
    assert result.crops[0] is not None
    assert np.array_equal(result.crops[0], wide[:, 25:75])
    assert result.boxes[0] == pytest.approx((0.25, 0, 0.75, 1))


@pytest.mark.parametrize("detect", [True, False])
def test_a_clip_without_pictures(detect: bool) -> None:
    none = np.zeros((0, 48, 48, 3), dtype=np.uint8)
    result = crop_faces(none, Script(), VideoSpec(detect=detect))
    assert (result.crops, result.boxes, result.scores, result.n_faces) == ([], [], [], [])


def test_detection_needs_a_detector() -> None:
    with pytest.raises(ValueError, match="needs a detector"):
        crop_faces(np.zeros((1, 9, 9, 3), dtype=np.uint8), None, VideoSpec())


@pytest.mark.parametrize("start", [-90, -3, 0, 20, 36, 60])
@pytest.mark.parametrize("length", [1, 5, 37, 120])
def test_a_region_repeats_the_edge_on_every_side(start: int, length: int) -> None:
    image = np.random.default_rng(0).integers(0, 255, (37, 53, 3), np.uint8)
    rows, columns = range(start, start + length), range(10 - start, 10 - start + length)
    inside = np.arange(37)[np.clip(rows, 0, 36)], np.arange(53)[np.clip(columns, 0, 52)]
    np.testing.assert_array_equal(_region(image, rows, columns), image[np.ix_(*inside)])


def test_fractions_end_at_the_edge() -> None:
    box = np.array([-10, 20, 50, 300], dtype=np.float32)
    assert as_fractions(box, height=200, width=100) == pytest.approx((0, 0.1, 0.5, 1))


@pytest.mark.parametrize("shape", [(24, 24, 3), (24, 24)])
def test_png_is_lossless_and_always_the_same(shape: tuple[int, ...]) -> None:
    crop = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    data = encode_png(crop)
    assert data == encode_png(crop.copy())
    assert data.startswith(b"\x89PNG")
    read = np.asarray(Image.open(BytesIO(data)))
    assert np.array_equal(read, crop) and read.dtype == np.uint8
