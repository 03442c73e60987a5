"""Faces of a video's pictures at a fraction of the price: sought everywhere now and then only.

Detection costs as much as the picture is large. So the whole picture is searched once a second and
where a shot begins; in between, a small square around each face that was there a moment ago.
"""

from collections.abc import Callable, Sequence

import numpy as np

from emotion_core.faces.boxes import iou, take
from emotion_core.faces.squares import in_picture, same_face, square_of
from emotion_core.faces.types import Detections, Detector

_ONE_FACE = 0.5  # IoU of two answers above which they are one
# With more faces than this the whole picture costs no more.
_MOST_FOLLOWED = 4


class FaceFollower:
    """Finds the faces of one video. Feed it the video's pictures in order of time.

    What is guaranteed: in the first picture, in the first of a shot, in one every ``every_s``, and
    wherever a face that was there is not found again, the faces are those that the detector finds
    in the whole picture. What is not: somebody who comes into view in between is seen when the
    whole picture is searched next, and boxes of followed faces lie a little elsewhere, since they
    were found at another scale. The result does not depend on how the video is cut up.

    Args:
        detector: finds faces in a picture.
        good: which detections count as faces, bool (k,).
        every_s: seconds between two pictures that are searched as a whole.
    """

    def __init__(
        self,
        detector: Detector,
        good: Callable[[Detections], np.ndarray],
        every_s: float = 1.0,
    ):
        self._detector, self._good, self._every_s = detector, good, every_s
        self._searched_s = -np.inf
        self._known = np.zeros((0, 4), np.float32)

    def detect(
        self, frames: np.ndarray, times_s: Sequence[float], cuts: Sequence[bool]
    ) -> list[Detections]:
        """The faces of each picture that count as such.

        Args:
            frames: uint8 (n, height, width, 3), RGB.
            times_s: of each.
            cuts: whether a shot begins with it.
        """
        due = [self._due(time, cut) for time, cut in zip(times_s, cuts, strict=True)]
        searched = iter(self._search(frames[due]) if any(due) else ())
        found = []
        for frame, whole in zip(frames, due, strict=True):
            faces = next(searched) if whole else self._follow(frame)
            self._known = faces.boxes
            found.append(faces)
        return found

    def _due(self, time_s: float, cut: bool) -> bool:
        # times are multiples of a period, rounded
        if not cut and time_s - self._searched_s < self._every_s - 1e-3:
            return False
        self._searched_s = time_s
        return True

    def _search(self, frames: np.ndarray) -> list[Detections]:
        return [take(faces, self._good(faces)) for faces in self._detector.detect(frames)]

    def _follow(self, frame: np.ndarray) -> Detections:
        if not len(self._known):
            return _none()
        if len(self._known) <= _MOST_FOLLOWED:
            faces = self._around(frame)
            if faces is not None:
                return faces
        return self._search(frame[None])[0]

    def _around(self, frame: np.ndarray) -> Detections | None:
        """The known faces where they are now; None if one is lost, or two became one."""
        squares = np.stack([square_of(frame, box) for box in self._known])
        followed = []
        for box, faces in zip(self._known, self._detector.detect(squares), strict=True):
            faces = in_picture(faces, box, frame.shape)
            faces = take(faces, self._good(faces))
            same = same_face(box, faces)
            if same is None:
                return None
            followed.append(take(faces, np.array([same])))
        joined = _joined(followed)
        overlaps = np.triu(iou(joined.boxes, joined.boxes), 1)
        return None if (overlaps > _ONE_FACE).any() else joined


def _joined(found: Sequence[Detections]) -> Detections:
    """As one, best score first."""
    boxes, scores, landmarks = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("boxes", "scores", "landmarks")
    )
    order = np.argsort(-scores, kind="stable")
    return Detections(boxes[order], scores[order], landmarks[order])


def _none() -> Detections:
    return Detections(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32)
    )
