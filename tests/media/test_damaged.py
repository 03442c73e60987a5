"""Damage that was met by breaking files at random: each kind that once was an error of ours."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from emotion_core.errors import ClipError
from emotion_core.media import decord_reader
from emotion_core.media.audio import mono, read_audio
from emotion_core.media.decode import decode
from emotion_core.media.decord_reader import DecordError
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.limits import plausible_frame
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan
from emotion_core.media.upright import fitted_size
from emotion_core.recipes.specs import VideoSpec
from tests.support.containers import write
from tests.support.media_clips import number_of, picture, tone, write_clip
from tests.support.mutations import mutants

PLAN = DecodePlan(VideoSpec(count=4), 16000)


def both_ways(path: Path) -> list[str]:
    """How decoding at once and in chunks end: the reason, or ``read``."""
    ends = []
    for read in (lambda: decode(str(path), PLAN), lambda: list(stream(str(path), PLAN, 4.0))):
        try:
            read()
            ends.append("read")
        except ClipError as error:
            ends.append(str(error).split(":")[0])
    return ends


def test_a_stream_that_turns_up_late_in_an_flv(tmp_path: Path) -> None:
    """PyAV 18 raises ``IndexError`` at the end of a file in which that happens."""
    path = write("live.flv", tmp_path, 50)
    data = bytearray(path.read_bytes())
    place, sounds = 13, []
    while place + 11 < len(data):
        if data[place] == 8:
            sounds.append(place)
        place += 11 + int.from_bytes(data[place + 1 : place + 4], "big") + 4
    data[sounds[-3] + 11] = 0x2F  # from AAC to MP3, which FFmpeg takes for another stream
    path.write_bytes(data)
    assert [number_of(p) for p in decode(str(path), PLAN).frames] == [5, 17, 30, 42]
    assert both_ways(path) == ["read", "read"]


@pytest.mark.parametrize(
    ("name", "codec", "kind", "layout"),
    [
        ("a.mp4", "aac", "fltp", "7.1"),
        ("a.wv", "wavpack", "s16p", "7.1"),
        ("a.wv", "wavpack", "s16p", "7.1.4"),
        ("a.wv", "wavpack", "s16p", "22.2"),
    ],
)
def test_eight_planes_of_sound_and_more(
    name: str, codec: str, kind: str, layout: str, tmp_path: Path
) -> None:
    """PyAV 18 reads past the end of the list of planes: its process dies."""
    path = str(tmp_path / name)
    with av.open(path, "w") as container:
        sound = container.add_stream(codec, rate=16000, layout=layout)
        sound.codec_context.format = kind
        channels = sound.codec_context.layout.nb_channels
        wave = tone(0.5, 16000, channels)
        packed = np.ascontiguousarray((wave * 32767).astype(np.int16).T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = 16000
        size = sound.codec_context.frame_size or 1024
        for piece in av.AudioResampler(format=kind, frame_size=size).resample(frame):
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    with IsolatedDecoder(60) as decoder:
        heard = decoder.decode(path, DecodePlan(None, 16000)).audio
    assert len(heard) == pytest.approx(8000, abs=1024)
    loudest = wave.mean(axis=0).max()
    assert np.abs(heard[2000:6000]).max() == pytest.approx(loudest, abs=0.05)


def test_integers_of_64_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("pcm_s64le", rate=16000, layout="mono")
        ramp = np.linspace(-0.9, 0.9, 1600).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(ramp[None], format="flt", layout="mono")
        frame.sample_rate = 16000
        for piece in av.AudioResampler(format="s64").resample(frame):
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    samples, _ = read_audio(str(path), 16000)
    np.testing.assert_allclose(samples, ramp, atol=1e-6)


def test_a_rate_that_becomes_nonsense_is_damage() -> None:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 10), np.float32), format="flt", layout="mono")
    for rate, good in ((16000, True), (0, False), (1, False), (-5, False), (10**9, False)):
        frame.sample_rate = rate
        assert plausible_frame(frame) == good
    assert len(mono(frame)) == 10


def test_headers_without_a_size(tmp_path: Path) -> None:
    """A damaged FLV may lack it: nothing divides by it, and the first picture knows it."""
    assert fitted_size(0, 0, 640) == (1, 1)
    path = write_clip(tmp_path / "a.ts", frames=50, options={"g": "10"}, sound=None)
    data = path.read_bytes()
    for place in (4 * 188, 8 * 188, len(data) // 2 // 188 * 188):
        path.write_bytes(data[place:])  # the first key picture and its parameters are gone
        media = decode(str(path), PLAN)
        assert len(media.frames) and media.frames.shape[1:] == (64, 96, 3)
        assert (media.info.width, media.info.height) == (96, 64)


def test_values_that_are_no_sound_are_silence_and_told(tmp_path: Path) -> None:
    samples = np.full(48000, 0.25, np.float32)
    samples[20000:20003] = np.nan, np.inf, -1e38
    path = tmp_path / "a.wav"
    soundfile.write(path, samples, 48000, subtype="FLOAT")
    for media in (decode(str(path), PLAN), *stream(str(path), PLAN, 4.0)):
        assert len(media.audio) == 16000 and np.abs(media.audio).max() <= 1
        assert np.abs(media.audio[8000:-100] - 0.25).max() < 0.01
        assert media.warnings == ("audio: 1 frame of what is no sound",)


class Damaged:
    """decord of a file whose index is damaged: pictures, but no times."""

    def __len__(self) -> int:
        return 3

    def get_frame_timestamp(self, index: np.ndarray) -> np.ndarray:
        return np.empty((0, 2))[index]


def test_a_table_of_times_that_decord_lacks_is_decord_s_trouble() -> None:
    with pytest.raises(DecordError, match="out of bounds"):
        decord_reader._check_times(Damaged(), np.arange(3) / 25)  # type: ignore[arg-type]


def still(path: Path) -> bytes:
    Image.fromarray(picture(7)).save(path)
    return path.read_bytes()


def test_stills_whose_reader_fails_in_its_own_way(tmp_path: Path) -> None:
    """Pillow raises ``SyntaxError``, ``ValueError`` and ``RuntimeError`` here."""
    png = tmp_path / "a.png"
    data = still(png)
    png.write_bytes(data[:40] + bytes(8) + data[48:])
    pgm = tmp_path / "a.pgm"
    pgm.write_bytes(b"P5\n9;6 64\n255\n" + bytes(6144))
    avif = tmp_path / "a.avif"
    data = still(avif)
    avif.write_bytes(data[:-120] + bytes(120))
    for path in (png, pgm, avif):
        assert both_ways(path) == ["unreadable", "unreadable"], path


def test_broken_files_of_every_kind_end_as_what_they_are(tmp_path: Path) -> None:
    """A few of each; ``tests/labelling/test_mutations.py`` has more."""
    names = ["h264.flv", "live.flv", "pcm.wav", "still.png", "still.tif", "animation.gif"]
    files = {name: write(name, tmp_path, 15).read_bytes() for name in names}
    for name, data in mutants(files, 48, seed=7):
        path = tmp_path / name
        path.write_bytes(data)
        assert set(both_ways(path)) <= {"read", "unreadable", "empty"}, name
