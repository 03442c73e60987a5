"""A file that is cut says so, in every container that can be told to be cut."""

import io
from pathlib import Path

import av
import numpy as np
import pytest

from emotion_core.errors import ClipError
from emotion_core.media.decode import decode
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.specs import VideoSpec
from tests.support.containers import NAMES, SOUNDS, STILLS, write

PLAN = DecodePlan(VideoSpec(count=4), 16000)

# No length, no number of bytes and no mark at the end: half of such a file is a whole one.
CANNOT_SAY = {
    "live.webm", "live.flv", "mpeg2.mpg", "mpeg1.mpg", "mpeg2.vob", "h264.ts", "mpeg2.ts",
    "mpeg4.nut", "dv.dv", "bare.mp3", "mp2.mp2", "aac.aac", "ac3.ac3", "eac3.eac3", "amr.amr",
}  # fmt: skip


def told(media: Media) -> list[str]:
    return [line for line in media.warnings if not line.startswith("decoder:")]


def by_stream(path: Path) -> list[str]:
    return told(list(stream(str(path), PLAN, 1.0))[-1])


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_file_is_whole_and_half_of_one_is_not(name: str, tmp_path: Path) -> None:
    frames = 20 if name == "dv.dv" else 100
    path = write(name, tmp_path, frames)
    media = decode(str(path), PLAN)
    assert told(media) == [] and by_stream(path) == []
    assert len(media.frames) == (0 if name in SOUNDS else 1 if name in STILLS else 4)
    data = path.read_bytes()
    half = tmp_path / f"half-{name}"
    half.write_bytes(data[: len(data) // 2])
    try:
        lines = [told(decode(str(half), PLAN)), by_stream(half)]
    except ClipError as error:
        assert str(error).startswith("unreadable: ")
        assert name not in CANNOT_SAY
    else:
        # what cannot say may be lucky, and cut in the middle of a packet
        if name not in CANNOT_SAY:
            assert all(any("stops at" in line or "missing" in line for line in w) for w in lines)


def test_the_part_that_is_asked_for_may_be_whole(tmp_path: Path) -> None:
    path = write("pcm.wav", tmp_path, 100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    plan = DecodePlan(VideoSpec(count=2), 16000, end_s=1.0)
    assert told(decode(str(path), plan)) == []


def test_only_titles_are_missing(tmp_path: Path) -> None:
    path = write("pcm.wav", tmp_path, 25)
    path.write_bytes(path.read_bytes() + b"LIST\0\1\0\0INFOISFT")
    assert told(decode(str(path), PLAN)) == []


class Pipe(io.RawIOBase):
    """What is written once stays as it is, as in a pipe."""

    def __init__(self) -> None:
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece) -> int:  # type: ignore[override]
        self.data += piece
        return len(piece)


@pytest.mark.parametrize("format", ["wav", "au", "caf"])
def test_a_size_left_open_by_a_pipe_is_no_size(format: str, tmp_path: Path) -> None:
    pipe = Pipe()
    with av.open(pipe, "w", format=format) as container:
        codec = "pcm_s16le" if format == "wav" else "pcm_s16be"
        sound = container.add_stream(codec, rate=16000, layout="mono")
        samples = np.full((1, 16000), 3000, np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    path = tmp_path / f"a.{format}"
    path.write_bytes(pipe.data)
    media = decode(str(path), PLAN)
    assert len(media.audio) == 16000 and told(media) == []
