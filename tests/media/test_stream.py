"""A file in consecutive parts."""

import gc
import itertools
import tracemalloc
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from emotion_core.errors import ClipError, UsageError
from emotion_core.media import stream as streaming
from emotion_core.media.decode import decode
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec
from tests.support.media_clips import number_of, write_clip

FPS5 = VideoSpec(sampling="fps", fps=5.0)
PLAN = DecodePlan(FPS5, 16000)


@pytest.mark.parametrize("chunk_s", [0.5, 1.0, 3.3, 60.0])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_the_parts_are_the_whole(name: str, chunk_s: float, tmp_path: Path):
    path = str(write_clip(tmp_path / name, frames=110, options={"bf": "3", "g": "20"}))
    whole = decode(path, PLAN)
    parts = list(stream(path, PLAN, chunk_s))
    assert len(parts) == int(np.ceil(whole.audio.size / 16000 / chunk_s - 1e-3))
    np.testing.assert_array_equal(np.concatenate([p.audio for p in parts]), whole.audio)
    for number, part in enumerate(parts):
        assert part.info == whole.info
        inside = part.frame_times_s - number * chunk_s
        assert ((inside >= 0) & (inside < chunk_s)).all()
        assert all(len(p.audio) == round(chunk_s * 16000) for p in parts[:-1])
    times = np.concatenate([p.frame_times_s for p in parts])
    pictures = list(itertools.chain.from_iterable(p.frames for p in parts))
    assert [number_of(p) for p in pictures] == [int(t * 25 + 0.025) for t in times]
    np.testing.assert_array_equal(times, whole.frame_times_s)
    np.testing.assert_array_equal(np.stack(pictures), whole.frames)


def test_sampling_inside_each_span(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=60))
    plan = DecodePlan(VideoSpec(count=3), None, span_s=1.0)
    parts = list(stream(path, plan, 0.5))
    got = [[number_of(p) for p in part.frames] for part in parts]
    # the last span is 0.4 s long
    assert got == [[4], [12, 20], [29], [37, 45], [51, 55, 58]]
    assert [p.audio.size for p in parts] == [0] * 5
    assert [p.decoder for p in parts] == ["pyav"] * 5
    longer = replace(plan, short_s=0.5)
    (whole,) = stream(path, longer, 9.0)
    assert [number_of(p) for p in whole.frames] == [4, 12, 20, 30, 42, 54]
    np.testing.assert_array_equal(whole.frames, decode(path, longer).frames)


def test_several_samplings_at_once(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=50))
    plan = DecodePlan(VideoSpec(count=2), None, also=(VideoSpec(sampling="fps", fps=2.0),))
    parts = list(stream(path, plan, 1.0))
    times = np.concatenate([part.frame_times_s for part in parts])
    np.testing.assert_allclose(times, [0.25, 0.5, 0.75, 1.25, 1.5, 1.75])


def test_a_part_of_the_file(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=100))
    plan = DecodePlan(FPS5, 16000, start_s=1.5, end_s=3.0)
    parts = list(stream(path, plan, 1.0))
    whole = decode(path, plan)
    assert [len(p.audio) for p in parts] == [16000, 8000]
    np.testing.assert_array_equal(np.concatenate([p.audio for p in parts]), whole.audio)
    np.testing.assert_allclose(parts[0].frame_times_s, [1.6, 1.8, 2.0, 2.2, 2.4])
    np.testing.assert_array_equal(parts[0].frames, whole.frames[:5])


def test_sound_only_and_picture_only(tmp_path: Path):
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 56000)
    soundfile.write(tmp_path / "a.flac", wave, 16000)
    parts = list(stream(str(tmp_path / "a.flac"), PLAN, 1.0))
    assert [len(p.audio) for p in parts] == [16000, 16000, 16000, 8000]
    assert all(len(p.frames) == 0 and p.decoder == "" for p in parts)
    expected = soundfile.read(tmp_path / "a.flac", dtype="float32")[0]
    np.testing.assert_array_equal(np.concatenate([p.audio for p in parts]), expected)
    silent = str(write_clip(tmp_path / "a.mp4", frames=60, sound=None))
    parts = list(stream(silent, PLAN, 1.0))
    assert [(len(p.frames), p.audio.size) for p in parts] == [(5, 0), (5, 0), (2, 0)]
    nothing = list(stream(silent, DecodePlan(None, 16000), 1.0))
    assert [(len(p.frames), p.audio.size) for p in nothing] == [(0, 0)]


def test_a_still_is_one_part(tmp_path: Path):
    Image.new("RGB", (32, 16)).save(tmp_path / "a.png")
    (part,) = stream(str(tmp_path / "a.png"), PLAN, 1.0)
    assert part.frames.shape == (1, 16, 32, 3) and part.info.kind == "image"


@pytest.mark.parametrize(("frames", "sound_s"), [(50, 4.0), (100, 2.0)])
def test_sound_and_picture_of_different_length(frames: int, sound_s: float, tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mkv", frames=frames, sound="flac", sound_s=sound_s))
    parts = list(stream(path, PLAN, 1.0))
    assert len(parts) == 4
    pictures = [5 if k * 25 < frames else 0 for k in range(4)]
    samples = [16000 if k < sound_s else 0 for k in range(4)]
    assert [len(p.frames) for p in parts] == pictures
    assert [len(p.audio) for p in parts] == pytest.approx(samples, abs=20)
    assert parts[-1].warnings == ()


def test_a_stream_that_lags_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # the first sound comes 5 s into the file: parts before it leave as soon as the slack is over
    monkeypatch.setattr(streaming, "_SLACK_S", 1.0)
    clip = write_clip(tmp_path / "a.mkv", frames=200, sound="flac", sound_from_s=5.0, sound_s=2.5)
    parts = list(stream(str(clip), PLAN, 1.0))
    assert [len(p.frames) for p in parts] == [5] * 8
    assert [len(p.audio) for p in parts[:3]] == [0, 0, 0]
    assert all(len(p.audio) <= 16000 for p in parts)
    whole = decode(str(clip), PLAN).audio
    np.testing.assert_array_equal(parts[5].audio, whole[80000:96000])
    np.testing.assert_array_equal(parts[6].audio, whole[96000:112000])


def test_warnings_come_with_the_last_part(tmp_path: Path):
    path = write_clip(tmp_path / "a.mkv", frames=200)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    parts = list(stream(str(path), PLAN, 1.0))
    assert 3 <= len(parts) <= 5
    assert all(p.warnings == () for p in parts[:-1])
    assert [w.split(":")[0] for w in parts[-1].warnings] == ["video", "audio"]
    assert [number_of(p) for p in parts[0].frames] == [2, 7, 12, 17, 22]


def test_refusals(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(ClipError, match="^unreadable: "):
        next(stream(str(tmp_path / "a.mp4"), PLAN, 1.0))
    with pytest.raises(UsageError, match="positive"):
        next(stream(str(tmp_path / "a.mp4"), PLAN, 0.0))


def test_memory_does_not_grow_with_length(tmp_path: Path):
    def peak(frames: int) -> int:
        path = str(write_clip(tmp_path / f"{frames}.mp4", frames=frames, size=(160, 120)))
        tracemalloc.start()
        for _ in stream(path, PLAN, 2.0):
            pass
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(100)  # what is loaded once
    assert peak(800) < 1.5 * peak(200)


def test_frames_are_freed_without_the_garbage_collector(tmp_path: Path):
    # a decoded frame is megabytes that the collector, which counts objects, knows nothing of
    path = str(write_clip(tmp_path / "a.mp4", frames=100, turned=90))
    gc.collect()
    gc.disable()
    try:
        for _ in stream(path, PLAN, 1.0):
            alive = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
            assert alive <= 4
    finally:
        gc.enable()


def test_real_clips_in_parts(corpora: Path):
    for path in sorted((corpora / "clips").glob("[lw]*/*")):
        parts = list(stream(str(path), PLAN, 1.0))
        whole = decode(str(path), DecodePlan(None, 16000))
        np.testing.assert_array_equal(np.concatenate([p.audio for p in parts]), whole.audio)
        assert parts[-1].warnings == (), path
        wanted = min(64, 5 * whole.info.duration_s)  # as many as the spec allows of a clip
        assert sum(len(p.frames) for p in parts) == pytest.approx(wanted, abs=1)
        assert max(p.frames.shape[2] for p in parts if len(p.frames)) <= 640
