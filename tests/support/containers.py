"""One small file of every container, and of the codecs in it, that the tests can write."""

from pathlib import Path
from typing import Any

from PIL import Image

from tests.support.media_clips import picture, write_clip

PAL = (720, 576)

# name of the file -> what ``write_clip`` is told beside the number of pictures
VIDEOS: dict[str, dict[str, Any]] = {
    "h264.mp4": {},
    "h264-index-first.mp4": {"mux_options": {"movflags": "faststart"}},
    "h264-fragments.mp4": {
        "mux_options": {"movflags": "frag_keyframe+empty_moov"},
        "options": {"g": "10"},
    },
    "h265.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "turned.mov": {"turned": 90},
    "mpeg4.3gp": {"codec": "mpeg4"},
    "h264.mkv": {},
    "ffv1.mkv": {"codec": "ffv1", "sound": "flac"},
    "vp8.webm": {"codec": "libvpx", "sound": "libopus"},
    "vp9.webm": {"codec": "libvpx-vp9", "sound": "libopus"},
    "live.webm": {"codec": "libvpx", "sound": "libopus", "mux_options": {"live": "1"}},
    "mpeg4.avi": {"codec": "mpeg4", "sound": "libmp3lame"},
    "mjpeg.avi": {"codec": "mjpeg", "sound": "pcm_s16le", "pix_fmt": "yuvj420p"},
    "silent.avi": {"codec": "mpeg4", "sound": None},
    "h263.flv": {"codec": "flv", "sound": "libmp3lame", "rate": 44100},
    "h264.flv": {},
    "live.flv": {"mux_options": {"flvflags": "no_duration_filesize"}},
    "mpeg2.mpg": {"codec": "mpeg2video", "sound": "mp2"},
    "mpeg1.mpg": {"codec": "mpeg1video", "sound": "mp2"},
    "mpeg2.vob": {"codec": "mpeg2video", "sound": "ac3"},
    "h264.ts": {},
    "mpeg2.ts": {"codec": "mpeg2video", "sound": "mp2"},
    "vp8.ogg": {"codec": "libvpx", "sound": "libopus", "format": "ogg"},
    "msmpeg4.wmv": {"codec": "msmpeg4", "sound": "libmp3lame", "rate": 44100},
    "mpeg2.mxf": {"codec": "mpeg2video", "sound": "pcm_s16le"},
    "silent.mxf": {"codec": "mpeg2video", "sound": None},
    "mpeg2.gxf": {"codec": "mpeg2video", "sound": None, "size": PAL},
    "mpeg4.nut": {"codec": "mpeg4", "sound": "libmp3lame"},
    "dv.dv": {"codec": "dvvideo", "sound": "pcm_s16le", "size": PAL},
    "rv10.rm": {"codec": "rv10", "sound": "ac3"},
    "animation.gif": {"codec": "gif", "sound": None, "pix_fmt": "rgb8"},
    "animation.apng": {"codec": "apng", "sound": None, "pix_fmt": "rgb24"},
}
SOUNDS: dict[str, dict[str, Any]] = {
    "pcm.wav": {"sound": "pcm_s16le"},
    "adpcm.wav": {"sound": "adpcm_ms"},
    "rf64.wav": {"sound": "pcm_s16le", "mux_options": {"rf64": "always"}},
    "pcm.w64": {"sound": "pcm_s16le"},
    "pcm.aiff": {"sound": "pcm_s16be"},
    "pcm.au": {"sound": "pcm_s16be"},
    "pcm.caf": {"sound": "pcm_s16be"},
    "flac.flac": {"sound": "flac"},
    "flac.ogg": {"sound": "flac"},
    "opus.opus": {"sound": "libopus"},
    "aac.m4a": {"sound": "aac", "format": "ipod"},
    "alac.m4a": {"sound": "alac", "format": "ipod"},
    "mp3.mp3": {"sound": "libmp3lame"},
    "bare.mp3": {"sound": "libmp3lame", "mux_options": {"write_xing": "0"}},
    "mp2.mp2": {"sound": "mp2"},
    "aac.aac": {"sound": "aac", "format": "adts"},
    "ac3.ac3": {"sound": "ac3"},
    "eac3.eac3": {"sound": "eac3"},
    "wavpack.wv": {"sound": "wavpack", "sample_fmt": "s16p"},
    "tta.tta": {"sound": "tta", "sample_fmt": "s16"},
    "pcm.wma": {"sound": "pcm_s16le", "format": "asf"},
    "pcm.mka": {"sound": "pcm_s16le"},
    "amr.amr": {"sound": "libopencore_amrnb", "layout": "mono", "rate": 8000},
}
STILLS = (
    "still.png", "still.jpg", "still.webp", "still.bmp", "still.tif", "still.gif", "still.ppm",
    "still.pgm", "still.jp2", "still.avif",
)  # fmt: skip
NAMES = (*VIDEOS, *SOUNDS, *STILLS)


def write(name: str, folder: Path, frames: int = 50) -> Path:
    """The file ``name``, which lasts ``frames`` / 25 seconds unless it is a still."""
    path = folder / name
    if name in STILLS:
        Image.fromarray(picture(77)).convert("L" if name.endswith("pgm") else "RGB").save(path)
        return path
    if name in SOUNDS:
        return write_clip(path, frames=0, sound_s=frames / 25, **SOUNDS[name])
    return write_clip(path, frames=frames, **VIDEOS[name])


def small_ones(folder: Path) -> dict[str, bytes]:
    """A file of each name, as small as its container allows: 15 pictures, of DV three."""
    return {name: write(name, folder, 3 if name == "dv.dv" else 15).read_bytes() for name in NAMES}
