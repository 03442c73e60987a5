"""What ran the face detector is a column, null where none ran."""

from dataclasses import replace

import numpy as np
import pytest

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.faces.types import Detections
from emotion_core.media.types import Media, MediaInfo
from emotion_core.preprocessing.faces import FaceStep
from emotion_core.preprocessing.rows import feature_rows
from emotion_core.recipes import load_recipe
from tests.support.labelling import OneFace

SPEC = load_recipe("timedist-blstm").video
assert SPEC is not None


class Nobody(OneFace):
    """A detector that finds none."""

    def detect(self, images: np.ndarray) -> list[Detections]:
        none = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))
        return [none] * len(images)


def decoded(pictures: int, modality: str | None = None, sounds: bool = True) -> ClipWork:
    (clip,) = manifest_table([Clip("a.mp4", 1, "v", modality=modality)]).to_pylist()
    frames = np.random.default_rng(0).integers(0, 255, (pictures, 96, 96, 3), np.uint8)
    sound = np.full(16_000 * sounds, 0.5, np.float32)
    info = MediaInfo("video", 1.0, 96, 96, 5.0, sounds)
    times = np.arange(pictures) / 5
    return ClipWork(clip, media=Media(info, frames, times, sound, 16_000, "pyav"))


@pytest.mark.parametrize(
    ("work", "detector", "provider", "status"),
    [
        (decoded(2), OneFace(), "none", "ok"),
        (decoded(2), Nobody(), "none", "degraded"),
        (decoded(2, sounds=False), Nobody(), "none", "failed"),
        (decoded(0), OneFace(), None, "ok"),
        (decoded(1, modality="face"), OneFace(), None, "ok"),
    ],
    ids=["a face", "nobody", "nothing at all", "no picture", "a face already"],
)
def test_the_column(work: ClipWork, detector: OneFace, provider: str | None, status: str) -> None:
    done = FaceStep(SPEC, detector)([work])

    (row,) = feature_rows([each.with_(media=None) for each in done]).to_pylist()
    assert (row["face_provider"], row["status"]) == (provider, status)


def test_a_recipe_that_takes_whole_pictures_runs_none() -> None:
    (done,) = FaceStep(replace(SPEC, detect=False), OneFace())([decoded(2)])

    assert done.faces is not None and done.face_provider is None
