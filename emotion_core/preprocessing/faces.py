"""Step 2: pictures become faces."""

from dataclasses import replace

import numpy as np

from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork
from emotion_core.errors import ClipError
from emotion_core.faces.crop import crop_faces
from emotion_core.faces.types import Detector
from emotion_core.media.video import stack
from emotion_core.recipes.specs import VideoSpec
from emotion_core.sound.features import is_silent


class FaceStep:
    """Cuts the main person's face out of every picture of each clip, and lets the pictures go.

    The pictures of one clip are one batch of the detector whatever the batch of clips is, so that
    the result does not depend on it. A clip that already is a face (FER2013) is taken whole.

    Args:
        spec: the recipe's video spec.
        detector: any ``faces.types.Detector``.
    """

    def __init__(self, spec: VideoSpec, detector: Detector):
        self.spec = spec
        self.detector = detector

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return each(works, "faces", self._crop)

    def _crop(self, work: ClipWork) -> ClipWork:
        media = work.media
        assert media is not None, "faces come after decoding"
        if media.frames.shape[0] == 0:
            return work
        whole = work.clip["modality"] == "face" or not self.spec.detect
        faces = crop_faces(media.frames, self.detector, replace(self.spec, detect=not whole))
        outcome = work.outcome
        if not any(crop is not None for crop in faces.crops):
            message = f"no_face: in none of {len(faces.crops)} pictures"
            if is_silent(media.audio):
                raise ClipError("faces", message + ", and no sound")
            outcome = outcome.degrade("faces", "no_face", message)
        times = tuple(float(t) for t in media.frame_times_s)
        # megabytes that nobody looks at again: the next step may be in another process
        sound = replace(media, frames=stack([]), frame_times_s=np.empty(0))
        return work.with_(media=sound, faces=faces, frame_times_s=times, outcome=outcome)
