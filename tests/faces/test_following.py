"""Faces sought in the whole picture now and then, and around where they were in between."""

from collections.abc import Sequence

import numpy as np
import pytest

from emotion_core.faces.boxes import is_face
from emotion_core.faces.following import FaceFollower
from emotion_core.faces.types import Detections

HEIGHT, WIDTH, STEP = 240, 320, 0.2
COLOURS = (
    (250, 20, 20), (20, 250, 20), (20, 20, 250), (250, 250, 20), (20, 250, 250), (250, 20, 250)
)  # fmt: skip
Box = tuple[float, float, float]  # centre x, y and side


class Painted:
    """Finds squares of ``COLOURS`` wherever they are, as a detector finds faces."""

    name, weights_hash, provider = "painted", "0" * 64, "none"

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []  # of every picture that was looked at

    def detect(self, images: np.ndarray) -> list[Detections]:
        self.sizes += [image.shape[:2] for image in images]
        return [self._faces(image.astype(int)) for image in images]

    @property
    def searched(self) -> int:
        return sum(size == (HEIGHT, WIDTH) for size in self.sizes)

    def _faces(self, image: np.ndarray) -> Detections:
        boxes = []
        for colour in COLOURS:
            rows, columns = np.nonzero(np.abs(image - colour).max(axis=2) < 60)
            if len(rows):
                boxes.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))
        found = np.array(boxes, np.float32).reshape(-1, 4)
        scores = np.linspace(0.9, 0.8, len(found), dtype=np.float32)
        return Detections(found, scores, np.zeros((len(found), 5, 2), np.float32))


def picture(*faces: Box | None) -> np.ndarray:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for colour, face in zip(COLOURS, faces, strict=False):
        if face is not None:
            x, y, side = face
            top, left = round(y - side / 2), round(x - side / 2)
            image[max(0, top) : top + round(side), max(0, left) : left + round(side)] = colour
    return image


def good(faces: Detections) -> np.ndarray:
    return is_face(faces, 0.5, 8)


def run(
    frames: Sequence[np.ndarray], every_s: float = 1.0, at_once: int = 100, cuts: Sequence[int] = ()
) -> tuple[list[Detections], Painted]:
    """All pictures, ``at_once`` at a time."""
    detector = Painted()
    follower = FaceFollower(detector, good, every_s)
    found: list[Detections] = []
    for start in range(0, len(frames), at_once):
        places = range(start, min(start + at_once, len(frames)))
        some = np.stack([frames[i] for i in places])
        times, cut = [i * STEP for i in places], [i in cuts for i in places]
        found += follower.detect(some, times, cut)
    return found, detector


MOVING = [picture((60 + 6 * i, 100 + 2 * i, 40), (250, 60 + 3 * i, 50 + i)) for i in range(15)]


def test_followed_faces_are_where_the_whole_picture_has_them() -> None:
    followed, cheap = run(MOVING)
    searched, dear = run(MOVING, every_s=0.0)
    assert (cheap.searched, dear.searched) == (3, 15), "of three seconds"
    assert set(cheap.sizes) == {(HEIGHT, WIDTH), (128, 128)}
    for one, other in zip(followed, searched, strict=True):
        # a square of 100 pixels is looked at with 128: a pixel or two are lost at the edges
        order = np.argsort(one.boxes[:, 0])
        np.testing.assert_allclose(one.boxes[order], other.boxes, atol=2.5)


@pytest.mark.parametrize("at_once", [1, 4, 7])
def test_how_the_video_is_cut_up_makes_no_difference(at_once: int) -> None:
    for one, other in zip(run(MOVING)[0], run(MOVING, at_once=at_once)[0], strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_face_that_is_lost_is_sought_everywhere_at_once() -> None:
    frames = [picture((60, 100, 40))] * 2 + [picture((260, 160, 40))] * 2
    found, detector = run(frames)
    assert [len(each.boxes) for each in found] == [1, 1, 1, 1]
    np.testing.assert_allclose(found[2].boxes, [[240, 140, 280, 180]])
    assert detector.searched == 2, "the first picture, and the one in which it had jumped"


def test_whoever_leaves_is_gone_and_whoever_comes_is_seen_within_a_second() -> None:
    frames = [picture((60, 100, 40))] * 2 + [picture()] * 2 + [picture((60, 100, 40))] * 4
    found, _ = run(frames)
    # at 0.4 s nothing is there any more; from 0.8 s on somebody is, who is found at 1.0 s
    assert [len(each.boxes) for each in found] == [1, 1, 0, 0, 0, 1, 1, 1]


def test_a_new_shot_is_searched() -> None:
    frames = [picture((60, 100, 40))] * 3 + [picture((60, 100, 40), (200, 100, 40))] * 3
    assert [len(each.boxes) for each in run(frames)[0]] == [1, 1, 1, 1, 1, 2]
    assert [len(each.boxes) for each in run(frames, cuts=[3])[0]] == [1, 1, 1, 2, 2, 2]


def test_two_faces_never_become_the_same_one() -> None:
    """One walks behind the other: around both places only one is left."""
    frames = [picture((100, 100, 40), (118, 100, 40)), picture(None, (110, 100, 40))]
    found, detector = run(frames)
    assert [len(each.boxes) for each in found] == [2, 1] and detector.searched == 2


def test_many_faces_are_cheaper_all_at_once() -> None:
    crowd = [picture(*((30 + 48 * i, 100, 24) for i in range(6)))] * 4
    found, detector = run(crowd)
    assert [len(each.boxes) for each in found] == [6] * 4
    assert detector.sizes == [(HEIGHT, WIDTH)] * 4


def test_faces_at_the_edge_of_the_picture() -> None:
    frames = [picture((10 - i, 20, 40)) for i in range(4)]
    for one, other in zip(run(frames)[0], run(frames, every_s=0.0)[0], strict=True):
        np.testing.assert_allclose(one.boxes[:, 2:], other.boxes[:, 2:], atol=1.5)
        assert len(one.boxes) == 1
