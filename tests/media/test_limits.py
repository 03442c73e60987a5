"""What a file may take of memory and time, whatever its headers and time stamps claim."""

import os
import resource
import struct
import subprocess
import sys
import zlib
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from emotion_core.clips.work import Outcome
from emotion_core.errors import ClipError
from emotion_core.media import decode as decoding
from emotion_core.media import isolated
from emotion_core.media.decode import decode
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.limits import MOST_BYTES, MOST_WRITTEN
from emotion_core.media.types import DecodePlan, Media
from emotion_core.preprocessing.decode import judge
from emotion_core.recipes.specs import VideoSpec
from tests.support.jobs import environment
from tests.support.media_clips import write_clip

PLAN = DecodePlan(VideoSpec(sampling="fps", fps=5.0, max_frames=10**6), 16000)
CHUNK_S = 4.0
# Python, NumPy and the decoders' libraries take a quarter of this before the first file.
MOST_GB = 0.8


def peak_gb(decoder: IsolatedDecoder) -> float:
    """The most that the child has held at once."""
    status = Path(f"/proc/{decoder._call(os.getpid)}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1e6


def streamed(path: Path, plan: DecodePlan = PLAN) -> tuple[list[Media], float]:
    with IsolatedDecoder(120) as decoder:
        return list(decoder.stream(str(path), plan, CHUNK_S)), peak_gb(decoder)


def silent_video(path: Path, times_s: list[float]) -> Path:
    """A picture at each of these times, 320 x 240."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.max_b_frames = 0
        for number, time_s in enumerate(times_s):
            picture = np.full((240, 320, 3), 60 * number % 256, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sound(path: Path, rate: int, times_s: list[float]) -> Path:
    """A tenth of a second of sound at each of these times, in Matroska."""
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for time_s in times_s:
            samples = np.full((1, rate // 10), 3000, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, 0
            for packet in stream.encode(frame):
                packet.pts = packet.dts = round(time_s * 1000)
                packet.time_base = Fraction(1, 1000)
                container.mux(packet)
    return path


def test_a_gap_of_twenty_minutes_takes_no_memory(tmp_path: Path) -> None:
    path = silent_video(tmp_path / "gap.mp4", [0.0, 0.2, 1200.0, 1200.2])
    assert path.stat().st_size < 5_000
    media, peak = streamed(path)
    assert len(media) == 301
    assert sum(len(each.frames) for each in media) == pytest.approx(6001, abs=2)
    assert peak < MOST_GB


def test_a_time_far_ahead_is_no_length(tmp_path: Path) -> None:
    path = sound(tmp_path / "far.mkv", 16000, [0.0, 1e6])
    media, _ = streamed(path, DecodePlan(None, 16000))
    assert len(media) == 1
    assert len(media[0].audio) == 1600
    assert "jumps from 0.0 s to 1000000.0 s" in media[-1].warnings[0]


def test_many_gaps_are_no_length_either(tmp_path: Path) -> None:
    path = sound(tmp_path / "holes.mkv", 16000, [3590.0 * number for number in range(6)])
    media, peak = streamed(path, DecodePlan(None, 16000))
    assert len(media) == pytest.approx(3590 / CHUNK_S, abs=2)
    assert peak < MOST_GB and "jumps" in media[-1].warnings[0]


@pytest.mark.parametrize("rate", [16000, 96000])
def test_an_hour_of_nothing_in_sound_takes_no_gigabytes(tmp_path: Path, rate: int) -> None:
    path = sound(tmp_path / "hole.mka", rate, [0.0, 3590.0])
    with IsolatedDecoder(120) as decoder:
        media = decoder.decode(str(path), DecodePlan(None, 16000))
        assert peak_gb(decoder) < 1.5
    assert len(media.audio) == pytest.approx(3590.1 * 16000, abs=2)
    assert np.flatnonzero(media.audio)[-1] > 3590 * 16000
    assert not media.audio[1700 : 3589 * 16000].any()


def test_five_holes_count_together(tmp_path: Path) -> None:
    path = sound(tmp_path / "holes.mka", 16000, [3590.0 * number for number in range(6)])
    with IsolatedDecoder(120) as decoder:
        media = decoder.decode(str(path), DecodePlan(None, 16000))
        assert peak_gb(decoder) < 1.5
    assert len(media.audio) < 3600 * 16000


def zeros(path: Path, hours: float) -> Path:
    """WAVE at 16 kHz that takes no room on a disk."""
    size = int(hours * 3600) * 32000
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt "
    form = struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16)
    with open(path, "wb") as file:
        file.write(head + form + b"data" + struct.pack("<I", size))
        file.truncate(44 + size)
    return path


ALONE = """
import sys
from pathlib import Path
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan
from tests.media.test_limits import peak_gb
if __name__ == "__main__":
    with IsolatedDecoder(300) as decoder:
        media = decoder.decode(sys.argv[1], DecodePlan(None, 16000))
        mine = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1e6
        print(len(media.audio), peak_gb(decoder), mine, media.warnings)
"""


def test_of_twenty_hours_a_clip_is_the_first_one(tmp_path: Path) -> None:
    """An hour is 0.23 GB: the parent holds it once, the child twice for a moment."""
    path = zeros(tmp_path / "day.wav", 20)
    (tmp_path / "alone.py").write_text(ALONE)
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, str(tmp_path / "alone.py"), str(path)],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    samples, child, parent, told = done.stdout.split(maxsplit=3)
    assert int(samples) == 3600 * 16000
    assert float(child) < MOST_GB and float(parent) < 0.6
    assert "clip: longer than 3600 s" in told


def short_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "MOST_CLIP_S", 2.0)


def test_what_is_longer_than_a_clip_is_left_out_and_the_row_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_clip(tmp_path / "a.mp4", frames=100))
    whole = decode(path, PLAN)
    short_clips(monkeypatch)
    media = decode(path, PLAN)
    np.testing.assert_array_equal(media.audio, whole.audio[:32000])
    np.testing.assert_array_equal(media.frames, whole.frames[:10])
    (told,) = [line for line in media.warnings if not line.startswith("decoder:")]
    assert told == "clip: longer than 2 s: label it, here the rest is left out"
    assert judge(Outcome(), media, PLAN, None).reasons == ("cut",)
    # a part that is asked for is not more than was wanted
    assert decode(path, replace(PLAN, start_s=1.0, end_s=2.5)).warnings == ()
    assert len(decode(path, replace(PLAN, start_s=2.5)).audio) == pytest.approx(24000, abs=500)


def test_a_clip_of_exactly_the_limit_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_clips(monkeypatch)
    soundfile.write(tmp_path / "a.wav", np.zeros(32000), 16000)
    assert decode(str(tmp_path / "a.wav"), PLAN).warnings == ()
    soundfile.write(tmp_path / "a.wav", np.zeros(33600), 16000)
    assert len(decode(str(tmp_path / "a.wav"), PLAN).warnings) == 1


def test_there_is_room_for_so_many_pictures_of_a_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_clip(tmp_path / "a.mp4", frames=100))
    monkeypatch.setattr(decoding, "MOST_CLIP_PICTURES", 7 * 96 * 64 * 3)
    media = decode(path, PLAN)
    assert len(media.frames) == 7
    assert media.warnings == ("video: 7 pictures of 96 x 64 are enough, the rest is left out",)


def test_what_is_large_comes_in_pieces_and_is_the_same(tmp_path: Path) -> None:
    """Both are more than the 16 MB that go through the pipe at once."""
    path = str(write_clip(tmp_path / "a.mkv", frames=30, size=(640, 480), sound=None))
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 300 * 16000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 16000, subtype="FLOAT")
    plan = DecodePlan(VideoSpec(sampling="fps", fps=25.0), 16000)
    with IsolatedDecoder(120) as decoder:
        media, right = decoder.decode(path, plan), decode(path, plan)
        assert media.frames.nbytes > 16 << 20
        np.testing.assert_array_equal(media.frames, right.frames)
        np.testing.assert_array_equal(media.frame_times_s, right.frame_times_s)
        media = decoder.decode(str(tmp_path / "a.wav"), plan)
        np.testing.assert_array_equal(media.audio, noise)
        assert decoder._call(_waiting_in_child) == 0


def _waiting_in_child() -> int:
    return len(isolated._large_arrays)


def png(path: Path, side: int) -> Path:
    """A transparent picture whose pixels are all 0, written row by row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    squeeze, row = zlib.compressobj(1), b"\0" + bytes(4 * side)
    data = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


def refused(path: Path) -> tuple[str, float]:
    with IsolatedDecoder(120) as decoder:
        with pytest.raises(ClipError) as caught:
            decoder.decode(str(path), PLAN)
        return str(caught.value), peak_gb(decoder)


def test_pictures_that_no_camera_takes_are_refused(tmp_path: Path) -> None:
    told, peak = refused(png(tmp_path / "bomb.png", 13_377))
    assert told == "unreadable: a picture of 13377 x 13377 pixels is too large"
    assert peak < MOST_GB
    still = Image.new("P", (9_000, 9_000))
    other = still.copy()
    other.putpixel((0, 0), 1)
    still.save(tmp_path / "bomb.gif", save_all=True, append_images=[other], duration=1000)
    told, peak = refused(tmp_path / "bomb.gif")
    assert "9000 x 9000 pixels is too large" in told and peak < MOST_GB


def test_a_line_of_pixels_that_does_not_end(tmp_path: Path) -> None:
    (tmp_path / "bomb.mp4").write_bytes(b"3," + b"100 " * 5_000_000)
    told, peak = refused(tmp_path / "bomb.mp4")
    assert told.startswith("unreadable: a line of pixels") and peak < MOST_GB


@pytest.mark.parametrize(("rate", "channels"), [(1, 1), (4_000_000_000, 1), (16000, 255)])
def test_sound_as_there_is_none_in_the_world_is_refused(
    tmp_path: Path, rate: int, channels: int
) -> None:
    data = bytes(range(256)) * 40
    form = struct.pack("<HHIIHH", 1, channels, rate, (rate * channels) & 0xFFFFFFFF, channels, 8)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16)
    path = tmp_path / "odd.wav"
    path.write_bytes(head + form + b"data" + struct.pack("<I", len(data)) + data)
    told, _ = refused(path)
    assert told.startswith("unreadable: ")


def test_the_child_has_a_limit_of_memory_and_a_file_that_meets_it_fails() -> None:
    with IsolatedDecoder(60) as decoder:
        pid = decoder._call(os.getpid)
        assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == MOST_BYTES


def _writing_in_child(path: str) -> None:
    isolated._guarded(lambda: Path(path).write_bytes(bytes(MOST_WRITTEN + 1)))


def test_the_child_writes_no_gigabytes(tmp_path: Path) -> None:
    """A decoder writes nothing but messages, and a damaged file can be worth millions of these."""
    with IsolatedDecoder(60) as decoder:
        with pytest.raises(ClipError, match="^unreadable: decoding it writes more than 64 MB"):
            decoder._call(_writing_in_child, str(tmp_path / "x"))
        assert (tmp_path / "x").stat().st_size == MOST_WRITTEN
        assert decoder._call(os.getpid) != os.getpid(), "and the child goes on"


LOWER = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (5 << 30, 5 << 30))
from emotion_core.media.isolated import IsolatedDecoder
with IsolatedDecoder(60) as decoder:
    print(decoder._call(resource.getrlimit, resource.RLIMIT_AS))
"""


def test_a_lower_limit_of_the_machine_stays() -> None:
    """Nobody but root may raise it: the child would not start where a cluster sets one."""
    done = subprocess.run(
        [sys.executable, "-c", LOWER],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.split("\n")[0] == str((5 << 30, 5 << 30)), done.stderr
