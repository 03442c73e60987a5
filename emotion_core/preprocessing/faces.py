"""Step 2: pictures become faces."""

from dataclasses import replace
from functools import partial

import numpy as np

from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.faces.crop import crop_faces
from emotion_core.faces.detectors import load_detector
from emotion_core.faces.types import Detector
from emotion_core.media.video import stack
from emotion_core.recipes.specs import VideoSpec
from emotion_core.sound.features import is_silent

NEEDS = Needs(cpus=1, memory_bytes=300 << 20)
# On a GPU the network takes little of it; cropping and copying take half of a CPU.
GPU_SHARE = 0.4
GPU_CPUS = 0.5


def face_step(spec: VideoSpec, detector: str, gpu_share: float = GPU_SHARE) -> DeclaredStep:
    """Face detection, on a GPU where one is in reach.

    Args:
        spec: the recipe's video spec. One that does not detect has no use for a GPU.
        detector: as ``faces.detectors.load_detector`` takes it.
        gpu_share: the part of a GPU that one detector takes.
    """
    on_cpu = Variant(partial(_make, spec, detector, "cpu"), NEEDS)
    needs = replace(NEEDS, cpus=GPU_CPUS, gpus=gpu_share)
    on_gpu = Variant(partial(_make, spec, detector, "cuda"), needs)
    return DeclaredStep(on_cpu, on_gpu if spec.detect else None)


def _make(spec: VideoSpec, detector: str, device: str) -> "FaceStep":
    return FaceStep(spec, load_detector(detector, device))


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
        provider = None if whole else self.detector.provider
        outcome = work.outcome
        if not any(crop is not None for crop in faces.crops):
            message = f"no_face: in none of {len(faces.crops)} pictures"
            if is_silent(media.audio):
                failed = outcome.fail("faces", "no_face", message + ", and no sound")
                return work.with_(outcome=failed, media=None, face_provider=provider)
            outcome = outcome.degrade("faces", "no_face", message)
        times = tuple(float(t) for t in media.frame_times_s)
        # megabytes that nobody looks at again: the next step may be in another process
        sound = replace(media, frames=stack([]), frame_times_s=np.empty(0))
        return work.with_(
            media=sound, faces=faces, frame_times_s=times, face_provider=provider, outcome=outcome
        )
