"""Pictures that are left out in decoding: fewer, and the others are the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_core.media import pyav_reader, stream
from emotion_core.media.decode import decode
from emotion_core.media.skipping import Skipping
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.specs import VideoSpec
from tests.support.media_clips import number_of, write_clip

UNEVEN = [40 * n + 13 * (n % 3) + (400 if n > 60 else 0) for n in range(110)]
CODED: dict[str, dict[str, str]] = {
    "pyramid": {"bf": "3", "g": "30"},
    "flat": {"bf": "3", "b-pyramid": "none", "g": "30"},
    "deep": {"bf": "16", "refs": "16", "b-pyramid": "normal", "b_strategy": "0"},
    "open": {"bf": "3", "g": "12", "x264-params": "open-gop=1"},
    "interlaced": {"bf": "2", "flags": "+ildct", "x264-params": "interlaced=1"},
}


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All pictures that leave a decoder."""
    found: list[Any] = []
    for module in (stream, pyav_reader):
        before = module.decode_packet

        def remembered(packet: Any, damage: Any, before: Any = before) -> list[Any]:
            frames = before(packet, damage)
            found.extend(f.pts for f in frames if packet.stream.type == "video")
            return frames

        monkeypatch.setattr(module, "decode_packet", remembered)
    return found


def _plan(fps: float) -> DecodePlan:
    return DecodePlan(VideoSpec(sampling="fps", fps=fps, max_frames=1000), None, "pyav")


def _streamed(path: str, plan: DecodePlan) -> Media:
    (media,) = stream.stream(path, plan, 1000.0)
    return media


def _without(call: Any, path: str, plan: DecodePlan) -> Media:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Skipping, "see", lambda *args: None)
        return call(path, plan)


@pytest.mark.parametrize("fps", [2.0, 7.0, 30.0])
@pytest.mark.parametrize("call", [_streamed, decode])
@pytest.mark.parametrize("coded", CODED)
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "uneven.mp4"])
def test_the_others_are_the_same(
    name: str, coded: str, call: Any, fps: float, tmp_path: Path, decoded: list[Any]
):
    times = UNEVEN if name.startswith("uneven") else None
    clip = write_clip(
        tmp_path / name, 110, options=CODED[coded], times_ms=times, sound=None, coloured=True
    )
    whole = _without(call, str(clip), _plan(fps))
    every = len(decoded)
    decoded.clear()
    media = call(str(clip), _plan(fps))
    np.testing.assert_array_equal(media.frame_times_s, whole.frame_times_s)
    np.testing.assert_array_equal(media.frames, whole.frames)
    assert media.warnings == whole.warnings == ()
    if fps == 2.0:
        assert len(decoded) < 0.8 * every


def test_avi_is_counted(tmp_path: Path, decoded: list[Any]):
    clip = write_clip(tmp_path / "a.avi", 60, options=CODED["flat"], sound="libmp3lame")
    media = _streamed(str(clip), _plan(2.0))
    assert [number_of(each) for each in media.frames] == [6, 18, 31, 43, 56]
    assert len(decoded) == 60


def test_of_a_damaged_file_none_is_left_out(tmp_path: Path, decoded: list[Any]):
    path = tmp_path / "a.mp4"
    write_clip(path, 110, options=CODED["flat"], sound=None)
    _streamed(str(path), _plan(1.0))
    fewer = len(decoded)
    decoded.clear()

    def broken(packet: Any, damage: Any) -> list[Any]:
        damage.packets["video"] += not decoded
        decoded.append(packet.pts)
        return packet.decode()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "decode_packet", broken)
        kept: list[Any] = []
        see = Skipping.see

        def seen(self: Skipping, packet: Any, damage: Any) -> None:
            see(self, packet, damage)
            kept.append(self._decoder.skip_frame)

        patch.setattr(Skipping, "see", seen)
        _streamed(str(path), _plan(1.0))
    assert fewer < 110
    assert {str(each).split(".")[-1].upper() for each in kept} == {"DEFAULT"}


def test_real_clips(corpora: Path, decoded: list[Any]):
    for clip in sorted((corpora / "clips").glob("[lw]*/*")):
        for call in (_streamed, decode):
            whole = _without(call, str(clip), _plan(5.0))
            media = call(str(clip), _plan(5.0))
            np.testing.assert_array_equal(media.frame_times_s, whole.frame_times_s)
            np.testing.assert_array_equal(media.frames, whole.frames)
            assert media.warnings == whole.warnings, clip
