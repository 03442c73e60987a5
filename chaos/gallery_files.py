"""Odd and broken media, made by PyAV and by hand: one file of each kind.

Files of other containers are those of ``tests.support.containers``; here is what is odd about a
file, not which container it has.
"""

import zipfile
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile
from PIL import Image

from tests.support.containers import NAMES, write
from tests.support.media_clips import picture, tone, write_clip

FRAMES = 50
RATE = 48000

Maker = Callable[[Path], Path]


def clip(name: str = "a.mp4", **how: Any) -> Maker:
    """A clip of two seconds, written as ``write_clip`` is told."""
    return lambda folder: write_clip(folder / name, **{"frames": FRAMES, **how})


def container(name: str) -> Maker:
    """The file of ``tests.support.containers`` that is called so."""
    return lambda folder: write(name, folder, 10 if name == "dv.dv" else FRAMES)


def damaged(source: Maker, name: str, change: Callable[[bytes], bytes]) -> Maker:
    """What ``source`` makes, changed and under another name."""

    def make(folder: Path) -> Path:
        path = source(folder)
        data = path.read_bytes()
        path.unlink()
        made = folder / name
        made.write_bytes(change(data))
        return made

    return make


def content(name: str, data: bytes) -> Maker:
    """These bytes under this name."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def called(name: str | bytes) -> Maker:
    """A good video whose name hurts."""

    def make(folder: Path) -> Path:
        path = write_clip(folder / "a.mp4", frames=FRAMES)
        other = Path(str(folder) + "/" + (name if isinstance(name, str) else _decoded(name)))
        return path.rename(other)

    return make


def _decoded(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def flipped(data: bytes, step: int = 997) -> bytes:
    """A bit in every so many bytes is the other way round, from the second kilobyte on."""
    out = bytearray(data)
    for place in range(2048, len(out), step):
        out[place] ^= 0x10
    return bytes(out)


def sound_file(channels: int, rate: int = RATE) -> Maker:
    """Two seconds of a tone in so many channels."""

    def make(folder: Path) -> Path:
        soundfile.write(folder / "a.wav", tone(2.0, rate, channels).T, rate)
        return folder / "a.wav"

    return make


def samples(name: str, make: Callable[[], np.ndarray], subtype: str) -> Maker:
    """These samples, at 48 kHz."""

    def write_them(folder: Path) -> Path:
        soundfile.write(folder / name, make(), RATE, subtype=subtype)
        return folder / name

    return write_them


def zipped(folder: Path) -> Path:
    """An archive that says it is a video."""
    with zipfile.ZipFile(folder / "a.mp4", "w") as archive:
        archive.writestr("readme.txt", "no video")
    return folder / "a.mp4"


def cover(name: str, alone: bool) -> Maker:
    """Sound with a picture of its cover; ``alone``: the picture without any sound."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w", format="mp4") as out:
            still: Any = out.add_stream("mjpeg", rate=1)
            still.width, still.height, still.pix_fmt = 96, 64, "yuvj420p"
            still.disposition = av.stream.Disposition.attached_pic
            voice: Any = None if alone else out.add_stream("aac", rate=RATE, layout="stereo")
            frame = av.VideoFrame.from_ndarray(picture(77), format="rgb24")
            frame.pts, frame.time_base = 0, Fraction(1, 1)
            for packet in [*still.encode(frame), *still.encode(None)]:
                out.mux(packet)
            if voice is not None:
                _speak(out, voice, 2.0)
        return folder / name

    return make


def _speak(out: Any, stream: Any, seconds: float, gain: float = 1.0) -> None:
    wave = gain * tone(seconds, RATE, 2)
    for start in range(0, wave.shape[1], 1024):
        block = np.ascontiguousarray(wave[:, start : start + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def several(
    name: str,
    videos: int = 1,
    sounds: int = 1,
    subtitles: str = "",
    chapters: int = 0,
    attachment: bytes = b"",
) -> Maker:
    """Several streams of a kind, the second video larger, and what else a container may hold."""

    def make(folder: Path) -> Path:
        with av.open(str(folder / name), "w") as out:
            shown = [_picture_stream(out, 96 << number, 64 << number) for number in range(videos)]
            heard: list[Any] = [
                out.add_stream("aac", rate=RATE, layout="stereo") for _ in range(sounds)
            ]
            words: Any = out.add_mux_stream(subtitles) if subtitles else None
            if chapters:
                out.set_chapters([_chapter(number) for number in range(chapters)])
            if attachment:
                out.add_attachment("font.ttf", "application/x-truetype-font", attachment)
            for stream in shown:
                _show(out, stream)
            for number, stream in enumerate(heard):
                _speak(out, stream, FRAMES / 25, 1 / (1 + number))
            if words is not None:
                packet = av.Packet(b"\0\x05hello" if subtitles == "mov_text" else b"hello")
                packet.stream, packet.pts, packet.dts, packet.duration = words, 0, 0, 1000
                packet.time_base = Fraction(1, 1000)
                out.mux(packet)
        return folder / name

    return make


def _picture_stream(out: Any, width: int, height: int) -> Any:
    video: Any = out.add_stream("libx264", rate=25)
    video.width, video.height, video.pix_fmt = width, height, "yuv420p"
    return video


def _show(out: Any, stream: Any) -> None:
    for number in range(FRAMES):
        image = picture(number, stream.width, stream.height)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 25)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def _chapter(number: int) -> Any:
    return {
        "id": number, "start": number, "end": number + 1, "time_base": Fraction(1, 1),
        "metadata": {"title": f"chapter {number}"},
    }  # fmt: skip


def moved(start_s: float) -> Maker:
    """All time stamps begin there, as in a recording of a broadcast."""
    late = [round(1000 * start_s) + 40 * number for number in range(FRAMES)]
    return clip("a.ts", times_ms=late, sound_from_s=start_s, sound_s=FRAMES / 25)


def animated(name: str) -> Maker:
    """Six pictures, 100 ms each."""

    def make(folder: Path) -> Path:
        pictures = [Image.fromarray(picture(n)) for n in range(6)]
        pictures[0].save(folder / name, save_all=True, append_images=pictures[1:], duration=100)
        return folder / name

    return make


def still(size: tuple[int, int]) -> Maker:
    """A still of this width and height."""

    def make(folder: Path) -> Path:
        Image.new("RGB", size, (200, 120, 90)).save(folder / "a.png")
        return folder / "a.png"

    return make


def renamed(source: Maker, name: str) -> Maker:
    """Another extension than the content has."""
    return damaged(source, name, lambda data: data)


_FAST = clip(mux_options={"movflags": "faststart"})
_WAVE = container("pcm.wav")
_RNG = np.random.default_rng(0)

FILES: Mapping[str, Maker] = {
    # not media, or not any more
    "zero bytes": content("a.mp4", b""),
    "one byte": content("a.mp4", b"\0"),
    "text with a video's name": content("a.mp4", b"This is no video.\n" * 100),
    "an error page saved as a video": content("a.mp4", b"<!doctype html><title>404</title>"),
    "random bytes": content("a.mp4", _RNG.bytes(50_000)),
    "nothing but zeros": content("a.mp4", bytes(50_000)),
    "an archive with a video's name": zipped,
    "head cut, MP4": damaged(_FAST, "a.mp4", lambda d: d[len(d) // 10 :]),
    "head cut, Matroska": damaged(container("h264.mkv"), "a.mkv", lambda d: d[400:]),
    "head cut, transport stream": damaged(container("h264.ts"), "a.ts", lambda d: d[1000:]),
    "tail cut, MP4 with its index at the end": damaged(clip(), "a.mp4", lambda d: d[:-5000]),
    "faststart cut in half": damaged(_FAST, "a.mp4", lambda d: d[: len(d) // 2]),
    "Matroska cut in half": damaged(container("h264.mkv"), "a.mkv", lambda d: d[: len(d) // 2]),
    "AVI cut in half": damaged(container("mpeg4.avi"), "a.avi", lambda d: d[: len(d) // 2]),
    "WAVE cut in half": damaged(_WAVE, "a.wav", lambda d: d[: len(d) // 2]),
    "MP3 cut in half": damaged(container("mp3.mp3"), "a.mp3", lambda d: d[: len(d) // 2]),
    "JPEG cut in half": damaged(container("still.jpg"), "a.jpg", lambda d: d[: len(d) // 2]),
    "PNG cut in half": damaged(container("still.png"), "a.png", lambda d: d[: len(d) // 2]),
    "first hundred bytes of MP4": damaged(_FAST, "a.mp4", lambda d: d[:100]),
    "bit flips, MP4": damaged(_FAST, "a.mp4", flipped),
    "bit flips, Matroska": damaged(container("h264.mkv"), "a.mkv", flipped),
    "bit flips, WebM": damaged(container("vp9.webm"), "a.webm", flipped),
    "bit flips, transport stream": damaged(container("h264.ts"), "a.ts", flipped),
    "garbage before an MP4": damaged(clip(), "a.mp4", lambda d: _RNG.bytes(512) + d),
    "garbage after an MP4": damaged(clip(), "a.mp4", lambda d: d + _RNG.bytes(5000)),
    "two MP4 in one file": damaged(clip(), "a.mp4", lambda d: d + d),
    # which streams there are
    "no sound": clip(sound=None),
    "no picture": clip("a.mp4", frames=0, sound_s=2.0),
    "a still for the cover of a song": cover("a.m4a", alone=False),
    "nothing but a cover": cover("a.m4a", alone=True),
    "two video streams": several("a.mkv", videos=2),
    "two sound streams": several("a.mp4", sounds=2),
    "subtitles, MP4": several("a.mp4", subtitles="mov_text"),
    "subtitles, Matroska": several("a.mkv", subtitles="srt"),
    "an attachment": several("a.mkv", attachment=b"\0\1\0\0" * 64),
    "chapters": several("a.mkv", chapters=2),
    # names
    "Matroska called .mp4": renamed(container("h264.mkv"), "a.mp4"),
    "JPEG called .mp4": renamed(container("still.jpg"), "a.mp4"),
    "MP3 called .avi": renamed(container("mp3.mp3"), "a.avi"),
    "MP4 called .txt": renamed(clip(), "a.txt"),
    "a name with spaces, quotes and #?%": called("a 'b' \"c\" #1? 100%20.mp4"),
    "a name of two lines": called("a\nb.mp4"),
    "a name that begins with a dash": called("-i.mp4"),
    "a name like an address": called("http:%2F%2Fexample.org:80.mp4"),
    "a name like a protocol": called("concat:a|b.mp4"),
    "a name that is not UTF-8": called(b"caf\xe9.mp4"),
    "a name of 255 bytes": called("x" * 251 + ".mp4"),
    "a name that drives a terminal": called("\x1b[31mred\u202e.mp4"),
    # times
    "one picture": clip(frames=1),
    "one picture and two seconds of sound": clip(frames=1, sound_s=2.0),
    "variable rate": clip(times_ms=[0, 40, 80, 400, 420, 900, 940, 1000, 1500, 1520, 1540, 1960]),
    "one picture a second": clip(fps=1, frames=4),
    "240 pictures a second": clip(fps=240, frames=480),
    "times that begin at an hour": moved(3600.0),
    "pictures that begin late": clip(
        "a.mkv", times_ms=[600 + 40 * n for n in range(35)], sound_s=2.0
    ),
    "delayed sound": clip(sound_from_s=1.0, sound_s=1.0),
    "sound shorter than picture": clip(sound_s=0.8),
    "sound longer than picture": clip(sound_s=4.0),
    "live WebM without a length": container("live.webm"),
    "fragments": container("h264-fragments.mp4"),
    # sound
    **{f"{n} channels": sound_file(n) for n in (1, 2, 3, 4, 5, 6, 7, 8)},
    **{f"{r} Hz": sound_file(2, r) for r in (8000, 11025, 16000, 22050, 32000, 44100, 96000)},
    "nothing but silence": samples("a.wav", lambda: np.zeros(2 * RATE), "PCM_16"),
    "video with nothing but silence": clip(loudness=0.0),
    "clipping": samples("a.wav", lambda: np.clip(20 * tone(2, RATE, 1)[0], -1, 1), "PCM_16"),
    "24 bits": samples("a.wav", lambda: tone(2.0, RATE, 1)[0], "PCM_24"),
    "floats beyond 1": samples("a.wav", lambda: 8 * tone(2.0, RATE, 1)[0], "FLOAT"),
    "floats that are no numbers": samples("a.wav", lambda: np.full(2 * RATE, np.nan), "FLOAT"),
    "ten milliseconds": samples("a.wav", lambda: tone(0.01, RATE, 1)[0], "PCM_16"),
    "no samples": samples("a.wav", lambda: np.zeros(0), "PCM_16"),
    # pictures
    "10 bits": clip(pix_fmt="yuv420p10le"),
    "10 bits, HEVC": clip(
        codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"}
    ),
    "4:4:4": clip(pix_fmt="yuv444p"),
    "4:2:2": clip(pix_fmt="yuv422p"),
    "grey": clip(pix_fmt="gray"),
    "RGB": clip("a.avi", codec="rawvideo", pix_fmt="bgr24", sound="pcm_s16le"),
    "transparent": clip("a.mov", codec="qtrle", pix_fmt="argb", sound="pcm_s16le"),
    **{f"turned by {d} degrees": clip(turned=d) for d in (90, 180, 270)},
    "mirrored": clip(hflip=True),
    "interlaced": clip(options={"x264-params": "interlaced=1"}),
    "odd size": clip("a.webm", size=(97, 63), codec="libvpx", sound="libopus"),
    "1 x 1": clip("a.avi", codec="ffv1", size=(1, 1), pix_fmt="bgr0", sound="pcm_s16le"),
    "2 x 2": clip(size=(2, 2)),
    "1 x 1 still": still((1, 1)),
    "8K": clip(size=(7680, 4320), frames=4, codec="mjpeg", pix_fmt="yuvj420p"),
    "8K still": still((7680, 4320)),
    # codecs and containers that others do not have
    "AV1": clip(codec="libsvtav1", options={"preset": "12"}),
    "AV1, WebM": clip("a.webm", codec="libsvtav1", sound="libopus", options={"preset": "12"}),
    "ProRes": clip("a.mov", codec="prores_ks", pix_fmt="yuv422p10le", sound="pcm_s16le"),
    "Cinepak": clip("a.avi", codec="cinepak", pix_fmt="rgb24", sound="pcm_s16le"),
    "HuffYUV": clip("a.avi", codec="huffyuv", pix_fmt="yuv422p", sound="pcm_s16le"),
    "animated GIF": animated("a.gif"),
    "animated WebP": animated("a.webp"),
    "animated PNG": animated("a.png"),
    **{name: container(name) for name in NAMES},
}  # fmt: skip
