"""One stretch of decoded video: find the faces, tell the people apart, cut the crops."""

import numpy as np

from emotion_core.faces.boxes import is_face, take
from emotion_core.faces.crop import as_fractions, crop_face
from emotion_core.faces.people import PeopleTracker
from emotion_core.faces.types import Detections, Detector
from emotion_core.media.types import Media
from emotion_core.specs import VideoSpec
from emotion_core.stages.windows import Piece, Sight


class PeopleFinder:
    """Everybody in one video. Feed it the video's media in order of time.

    Args:
        spec: the recipe's video spec; None: faces do not matter.
        detector: None only when there is no spec, or ``spec.detect`` is False.
    """

    def __init__(self, spec: VideoSpec | None, detector: Detector | None):
        self.spec = spec
        self.detector = detector
        self.tracker = PeopleTracker()

    def piece(self, media: Media, start_s: float, end_s: float) -> Piece:
        """``media``, which lies between these times, as a piece of windows."""
        sights: list[Sight] = []
        if self.spec is not None and len(media.frames):
            found = self._detect(media.frames)
            for frame, time_s, faces in zip(media.frames, media.frame_times_s, found, strict=True):
                sights += self._sights(self.spec, frame, float(time_s), faces)
        times = tuple(float(time) for time in media.frame_times_s)
        return Piece(start_s, end_s, media.audio, times, tuple(sights))

    def _detect(self, frames: np.ndarray) -> list[Detections]:
        assert self.spec is not None
        if not self.spec.detect:
            return [_whole_picture(frame) for frame in frames]
        assert self.detector is not None
        spec = self.spec
        return [
            take(faces, is_face(faces, spec.min_score, spec.min_face))
            for faces in self.detector.detect(frames)
        ]

    def _sights(
        self, spec: VideoSpec, frame: np.ndarray, time_s: float, faces: Detections
    ) -> list[Sight]:
        ids = self.tracker.update(time_s, faces)
        height, width = frame.shape[:2]
        margin = spec.margin if spec.detect else 0.0
        return [
            Sight(
                time_s,
                face_id,
                as_fractions(box, height, width),
                float(score),
                crop_face(frame, box, spec.face_size, margin, spec.grey),
            )
            for face_id, box, score in zip(ids, faces.boxes, faces.scores, strict=True)
        ]


def _whole_picture(frame: np.ndarray) -> Detections:
    """The largest centred square as the one face, for recipes that do not detect."""
    height, width = frame.shape[:2]
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    box = np.array([[left, top, left + side, top + side]], np.float32)
    return Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
