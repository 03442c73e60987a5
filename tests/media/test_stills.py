"""Still images and the lines of fer2013.csv."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from emotion_core.errors import ClipError
from emotion_core.media.decode import decode, probe
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan, MediaInfo
from emotion_core.recipes.specs import VideoSpec
from tests.support.media_clips import number_of, picture

PLAN = DecodePlan(VideoSpec(), 16000)
# how the stored picture is made from the upright one, by EXIF orientation
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied(orientation: int, tmp_path: Path):
    image = Image.fromarray(np.ascontiguousarray(STORED[orientation](picture(77))))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    media = decode(str(tmp_path / "a.jpg"), PLAN)
    assert media.info == MediaInfo("image", 0.0, 96, 64, 0.0, False)
    assert media.frames.shape == (1, 64, 96, 3)
    assert number_of(media.frames[0]) == 77
    assert (media.decoder, media.frame_times_s.tolist(), media.warnings) == ("pillow", [0.0], ())
    assert media.audio.size == 0 and media.sample_rate == 0


@pytest.mark.parametrize(
    ("mode", "name"),
    [("RGB", "a.png"), ("L", "a.png"), ("1", "a.png"), ("P", "a.gif"), ("RGBA", "a.png"),
     ("LA", "a.png"), ("I;16", "a.png"), ("CMYK", "a.jpg"), ("RGB", "a.webp"), ("RGB", "a.bmp"),
     ("L", "a.pgm"), ("RGB", "a.tif"), ("I;16", "a.tif")],
)  # fmt: skip
def test_any_mode_becomes_rgb(mode: str, name: str, tmp_path: Path):
    image = Image.fromarray(picture(181))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    else:
        options = {"dither": Image.Dither.NONE, "palette": Image.Palette.ADAPTIVE}
        image = image.convert(mode, **(options if mode in ("1", "P") else {}))
    assert image.mode == mode
    image.save(tmp_path / name)
    frames = decode(str(tmp_path / name), PLAN).frames
    assert frames.shape == (1, 64, 96, 3) and frames.dtype == np.uint8
    assert number_of(frames[0]) == 181
    if mode not in ("1", "CMYK"):
        assert np.abs(frames[0].astype(int) - picture(181)).mean() < 4


def test_transparent_is_white(tmp_path: Path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (decode(str(tmp_path / "a.png"), PLAN).frames == 255).all()


def test_scaled_down_and_never_up(tmp_path: Path):
    Image.fromarray(picture(9, 400, 300)).save(tmp_path / "a.png")
    media = decode(str(tmp_path / "a.png"), DecodePlan(VideoSpec(max_side=100), None))
    assert media.frames.shape == (1, 75, 100, 3) and number_of(media.frames[0]) == 9
    assert (media.info.width, media.info.height) == (400, 300)
    assert decode(str(tmp_path / "a.png"), PLAN).frames.shape == (1, 300, 400, 3)
    assert decode(str(tmp_path / "a.png"), DecodePlan(None, 16000)).frames.shape[0] == 0


def test_damaged_still_is_one_line(tmp_path: Path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(
        tmp_path / "a.png"
    )
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(ClipError, match="^unreadable: ") as caught:
        decode(str(tmp_path / "a.png"), PLAN)
    assert caught.value.stage == "decode"


def test_a_picture_too_large_to_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ClipError, match="^unreadable: "):
        decode(str(tmp_path / "a.png"), PLAN)


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_an_animation_is_a_video(name: str, tmp_path: Path):
    pictures = [Image.fromarray(picture(n)) for n in range(6)]
    path = str(tmp_path / name)
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    plan = DecodePlan(VideoSpec(count=3), None)
    media = decode(path, plan)
    assert media.info.kind == "video"
    assert media.info.duration_s == pytest.approx(0.6, abs=0.01)
    assert [number_of(p) for p in media.frames] == [1, 3, 5]
    streamed = list(stream(path, plan, 0.3))
    assert [[number_of(p) for p in part.frames] for part in streamed] == [[1], [3, 5]]


def test_of_an_animated_webp_the_first_picture_counts(tmp_path: Path):
    """FFmpeg 8.1 reads the stills of this format only: where it has learned more, use it."""
    pictures = [Image.fromarray(picture(n)) for n in range(1, 6)]
    path = str(tmp_path / "a.webp")
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100, lossless=True)
    media = decode(path, PLAN)
    assert (media.info.kind, media.decoder) == ("image", "pillow")
    assert [number_of(p) for p in media.frames] == [1]
    with pytest.raises(av.error.FFmpegError), av.open(path) as container:
        next(container.decode(video=0))


@pytest.mark.parametrize(
    "row", ["3,{pixels},Training\n", '3,"{pixels}",PrivateTest', "3, Training, {pixels}\r\n"]
)
def test_line_of_fer2013_csv(row: str, tmp_path: Path):
    grey = np.arange(48 * 48).reshape(48, 48) % 251
    pixels = " ".join(map(str, grey.ravel()))
    (tmp_path / "part").write_bytes(row.format(pixels=pixels).encode())
    path = str(tmp_path / "part")
    assert probe(path) == MediaInfo("image", 0.0, 48, 48, 0.0, False)
    frames = decode(path, PLAN).frames
    np.testing.assert_array_equal(frames, np.repeat(grey[None, :, :, None], 3, axis=3))
    (tmp_path / "part").write_bytes(row.format(pixels=pixels[:-20]).encode())
    with pytest.raises(ClipError, match="^unreadable: "):
        decode(path, PLAN)
