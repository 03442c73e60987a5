"""What following faces changes in labels and in faces found, on real clips."""

from pathlib import Path

import numpy as np
import pytest

from emotion_core.clips.work import ClipWork
from emotion_core.corpora.inputs import collect
from emotion_core.faces.boxes import iou, is_face
from emotion_core.faces.detectors import load_detector
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.step import LabelOptions
from emotion_core.labelling.tracks import TrackFinder
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.face import FACES
from emotion_core.recipes.specs import VideoSpec
from tests.support.labelling import work_on

pytestmark = pytest.mark.slow

FPS = 5.0


@pytest.fixture(scope="module")
def clips(corpora: Path) -> list[Path]:
    folders = [str(corpora / "clips" / name) for name in ("wild", "labelled")]
    return [Path(clip.uri) for clip in collect(folders).clips]


def labels(clips: list[Path], exact: bool) -> list[ClipWork]:
    how = Labelling(("voice", "face"), LabelOptions(fps=FPS, exact=exact))
    return how.step()([work_on(clip) for clip in clips])


def test_labels_are_nearly_those_of_exact_ones(clips: list[Path]) -> None:
    same, apart = [], []
    for followed, exact in zip(labels(clips, False), labels(clips, True), strict=True):
        assert followed.outcome == exact.outcome and followed.n_tracks == exact.n_tracks
        for one, other in zip(followed.segments, exact.segments, strict=True):
            assert (one.start_s, one.track_id, one.modalities) == (
                other.start_s, other.track_id, other.modalities
            )  # fmt: skip
            first, second = np.array(one.probabilities), np.array(other.probabilities)
            same.append(first.argmax() == second.argmax())
            apart.append(np.abs(first - second).max())
    assert len(same) >= 44
    # measured: 94 %, 0.021, 0.094
    assert np.mean(same) >= 0.9 and np.mean(apart) < 0.04 and max(apart) < 0.15


def test_as_many_faces_are_found(clips: list[Path], corpora: Path) -> None:
    """Of those that another detector, SCRFD-2.5G, is sure of in the same pictures."""
    judge = load_detector(f"insightface:{corpora / 'models' / 'scrfd_2.5g_kps.onnx'}")
    detector = load_detector("centerface")
    view = VideoSpec(sampling="fps", fps=FPS, max_frames=10**6, min_face=FACES.min_face)
    counts = np.zeros(3, int)  # there, found exactly, found by following
    for clip in clips:
        finders = [TrackFinder([view], detector, exact) for exact in (True, False)]
        plan = DecodePlan(video=view, sample_rate=None, decoder="pyav")
        for number, media in enumerate(stream(str(clip), plan, 4.0)):
            if not len(media.frames):
                continue
            there = [faces.boxes[is_face(faces, 0.6, 20)] for faces in judge.detect(media.frames)]
            counts[0] += sum(map(len, there))
            for place, finder in enumerate(finders):
                counts[1 + place] += met(finder, media, there, 4.0 * number)
    assert counts[0] > 300
    exact, followed = counts[1:] / counts[0]
    assert exact > 0.9 and followed > exact - 0.02


def met(finder: TrackFinder, media: Media, there: list[np.ndarray], start_s: float) -> int:
    """How many of these boxes the finder's overlap by half."""
    height, width = media.frames.shape[1:3]
    seen = finder.piece(media, start_s, start_s + 4.0).observations
    total = 0
    for boxes, time in zip(there, media.frame_times_s, strict=True):
        mine = [each.box for each in seen if each.time_s == time]
        if len(boxes) and mine:
            found = np.array(mine) * [width, height, width, height]
            total += int((iou(boxes, found).max(axis=1) >= 0.5).sum())
    return total
