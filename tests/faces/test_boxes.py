import numpy as np
import pytest

from emotion_core.faces.boxes import iou, is_face, nms, take
from emotion_core.faces.letterbox import fit, letterbox
from emotion_core.faces.types import Detections


def test_iou_of_known_pairs() -> None:
    first = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], dtype=np.float64)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], dtype=np.float64)
    assert iou(first, second) == pytest.approx(np.array([[1, 50 / 150, 0], [0, 0, 0]]))


def test_nms_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 60], [9, 9, 19, 19]])
    kept = nms(boxes.astype(float), np.array([0.6, 0.9, 0.7, 0.5]), 0.3)
    assert kept.tolist() == [1, 2, 3]


def test_nms_of_nothing() -> None:
    assert nms(np.zeros((0, 4)), np.zeros(0), 0.3).tolist() == []


def test_a_face_needs_score_and_size() -> None:
    boxes = np.array([[0, 0, 20, 30], [0, 0, 15, 40], [0, 0, 40, 40]], dtype=np.float32)
    scores = np.array([0.9, 0.9, 0.4], dtype=np.float32)
    found = Detections(boxes, scores, np.zeros((3, 5, 2), dtype=np.float32))
    mask = is_face(found, min_score=0.5, min_face=16)
    assert mask.tolist() == [True, False, False]
    assert take(found, mask).boxes.tolist() == [[0, 0, 20, 30]]
    assert is_face(take(found, np.zeros(3, dtype=bool)), 0.5, 16).shape == (0,)


@pytest.mark.parametrize(
    ("height", "width", "canvas", "scaled"),
    [
        (720, 1280, (256, 448), (252, 448)),
        (1280, 720, (448, 256), (448, 252)),
        (256, 448, (256, 448), (256, 448)),
        (100, 90, (128, 96), (100, 90)),  # never scaled up
        (3, 4000, (32, 448), (1, 448)),
    ],
)
def test_fit(height: int, width: int, canvas: tuple, scaled: tuple) -> None:
    place = fit(height, width, 448)
    assert (place.canvas, place.scaled) == (canvas, scaled)
    assert place.scale * [width, height] == pytest.approx([scaled[1], scaled[0]])


def test_fit_to_a_network_of_one_size() -> None:
    place = fit(1080, 1920, side=99, fixed=(640, 640))
    assert (place.canvas, place.scaled) == ((640, 640), (360, 640))


def test_letterbox_fills_the_corner_and_leaves_the_rest_black() -> None:
    image = np.zeros((50, 70, 3), dtype=np.uint8)
    image[..., 0], image[..., 2] = 200, 30
    batch = letterbox(image[None], fit(50, 70, 448))
    assert batch.shape == (1, 3, 64, 96) and batch.dtype == np.float32
    assert (batch[0, 0, :50, :70] == 200).all() and (batch[0, 2, :50, :70] == 30).all()
    assert (batch[0, 1] == 0).all() and (batch[0, :, 50:] == 0).all()
    assert (batch[0, :, :, 70:] == 0).all()


def test_letterbox_scales_down_without_aliasing() -> None:
    stripes = np.zeros((64, 896, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    batch = letterbox(stripes[None], fit(64, 896, 448))
    middle = batch[0, :, 4:28, 8:-8]
    assert middle.min() > 120 and middle.max() < 135  # grey, not the one or the other stripe
