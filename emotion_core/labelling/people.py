"""One stretch of decoded video: find the faces, tell the people apart, cut the crops."""

from collections.abc import Sequence

import numpy as np

from emotion_core.faces.boxes import is_face, take
from emotion_core.faces.crop import as_fractions, crop_face
from emotion_core.faces.people import PeopleTracker
from emotion_core.faces.shots import Shots, look
from emotion_core.faces.types import Detections, Detector
from emotion_core.labelling.windows import Piece, Sight
from emotion_core.media.types import Media
from emotion_core.recipes.specs import VideoSpec


class PeopleFinder:
    """Everybody in one video. Feed it the video's media in order of time.

    Args:
        eyes: how each model wants faces found and cut; a face is what one of them takes for one.
            Empty: faces do not matter. All detect, or none does.
        detector: None only without eyes, or when they do not detect.
    """

    def __init__(self, eyes: Sequence[VideoSpec], detector: Detector | None):
        self.eyes = tuple(eyes)
        self.detector = detector
        self.tracker = PeopleTracker()
        self.shots = Shots()

    def piece(self, media: Media, start_s: float, end_s: float) -> Piece:
        """``media``, which lies between these times, as a piece of windows."""
        sights: list[Sight] = []
        if self.eyes and len(media.frames):
            found = self._detect(media.frames)
            for frame, time_s, faces in zip(media.frames, media.frame_times_s, found, strict=True):
                sights += self._sights(frame, float(time_s), faces)
        times = tuple(float(time) for time in media.frame_times_s)
        return Piece(start_s, end_s, media.audio, media.sample_rate, times, tuple(sights))

    def _detect(self, frames: np.ndarray) -> list[Detections]:
        if not self.eyes[0].detect:
            return [_whole_picture(frame) for frame in frames]
        assert self.detector is not None
        return [
            take(faces, np.logical_or.reduce([_good(faces, eye) for eye in self.eyes]))
            for faces in self.detector.detect(frames)
        ]

    def _sights(self, frame: np.ndarray, time_s: float, faces: Detections) -> list[Sight]:
        cut = self.shots.begins(frame)
        looks = np.stack([look(frame, box) for box in faces.boxes]) if len(faces.boxes) else None
        ids = self.tracker.update(time_s, faces, cut, looks)
        height, width = frame.shape[:2]
        crops = [self._crops(frame, faces, eye) for eye in self.eyes]
        return [
            Sight(
                time_s,
                face_id,
                as_fractions(faces.boxes[face], height, width),
                float(faces.scores[face]),
                tuple(mine[face] for mine in crops),
            )
            for face, face_id in enumerate(ids)
        ]

    def _crops(
        self, frame: np.ndarray, faces: Detections, eye: VideoSpec
    ) -> list[np.ndarray | None]:
        margin = eye.margin if eye.detect else 0.0
        return [
            crop_face(frame, box, eye.face_size, margin, eye.grey) if good else None
            for box, good in zip(faces.boxes, _good(faces, eye), strict=True)
        ]


def _good(faces: Detections, eye: VideoSpec) -> np.ndarray:
    if not eye.detect:
        return np.ones(len(faces.boxes), bool)
    return is_face(faces, eye.min_score, eye.min_face)


def _whole_picture(frame: np.ndarray) -> Detections:
    """The largest centred square as the one face, for recipes that do not detect."""
    height, width = frame.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = np.array([[left, top, left + side, top + side]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
