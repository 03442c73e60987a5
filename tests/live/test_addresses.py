"""What --source and --audio name."""

from pathlib import Path

import pytest

from emotion_core.errors import UsageError
from emotion_core.live.addresses import address


def test_a_number_is_a_camera_and_opens_no_microphone() -> None:
    camera = address("0", None, "linux")

    assert (camera.main.place, camera.main.format) == ("/dev/video0", "v4l2")
    assert camera.microphone is None and not camera.sound and not camera.file


def test_a_camera_has_the_microphone_that_was_named() -> None:
    linux, mac = address("1", "hw:2", "linux"), address("1", "2", "darwin")

    assert linux.microphone is not None
    assert (linux.microphone.place, linux.microphone.format) == ("hw:2", "alsa")
    assert (mac.main.place, mac.main.format, mac.sound) == ("1:2", "avfoundation", True)
    assert address("1", "none", "darwin").main.place == "1:none"


def test_a_file_has_its_own_sound(tmp_path: Path) -> None:
    clip = tmp_path / "a b.mp4"
    clip.write_bytes(b"")

    assert address(str(clip), None).sound and address(str(clip), None).file
    assert not address(str(clip), "none").sound
    assert address(clip.as_uri(), None).main.place == str(clip)


def test_a_stream_is_named_without_its_password() -> None:
    stream = address("rtsp://me:secret@camera:554/one?token=abc", None)

    assert stream.name == "rtsp://camera:554/one"
    assert "secret" in stream.main.place
    assert "hls" not in stream.main.options["format_whitelist"].split(",")


def test_keys_in_paths_are_in_no_name() -> None:
    assert address("rtmp://host/app/STREAMKEY", None).name == "rtmp://host/app"
    camera = "rtsp://host/user=admin_password=hush_channel=1.sdp"
    assert "hush" not in address(camera, None).name and "hush" in address(camera, None).main.place


@pytest.mark.parametrize(
    ("source", "audio", "platform", "told"),
    [
        ("rtsp://[fe80::1/one", None, "linux", "no address"),
        ("missing.mp4", None, "linux", "there is no such file"),
        ("s3://bucket/a.mp4", None, "linux", "choose one of rtsp"),
        ("rtsp://camera/one", "default", "linux", "goes with a camera"),
        ("0", None, "win32", "Linux and macOS"),
    ],
)
def test_what_is_not_opened(source: str, audio: str | None, platform: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        address(source, audio, platform)
