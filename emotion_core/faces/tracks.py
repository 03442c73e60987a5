"""Linking the faces of a video over time into tracks, one for each face that is followed.

Tracking by detection: each face goes to the track whose last face it overlaps or lies next to,
all faces of a picture at once (Kuhn 1955, the assignment problem). A cut ends every track,
except where a face in the same place also looks the same. There is no face
recognition in it: who leaves for long, or comes back elsewhere after a cut, is somebody new.
"""

from dataclasses import dataclass

import numpy as np

from emotion_core.faces.boxes import iou
from emotion_core.faces.types import Detections

_NEVER = 1e6


@dataclass(frozen=True, eq=False)
class _Track:
    """Where and when somebody was seen last, in which shot, and how they looked."""

    track_id: int
    box: np.ndarray
    time_s: float
    picture: int
    shot: int
    appearance: np.ndarray | None


class FaceTracker:
    """Gives every face of a video the number of its track: 0, 1, ... as they begin.

    Args:
        max_gap_s: a person who was out of sight for at most this long is still the same one.
            Whoever was in the picture just before is so too, however far apart pictures are.
        min_iou: overlap with the track's last box that makes a face a candidate.
        max_distance: without overlap, the centres may be this many face sizes apart ...
        max_growth: ... if the sizes differ by at most this factor.
        max_jump: as ``max_distance``, for the only face of a picture that comes in the same shot
            right after another only face: a nod between two pictures is no second person.
        same_place: overlap with the box before a cut, and ...
        same_appearance: ... likeness to the face in it that let its track go on after the cut.
    """

    def __init__(
        self,
        max_gap_s: float = 2.0,
        min_iou: float = 0.2,
        max_distance: float = 0.75,
        max_growth: float = 1.5,
        max_jump: float = 1.5,
        same_place: float = 0.5,
        same_appearance: float = 0.8,
    ):
        self._max_gap_s = max_gap_s
        self._min_iou = min_iou
        self._max_distance = max_distance
        self._max_growth = max_growth
        self._max_jump = max_jump
        self._same_place = same_place
        self._same_appearance = same_appearance
        self._tracks: list[_Track] = []
        self._next_id = 0
        self._picture = -1
        self._shot = 0

    def update(
        self,
        time_s: float,
        detections: Detections,
        cut: bool = False,
        appearances: np.ndarray | None = None,
    ) -> list[int]:
        """Take the next picture.

        Args:
            time_s: its time; later than the one before.
            detections: its faces (already filtered by score and size).
            cut: a new shot begins here: only who is in the same place and looks the same is
                carried over. Within two seconds that holds for people of all shots since then, so
                that nobody is lost to a short insert.
            appearances: float32 (faces, n), of length 1 each (``shots.appearance``); None: nobody
                is carried over a cut.

        Returns:
            The ``track_id`` of each detection, in their order.
        """
        self._picture += 1
        self._shot += cut
        self._tracks = [p for p in self._tracks if self._in_reach(p, time_s)]
        boxes = detections.boxes.astype(np.float64)
        ids = [-1] * len(boxes)
        for track, face in self._matches(boxes, appearances):
            ids[face] = track.track_id
            self._tracks.remove(track)
        for face, known in enumerate(ids):
            if known < 0:
                ids[face] = self._next_id
                self._next_id += 1
            appearance = None if appearances is None else appearances[face]
            seen = _Track(ids[face], boxes[face], time_s, self._picture, self._shot, appearance)
            self._tracks.append(seen)
        return ids

    def _in_reach(self, track: _Track, time_s: float) -> bool:
        just_seen = track.picture == self._picture - 1
        return just_seen or time_s - track.time_s <= self._max_gap_s

    def _matches(
        self, boxes: np.ndarray, appearances: np.ndarray | None
    ) -> list[tuple[_Track, int]]:
        if not self._tracks or not len(boxes):
            return []
        costs = self._costs(np.stack([track.box for track in self._tracks]), boxes)
        for row, track in enumerate(self._tracks):
            if track.shot != self._shot:
                costs[row] = self._costs_after_a_cut(track, boxes, appearances)
        pairs = _assigned(costs)
        return [(self._tracks[p], int(face)) for p, face in pairs if costs[p, face] < _NEVER]

    def _costs(self, known: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(tracks, faces): below 1 for overlaps, above for near ones, ``_NEVER`` for the rest."""
        overlap = iou(known, boxes)
        first, second = _sizes(known)[:, None], _sizes(boxes)[None, :]
        steps = _centres(known)[:, None] - _centres(boxes)[None, :]
        distance = np.hypot(steps[..., 0], steps[..., 1]) / ((first + second) / 2)
        growth = np.maximum(first / second, second / first)
        farthest = self._max_jump if self._alone(len(boxes)) else self._max_distance
        near = (distance <= farthest) & (growth <= self._max_growth)
        costs = np.where(near, 1.0 + distance, _NEVER)
        return np.where(overlap >= self._min_iou, 1.0 - overlap, costs)

    def _alone(self, faces: int) -> bool:
        """One face in this picture, and one track in the picture before, of the same shot."""
        before = [track for track in self._tracks if track.picture == self._picture - 1]
        return faces == 1 and len(before) == 1 and before[0].shot == self._shot

    def _costs_after_a_cut(
        self, track: _Track, boxes: np.ndarray, appearances: np.ndarray | None
    ) -> np.ndarray:
        """(faces,): ``_NEVER`` unless place and appearance both agree with what they were."""
        if track.appearance is None or appearances is None:
            return np.full(len(boxes), _NEVER)
        overlap, alike = iou(track.box[None], boxes)[0], appearances @ track.appearance
        agrees = (overlap >= self._same_place) & (alike >= self._same_appearance)
        # behind everybody of this shot
        return np.where(agrees, 2.0 - overlap, _NEVER)


def _assigned(costs: np.ndarray) -> list[tuple[int, int]]:
    """The rows and columns that go together, at the lowest cost in all."""
    if costs.size == 1:  # most pictures: spares them the import, half a second
        return [(0, 0)]
    from scipy.optimize import linear_sum_assignment

    return list(zip(*(each.tolist() for each in linear_sum_assignment(costs)), strict=True))


def _sizes(boxes: np.ndarray) -> np.ndarray:
    sides = np.maximum(boxes[:, 2:4] - boxes[:, 0:2], 1e-6)
    return np.sqrt(sides[:, 0] * sides[:, 1])


def _centres(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 0:2] + boxes[:, 2:4]) / 2
