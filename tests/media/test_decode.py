"""From any file to pictures and sound; refusing what is not one."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from emotion_core.errors import ClipError, UsageError
from emotion_core.media.decode import decode, probe
from emotion_core.media.types import DecodePlan, MediaInfo
from emotion_core.recipes.specs import VideoSpec
from tests.support.listener import Listener
from tests.support.media_clips import number_of, picture, write_clip

PLAN = DecodePlan(VideoSpec(count=4), 16000)


def refusal(path: Path | str, plan: DecodePlan = PLAN) -> str:
    with pytest.raises(ClipError) as caught:
        decode(str(path), plan)
    assert caught.value.stage == "decode"
    message = str(caught.value)
    assert "\n" not in message
    with pytest.raises(ClipError, match=message.split(":")[0]):
        probe(str(path))
    return message


def test_video_with_sound(tmp_path: Path):
    path = write_clip(tmp_path / "a.mp4", frames=50)
    media = decode(str(path), PLAN)
    assert media.info == MediaInfo("video", pytest.approx(2.0, abs=0.03), 96, 64, 25.0, True, 2.0)
    assert probe(str(path)) == media.info
    assert media.frames.shape == (4, 64, 96, 3) and media.frames.dtype == np.uint8
    np.testing.assert_allclose(media.frame_times_s, [0.25, 0.75, 1.25, 1.75])
    assert [number_of(p) for p in media.frames] == [6, 18, 31, 43]
    assert (media.sample_rate, media.decoder, media.warnings) == (16000, "decord", ())
    assert len(media.audio) == pytest.approx(32000, abs=2) and media.audio.dtype == np.float32


def test_a_part_of_a_video(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=50))
    part = decode(path, DecodePlan(VideoSpec(count=2), 16000, start_s=0.5, end_s=1.5))
    np.testing.assert_allclose(part.frame_times_s, [0.75, 1.25])
    np.testing.assert_array_equal(part.audio, decode(path, PLAN).audio[8000:24000])
    beyond = decode(path, DecodePlan(VideoSpec(), 16000, start_s=5.0))
    assert beyond.frames.shape[0] == 0 and beyond.audio.size == 0


def test_only_what_is_asked_for(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=20))
    sound = decode(path, DecodePlan(None, 8000))
    assert (len(sound.frames), sound.decoder, sound.sample_rate) == (0, "", 8000)
    pictures = decode(path, DecodePlan(VideoSpec(count=3), None, "pyav"))
    assert (len(pictures.frames), pictures.decoder, pictures.sample_rate) == (3, "pyav", 0)
    assert pictures.audio.shape == (0,) and pictures.audio.dtype == np.float32


def test_silent_video_is_fine(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=20, sound=None))
    media = decode(path, PLAN)
    assert len(media.frames) == 4 and media.audio.size == 0 and media.sample_rate == 0
    assert not media.info.has_audio and media.warnings == ()


def test_pictures_are_scaled_down_never_up(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=10, size=(160, 120), turned=90))
    small = decode(path, DecodePlan(VideoSpec(count=2, max_side=80), None))
    assert small.frames.shape == (2, 60, 80, 3)
    assert [number_of(p) for p in small.frames] == [2, 7]
    assert decode(path, DecodePlan(VideoSpec(max_side=4000), None)).frames.shape[1:3] == (120, 160)
    assert (small.info.width, small.info.height) == (160, 120)


def test_sound_only(tmp_path: Path):
    soundfile.write(tmp_path / "a.flac", np.zeros(8000), 16000)
    media = decode(str(tmp_path / "a.flac"), PLAN)
    assert media.info == MediaInfo("audio", 0.5, 0, 0, 0.0, True)
    assert media.frames.shape == (0, 0, 0, 3) and len(media.audio) == 8000


def test_a_cover_is_no_picture(tmp_path: Path):
    import av

    path = str(tmp_path / "a.mp3")
    with av.open(path, "w") as container:
        sound = container.add_stream("libmp3lame", rate=44100)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(picture(3, 64, 64), format="rgb24")
        container.mux(cover.encode(image))
        container.mux(cover.encode(None))
        silence = np.zeros((2, 44100), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="stereo")
        frame.sample_rate = 44100
        for piece in av.AudioResampler(format=sound.codec_context.format).resample(frame):
            container.mux(sound.encode(piece))
        container.mux(sound.encode(None))
    with av.open(path) as container:
        assert container.streams.video, "the test's own file has lost its cover"
    media = decode(path, PLAN)
    assert media.info.kind == "audio" and len(media.frames) == 0
    assert len(media.audio) == pytest.approx(16000, abs=800)


def test_the_content_decides_not_the_name(tmp_path: Path):
    video = write_clip(tmp_path / "a.mp4", frames=5)
    video.rename(tmp_path / "holiday.jpg")
    assert probe(str(tmp_path / "holiday.jpg")).kind == "video"
    Image.new("RGB", (20, 10)).save(tmp_path / "b.png")
    (tmp_path / "b.png").rename(tmp_path / "b.mp4")
    assert probe(str(tmp_path / "b.mp4")).kind == "image"


def test_length_is_measured_where_the_file_does_not_state_it(tmp_path: Path):
    # what browsers record: written as a live stream, without length or index
    path = write_clip(
        tmp_path / "a.webm", codec="libvpx", sound="libopus", mux_options={"live": "1"}
    )
    media = decode(str(path), PLAN)
    assert media.info.duration_s == pytest.approx(2.0, abs=0.05)
    assert [number_of(p) for p in media.frames] == [6, 18, 31, 43]


STRANGE = ["with space #%41%d.mp4", "concat:a|b.mp4", "http:x.mp4", "-i.mp4", "\u00e9\u4e16.mp4"]


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names_are_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_clip(tmp_path / "a.mp4", frames=5).rename(tmp_path / name)
    assert len(decode(str(tmp_path / name), PLAN).frames) == 4
    monkeypatch.chdir(tmp_path)
    media = decode(name, PLAN)
    assert len(media.frames) == 4 and media.decoder == "decord"


def test_names_that_are_not_utf8(tmp_path: Path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4")
    try:
        write_clip(tmp_path / "a.mp4", frames=5).rename(path)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    media = decode(path, PLAN)
    assert len(media.frames) == 4 and len(media.audio)


def test_refusals(tmp_path: Path):
    empty = tmp_path / "empty.mp4"
    empty.touch()
    assert refusal(empty) == "empty: the file has no bytes"
    assert refusal(tmp_path / "nowhere.mp4") == "gone: there is no such file"
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(np.random.default_rng(0).bytes(20000))
    assert refusal(noise).startswith("unreadable: ")
    text = tmp_path / "text.mp4"
    text.write_text("Dear Sir or Madam, " * 100)
    assert refusal(text).startswith("unreadable: ")
    assert refusal(tmp_path).startswith("unreadable: ")
    headless = tmp_path / "headless.mp4"
    data = write_clip(tmp_path / "a.mp4").read_bytes()
    headless.write_bytes(data[: len(data) // 2])  # the index, which is at its end, is missing
    assert refusal(headless).startswith("unreadable: ")


def test_nothing_decodable_is_unreadable(tmp_path: Path):
    whole = write_clip(tmp_path / "a.mp4", frames=50, sound=None)
    data = bytearray(whole.read_bytes())
    start = data.index(b"mdat") + 4
    data[start : data.index(b"moov", start) - 4] = bytes(data.index(b"moov", start) - 4 - start)
    (tmp_path / "b.mp4").write_bytes(data)
    with pytest.raises(ClipError, match="^unreadable: nothing could be decoded"):
        decode(str(tmp_path / "b.mp4"), DecodePlan(VideoSpec(), None, "pyav"))


def test_unknown_decoder_is_a_usage_error(tmp_path: Path):
    path = str(write_clip(tmp_path / "a.mp4", frames=5))
    with pytest.raises(UsageError, match="opencv"):
        decode(path, DecodePlan(VideoSpec(), None, "opencv"))


SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-main:2011"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>{url}'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": DASH,
    "sdp": SDP,
    "m3u": "#EXTM3U\n{url}\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8"])
@pytest.mark.parametrize("target", ["url", "file"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_are_refused_and_nobody_is_called(
    kind: str, target: str, suffix: str, tmp_path: Path
):
    listener = Listener()
    url = f"http://127.0.0.1:{listener.port}/a.ts"
    if target == "file":
        url = str(write_clip(tmp_path / "secret.ts", frames=5))
    path = tmp_path / f"innocent{suffix}"
    path.write_text(PLAYLISTS[kind].format(url=url, port=listener.port))
    for decoder in ("auto", "decord", "pyav"):
        message = refusal(path, DecodePlan(VideoSpec(), 16000, decoder))
        assert message.startswith("unreadable: ")
    listener.close()
    assert listener.calls == 1  # its own


def test_decord_gets_no_file_that_starts_like_something_else(tmp_path: Path):
    # FFmpeg looks for boxes some way into a file: decord's own FFmpeg might see a playlist first
    whole = write_clip(tmp_path / "a.mp4", frames=10).read_bytes()
    path = tmp_path / "b.mp4"
    path.write_bytes(b"\0\0\0\x10#EXTM3U\n    " + whole)
    try:
        media = decode(str(path), DecodePlan(VideoSpec(), None))
    except ClipError as error:
        assert str(error).startswith("unreadable: ")
    else:
        assert media.decoder == "pyav"
