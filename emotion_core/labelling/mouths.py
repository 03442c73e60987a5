"""The pictures of a video in which mouths are looked at, beside those that the models look at."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from emotion_core.faces.mouths import MouthPicture, mouth_pictures
from emotion_core.faces.types import Detector
from emotion_core.labelling.speakers import MOUTH_FPS
from emotion_core.labelling.windows import Piece
from emotion_core.media.sampling import Among, span_times
from emotion_core.media.types import DecodePlan, Media, MediaInfo
from emotion_core.recipes.specs import VideoSpec

# The cap of a sampling is for models.
_NO_CAP = 1_000_000


def with_mouths(plan: DecodePlan) -> DecodePlan:
    """The plan with pictures for mouths beside its own."""
    assert plan.video is not None
    dense = replace(plan.video, sampling="fps", fps=MOUTH_FPS, max_frames=_NO_CAP)
    return replace(plan, also=(*plan.also, dense))


class MouthReader:
    """The mouths of one video. Feed it the video's media in order of time.

    Args:
        plan: what the models look at, without ``with_mouths``. They are shown just that, so that
            their answers do not depend on whether mouths are looked at.
        info: of the video.
        detector: finds the key points of a face.
    """

    def __init__(self, plan: DecodePlan, info: MediaInfo, detector: Detector):
        self._still = info.kind == "image"
        self._detector = detector
        specs: tuple[VideoSpec, ...] = (plan.video, *plan.also) if plan.video else ()
        times = span_times(
            specs, plan.start_s, info.pictures_end_s, info.fps, plan.span_s, plan.short_s
        )
        self._wanted = Among(times)

    def for_models(self, media: Media) -> Media:
        """The media with those pictures only that the plan takes."""
        if self._still:
            return media
        chosen = [self._wanted.holds(float(time)) for time in media.frame_times_s]
        return replace(
            media, frames=media.frames[chosen], frame_times_s=media.frame_times_s[chosen]
        )

    def read(self, media: Media, piece: Piece) -> tuple[MouthPicture, ...]:
        """The mouths in all pictures of the media, in order of time.

        Args:
            media: with all pictures.
            piece: what was found in those for the models.
        """
        if self._still or not piece.observations:
            return ()
        height, width = media.frames.shape[1:3]
        size = np.array([width, height, width, height], np.float64)
        known: dict[int, list[tuple[float, np.ndarray]]] = defaultdict(list)
        for seen in piece.observations:
            known[seen.track_id].append((seen.time_s, np.array(seen.box) * size))
        found = mouth_pictures(media.frames, media.frame_times_s.tolist(), known, self._detector)
        return tuple(found)
