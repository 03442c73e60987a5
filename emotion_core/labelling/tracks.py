"""One stretch of decoded video: find the faces, follow their tracks, cut the crops."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np

from emotion_core.faces.boxes import is_face
from emotion_core.faces.crop import as_fractions, crop_face
from emotion_core.faces.following import FaceFollower
from emotion_core.faces.shots import Shots, appearance
from emotion_core.faces.tracks import FaceTracker
from emotion_core.faces.types import Detections, Detector
from emotion_core.labelling.identity import TrackFaces
from emotion_core.labelling.windows import FaceObservation, Piece
from emotion_core.media.types import Media
from emotion_core.recipes.specs import VideoSpec

# Seconds between two pictures that are searched for faces as a whole.
EVERY_S = 1.0


# Which detections count as faces, bool (k,).
Good = Callable[[Detections], np.ndarray]


class Follower(Protocol):
    """What finds the faces of one video: ``faces.following.FaceFollower``, or one elsewhere."""

    def detect(
        self, frames: np.ndarray, times_s: Sequence[float], cuts: Sequence[bool]
    ) -> list[Detections]:
        """As ``FaceFollower``."""


@runtime_checkable
class FollowsItself(Protocol):
    """A detector that is elsewhere, and follows faces there."""

    def follower(self, good: Good, every_s: float) -> Follower:
        """What finds the faces of one video; arguments as ``FaceFollower`` takes them."""


class TrackFinder:
    """The tracks of one video. Feed it the video's media in order of time.

    Args:
        views: how each model wants faces found and cut; a face is what one of them takes for one.
            Empty: faces do not matter. All detect, or none does.
        detector: None only without views, or when they do not detect.
        exact: search every picture as a whole (see ``faces.following``).
        faces: told of each picture's faces, to know people by; None: nobody wants to.
    """

    def __init__(
        self,
        views: Sequence[VideoSpec],
        detector: Detector | None,
        exact: bool = False,
        faces: TrackFaces | None = None,
    ):
        self.views, self.faces = tuple(views), faces
        self.follower: Follower | None = None
        if detector is not None:
            self.follower = _follower(detector, partial(_any_good, self.views), exact)
        self.tracker = FaceTracker()
        self.shots = Shots()

    def piece(self, media: Media, start_s: float, end_s: float) -> Piece:
        """``media``, which lies between these times, as a piece of windows."""
        observations: list[FaceObservation] = []
        if self.views and len(media.frames):
            cuts = [self.shots.begins(frame) for frame in media.frames]
            found = self._detect(media, cuts)
            for frame, time_s, faces, cut in zip(
                media.frames, media.frame_times_s, found, cuts, strict=True
            ):
                observations += self._observations(frame, float(time_s), faces, cut)
        times = tuple(float(time) for time in media.frame_times_s)
        return Piece(start_s, end_s, media.audio, media.sample_rate, times, tuple(observations))

    def _detect(self, media: Media, cuts: Sequence[bool]) -> list[Detections]:
        if not self.views[0].detect:
            return [_whole_picture(frame) for frame in media.frames]
        assert self.follower is not None
        return self.follower.detect(media.frames, media.frame_times_s.tolist(), cuts)

    def _observations(
        self, frame: np.ndarray, time_s: float, faces: Detections, cut: bool
    ) -> list[FaceObservation]:
        appearances = (
            np.stack([appearance(frame, box) for box in faces.boxes]) if len(faces.boxes) else None
        )
        ids = self.tracker.update(time_s, faces, cut, appearances)
        if self.faces is not None:
            self.faces.add(frame, faces, ids)
        height, width = frame.shape[:2]
        crops = [self._crops(frame, faces, view) for view in self.views]
        return [
            FaceObservation(
                time_s,
                track_id,
                as_fractions(faces.boxes[face], height, width),
                float(faces.scores[face]),
                tuple(mine[face] for mine in crops),
            )
            for face, track_id in enumerate(ids)
        ]

    def _crops(
        self, frame: np.ndarray, faces: Detections, view: VideoSpec
    ) -> list[np.ndarray | None]:
        margin = view.margin if view.detect else 0.0
        return [
            crop_face(frame, box, view.face_size, margin, view.grey) if good else None
            for box, good in zip(faces.boxes, _good(faces, view), strict=True)
        ]


def _follower(detector: Detector | FollowsItself, good: Good, exact: bool) -> Follower:
    every_s = 0.0 if exact else EVERY_S
    if isinstance(detector, FollowsItself):
        return detector.follower(good, every_s)
    return FaceFollower(detector, good, every_s)


def _any_good(views: Sequence[VideoSpec], faces: Detections) -> np.ndarray:
    return np.logical_or.reduce([_good(faces, view) for view in views])


def _good(faces: Detections, view: VideoSpec) -> np.ndarray:
    if not view.detect:
        return np.ones(len(faces.boxes), bool)
    return is_face(faces, view.min_score, view.min_face)


def _whole_picture(frame: np.ndarray) -> Detections:
    """The largest centred square as the one face, for recipes that do not detect."""
    height, width = frame.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = np.array([[left, top, left + side, top + side]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
