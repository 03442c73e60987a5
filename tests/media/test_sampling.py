"""Which moments are looked at."""

import dataclasses

import numpy as np
import pytest

from emotion_core.errors import UsageError
from emotion_core.media.sampling import sample_times, span_times
from emotion_core.recipes.specs import VideoSpec


def test_uniform_takes_the_middles_of_equal_parts():
    times = sample_times(VideoSpec(count=4), 2.0, 6.0, 30.0)
    assert times.dtype == np.float64
    np.testing.assert_allclose(times, [2.5, 3.5, 4.5, 5.5])
    np.testing.assert_allclose(sample_times(VideoSpec(count=3), 0, 0.03, 0), [0.005, 0.015, 0.025])


def test_stride_takes_every_kth_picture():
    spec = VideoSpec(sampling="stride", every=10)
    times = sample_times(spec, 0.0, 4.004, 30000 / 1001)
    # pictures 0, 10, 20, ... 110, each in the middle of its display
    np.testing.assert_array_equal(np.floor(times * 30000 / 1001), np.arange(0, 120, 10))
    np.testing.assert_allclose(times * 30000 / 1001 % 1, 0.5)
    assert len(sample_times(spec, 0.0, 4.0, 0.0)) == 10  # unknown: 25 a second


def test_fps_takes_the_middle_of_each_interval():
    spec = VideoSpec(sampling="fps", fps=5.0)
    np.testing.assert_allclose(sample_times(spec, 1.0, 2.0, 30.0), [1.1, 1.3, 1.5, 1.7, 1.9])
    # parts of a file put together are the whole
    whole = sample_times(spec, 0.0, 7.3, 25.0)
    parts = [sample_times(spec, a, min(a + 1, 7.3), 25.0) for a in range(8)]
    np.testing.assert_allclose(np.concatenate(parts), whole)


def test_more_than_the_bound_is_thinned_evenly_not_cut():
    spec = VideoSpec(sampling="fps", fps=5.0, max_frames=16)
    times = sample_times(spec, 0.0, 3600.0, 25.0)
    assert len(times) == 16
    assert times[0] < 130 and times[-1] > 3470
    np.testing.assert_allclose(np.diff(times), 225, atol=0.21)
    assert len(sample_times(dataclasses.replace(spec, max_frames=5), 0.0, 1.0, 0)) == 5
    # what a lying header says must not fill the memory
    assert len(sample_times(spec, 0.0, 1e12, 25.0)) == 16


def test_every_time_lies_in_the_span():
    for sampling in ("uniform", "stride", "fps"):
        spec = VideoSpec(sampling=sampling, count=6, every=7, fps=4.3)
        for span in (0.001, 0.1, 1.0, 4.004, 77.7):
            times = sample_times(spec, 3.0, 3.0 + span, 29.97)
            assert len(times) >= 1
            assert (times >= 3.0).all() and (times < 3.0 + span).all()
            assert (np.diff(times) > 0).all()
        assert len(sample_times(spec, 3.0, 3.0, 25.0)) == 0
        assert len(sample_times(spec, 3.0, 2.0, 25.0)) == 0


@pytest.mark.parametrize(
    "spec",
    [
        VideoSpec(sampling="random"),
        VideoSpec(count=0),
        VideoSpec(sampling="stride", every=0),
        VideoSpec(sampling="fps", fps=0.0),
        VideoSpec(sampling="fps", max_frames=0),
    ],
)
def test_wrong_numbers_are_one_clear_line(spec: VideoSpec):
    with pytest.raises(UsageError):
        sample_times(spec, 0.0, 1.0, 25.0)


def test_every_span_is_sampled_like_a_clip():
    spec, other = VideoSpec(count=3), VideoSpec(sampling="fps", fps=1.0)
    # one span: the clip itself, to the last bit
    for end_s in (0.04, 3.9, 4.004):
        alone = list(span_times([spec], 0.0, end_s, 25.0, 4.0, 0.2))
        assert alone == sample_times(spec, 0.0, end_s, 25.0).tolist()
    # several: the last one as short as it is, unless it is too short for one
    np.testing.assert_allclose(
        list(span_times([spec], 1.0, 4.0, 25.0, 2.0, 0.2)),
        [4 / 3, 2, 8 / 3, 3 + 1 / 6, 3.5, 3 + 5 / 6],
    )
    np.testing.assert_allclose(
        list(span_times([spec], 0.0, 4.5, 25.0, 2.0, 0.6)),
        [1 / 3, 1, 5 / 3, 2 + 5 / 12, 3.25, 4 + 1 / 12],
    )
    # together, each time once
    np.testing.assert_allclose(list(span_times([spec, other], 0.0, 3.0, 25.0)), [0.5, 1.5, 2.5])
    assert list(span_times([spec], 2.0, 2.0, 25.0)) == []


def test_spans_of_a_file_that_promises_days_are_told_one_by_one():
    times = span_times([VideoSpec(count=2)], 0.0, 1e12, 25.0, 4.0)
    assert [next(times) for _ in range(3)] == [1.0, 3.0, 5.0]
