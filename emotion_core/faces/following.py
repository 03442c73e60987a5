"""Faces of a video's pictures at a fraction of the price: sought everywhere now and then only.

Detection costs as much as the picture is large. So the whole picture is searched once a second and
where a shot begins; in between, a small square around each face that was there a moment ago.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from emotion_core.faces.boxes import iou, take
from emotion_core.faces.squares import in_picture, same_face, square_of
from emotion_core.faces.types import Detections, Detector

_ONE_FACE = 0.5  # IoU of two answers above which they are one
# With more faces than this the whole picture costs no more.
_MOST_FOLLOWED = 4


# Yields pictures, uint8 (n, height, width, 3), is sent the faces of each, and returns faces.
Questions = Generator[np.ndarray, Any, list[Detections]]


@dataclass(frozen=True)
class Following:
    """Where a ``FaceFollower`` has come to in a video.

    Attributes:
        searched_s: time of the last picture that was searched as a whole.
        known: float32 (k, 4), the boxes of the picture before.
    """

    searched_s: float = -np.inf
    known: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), np.float32))


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
        state: where another one, fed the pictures before, had come to.

    Attributes:
        state: where it has come to.
    """

    def __init__(
        self,
        detector: Detector,
        good: Callable[[Detections], np.ndarray],
        every_s: float = 1.0,
        state: Following = Following(),  # noqa: B008 - frozen
    ):
        self._detector, self._good, self._every_s = detector, good, every_s
        self.state = state

    def detect(
        self, frames: np.ndarray, times_s: Sequence[float], cuts: Sequence[bool]
    ) -> list[Detections]:
        """The faces of each picture that count as such.

        Args:
            frames: uint8 (n, height, width, 3), RGB.
            times_s: of each.
            cuts: whether a shot begins with it.
        """
        questions = self.questions(frames, times_s, cuts)
        answer = None
        try:
            while True:
                answer = self._detector.detect(questions.send(answer))
        except StopIteration as end:
            return cast(list[Detections], end.value)

    def questions(
        self, frames: np.ndarray, times_s: Sequence[float], cuts: Sequence[bool]
    ) -> Questions:
        """``detect`` for whoever asks the detector: yields pictures, is sent the faces of each.

        Args:
            frames, times_s, cuts: see there.
        """
        due = [self._due(time, cut) for time, cut in zip(times_s, cuts, strict=True)]
        searched = iter((yield from self._search(frames[due])) if any(due) else ())
        found = []
        for frame, whole in zip(frames, due, strict=True):
            faces = next(searched) if whole else (yield from self._follow(frame))
            self.state = replace(self.state, known=faces.boxes)
            found.append(faces)
        return found

    def _due(self, time_s: float, cut: bool) -> bool:
        # times are multiples of a period, rounded
        if not cut and time_s - self.state.searched_s < self._every_s - 1e-3:
            return False
        self.state = replace(self.state, searched_s=time_s)
        return True

    def _search(self, frames: np.ndarray) -> Questions:
        found = yield frames
        return [take(faces, self._good(faces)) for faces in found]

    def _follow(self, frame: np.ndarray) -> Generator[np.ndarray, Any, Detections]:
        known = self.state.known
        if not len(known):
            return _none()
        if len(known) <= _MOST_FOLLOWED:
            found = yield np.stack([square_of(frame, box) for box in known])
            faces = self._around(frame, found)
            if faces is not None:
                return faces
        (faces,) = yield from self._search(frame[None])
        return faces

    def _around(self, frame: np.ndarray, found: Sequence[Detections]) -> Detections | None:
        """The known faces where they are now; None if one is lost, or two became one.

        Args:
            frame: the picture.
            found: in the square around each.
        """
        followed = []
        for box, faces in zip(self.state.known, found, strict=True):
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
