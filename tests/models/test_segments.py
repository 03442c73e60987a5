"""Recipes whose sample is a second: how clips are cut, trained on and answered."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core.errors import UsageError
from emotion_core.models.answers import probabilities
from emotion_core.models.batches import make_batch
from emotion_core.models.dataset import in_segments, load_features
from emotion_core.models.networks import build_network
from emotion_core.models.samples import Sample, segment_spans, segments
from emotion_core.recipes.specs import AudioSpec, VideoSpec
from tests.support.synthetic_features import SMALL, face, png, rows, sound, write_features

SECONDS = replace(
    SMALL,
    # 10 frames of sound and 2 pictures a second
    audio=AudioSpec(n_mfcc=6, sample_rate=16000, hop_length=1600),
    video=VideoSpec(sampling="fps", fps=2.0, face_size=16),
    segment_s=1.0,
)


@pytest.mark.parametrize(
    ("frames", "pictures", "count"),
    [
        (36, 7, 4),
        (33, 6, 3),
        (10, 2, 1),
        (3, 1, 1),
        (0, 5, 3),
        (0, 6, 3),
        (24, 0, 2),
        (25, 0, 3),
        (0, 0, 1),
    ],
)
def test_a_rest_of_half_a_segment_is_a_segment(frames: int, pictures: int, count: int) -> None:
    spans = segment_spans(frames, pictures, SECONDS)
    assert len(spans) == count
    assert spans[0] == (slice(0, 10), slice(0, 2))
    assert spans[-1][0].start == (count - 1) * 10 and spans[-1][1].start == (count - 1) * 2


def test_without_parts_a_clip_is_one() -> None:
    assert segment_spans(36, 7, SMALL) == [(slice(0, 36), slice(0, 7))]


@pytest.mark.parametrize(
    "changes",
    [{"video": VideoSpec(sampling="uniform")}, {"audio": AudioSpec(trim_db=30.0)}],
)
def test_what_cannot_be_cut_alike_is_refused(changes: dict) -> None:
    with pytest.raises(UsageError, match="segments of 1.0 s.*trim_db=None"):
        segment_spans(10, 2, replace(SECONDS, **changes))


def test_a_segment_without_anything_is_left_out() -> None:
    rng = np.random.default_rng(0)
    sample = Sample(None, (None, None, face(1, rng), None), 3)
    (segment,) = segments(sample, SECONDS)
    assert segment.faces == sample.faces[2:] and segment.label == 3
    nothing = Sample(None, (None, None), 1)
    assert segments(nothing, SECONDS) == [nothing]


def features(place: Path):
    given = rows(SECONDS, speakers=("01", "18"), emotions=("happy", "sad"))
    rng = np.random.default_rng(5)
    for index, row in enumerate(given):
        matrix = np.concatenate([sound(2, rng), sound(3, rng)])[: 16 + 3 * index]
        crops = [png(face(1, rng)) for _ in range(4)]
        row |= {"audio_features": list(matrix), "audio_frames": len(matrix), "faces": crops}
    given[3]["faces"] = [None] * 4
    return load_features(write_features(place, given, SECONDS), SECONDS)


def test_training_and_answers_see_the_same_segments(tmp_path: Path) -> None:
    whole = features(tmp_path / "f")
    cut = in_segments(whole, SECONDS)
    expected = [
        segment for row in range(len(whole)) for segment in segments(whole.sample(row), SECONDS)
    ]
    assert len(cut) == len(expected) > len(whole)
    assert cut.clips.num_rows == len(cut)
    for row, segment in enumerate(expected):
        got = cut.sample(row)
        assert got.label == segment.label and got.audio is not None and segment.audio is not None
        np.testing.assert_array_equal(got.audio, segment.audio)
        assert len(got.faces) == len(segment.faces)
        for one, other in zip(got.faces, segment.faces, strict=True):
            np.testing.assert_array_equal(one, other)


def test_sound_or_pictures_alone_are_cut_too(tmp_path: Path) -> None:
    heard = replace(SECONDS, video=None)
    seen = replace(SECONDS, audio=None)
    features(tmp_path / "f")
    in_sound = in_segments(load_features(str(tmp_path / "f"), heard), heard)
    in_pictures = in_segments(load_features(str(tmp_path / "f"), seen), seen)
    assert in_sound.audio is not None and in_sound.pictures is None
    assert in_sound.audio.lengths.tolist() == [10, 6, 10, 9, 10, 10, 10, 10, 5]
    assert len(in_pictures) == 3 * 2  # the fourth clip shows no face
    assert (
        in_segments(load_features(str(tmp_path / "f"), SMALL_HEARD), SMALL_HEARD).audio is not None
    )


SMALL_HEARD = replace(SECONDS, video=None, segment_s=None)


def test_a_clips_answer_is_the_mean_of_its_segments(tmp_path: Path) -> None:
    whole = features(tmp_path / "f")
    samples = [whole.sample(row) for row in range(len(whole))]
    torch.manual_seed(0)
    network = build_network(SECONDS).eval()
    found = probabilities(network, samples, SECONDS, frames=10)
    assert found.shape == (4, 7)
    for answer, sample in zip(found, samples, strict=True):
        batch = make_batch(segments(sample, SECONDS), SECONDS.audio, SECONDS.video, 10)
        with torch.no_grad():
            expected = torch.softmax(network(batch), dim=1).mean(dim=0)
        torch.testing.assert_close(answer, expected, atol=1e-6, rtol=1e-5)
    one_by_one = torch.cat([probabilities(network, [s], SECONDS, frames=10) for s in samples])
    torch.testing.assert_close(found, one_by_one, atol=1e-6, rtol=1e-5)
    silent = probabilities(network, samples[:1], SECONDS, frames=10, hide=("audio",))
    only = probabilities(network, [replace(samples[0], audio=None)], SECONDS, frames=10)
    torch.testing.assert_close(silent, only)
    assert (silent - found[:1]).abs().max() > 1e-4
