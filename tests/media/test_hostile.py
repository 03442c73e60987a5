"""Files and names that would lead a decoder elsewhere: to other files, addresses or devices."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from emotion_core.errors import ClipError
from emotion_core.media.decode import decode
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.stream import stream
from emotion_core.media.types import DecodePlan, Media
from emotion_core.recipes.specs import VideoSpec
from tests.support.listener import Listener
from tests.support.media_clips import number_of, write_clip

PLAN = DecodePlan(VideoSpec(count=4), 16000)
ITSELF = [2, 7, 12, 17]  # the pictures that are taken from twenty


def streamed(path: str, plan: DecodePlan) -> Media:
    (media,) = stream(path, plan, 60.0)
    return media


WAYS: dict[str, Callable[[str, DecodePlan], Media]] = {"decode": decode, "stream": streamed}


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Nobody calls while a test runs."""
    listener = Listener()
    yield listener
    listener.close()
    assert listener.calls == 1, "somebody else than the test itself has called"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "a.mp4", frames=20).read_bytes()


# --- files that name another one ---

TEXTS = {
    "concat.mp4": "ffconcat version 1.0\nfile '{target}'\n",
    "concat.txt": "ffconcat version 1.0\nfile {target}\ninpoint 0\n",
    "list.m3u": "#EXTM3U\n#EXTINF:2,\n{target}\n",
    "live.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n",
    "key.ts": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n#EXTINF:2,\n{target}\n',
    "entry.asx": '<asx version="3.0"><entry><ref href="{target}"/></entry></asx>',
    "reference.wmv": "[Reference]\nRef1={target}\n",
    "list.xspf": '<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track>'
    "<location>{target}</location></track></trackList></playlist>",
    "list.pls": "[playlist]\nFile1={target}\nNumberOfEntries=1\n",
    "scene.smil": '<smil><body><video src="{target}"/></body></smil>',
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video {port} RTP/AVP 96\na=control:{target}\n",
    "drawing.svg": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" '
    'xmlns:x="http://www.w3.org/1999/xlink"><image x:href="{target}"/></svg>',
    "drawing.mp4": '<?xml version="1.0"?><!DOCTYPE s [<!ENTITY e SYSTEM "{target}">]>'
    '<svg xmlns="http://www.w3.org/2000/svg"><text>&e;</text></svg>',
    "filter.mp4": "movie={target}",
    "lavfi.mp4": "testsrc=d=1",
    "smooth.ism": '<SmoothStreamingMedia MajorVersion="2"><StreamIndex Url="{target}"/>'
    "</SmoothStreamingMedia>",
    "package.imf": '<CompositionPlaylist xmlns="x"><Id>urn:uuid:1</Id></CompositionPlaylist>',
    "real.ram": "rtsp://127.0.0.1:{port}/x.rm\n{target}\n",
    "pictures.idx": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n",
    "inside.mp4": "\0\0\0\x10ftypisom\0\0\0\0#EXTM3U\n{target}\n",
    "terminal.mp4": "\x1b[2J hello \x1b[1;31m" * 50,
}


@pytest.mark.parametrize("to", ["network", "file"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_names_another_is_refused(
    name: str, to: str, listener: Listener, clip: bytes, tmp_path: Path
) -> None:
    target = f"http://127.0.0.1:{listener.port}/a.ts"
    if to == "file":
        target = str(tmp_path / "secret.mp4")
        Path(target).write_bytes(clip)
    path = tmp_path / name
    text = TEXTS[name].replace("{target}", target).replace("{port}", str(listener.port))
    path.write_bytes(text.encode())
    for way in WAYS.values():
        with pytest.raises(ClipError, match="^unreadable: ") as caught:
            way(str(path), PLAN)
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def alias(path: str) -> bytes:
    """A reference to another file as the Macintosh wrote it, as far as FFmpeg reads it."""
    head = bytearray(150)
    volume, name = b"Macintosh HD", Path(path).name.encode()
    head[10 : 11 + len(volume)] = bytes([len(volume)]) + volume
    head[50 : 51 + len(name)] = bytes([len(name)]) + name
    struct.pack_into(">hh", head, 130, 1, 1)
    place = path.encode() + b"\0" * (len(path) % 2)
    return bytes(head) + struct.pack(">hH", 2, len(place)) + place + struct.pack(">hH", -1, 0)


def references(data: bytes, entry: bytes) -> bytes:
    """The film with its media said to lie elsewhere."""
    out, place = b"", 0
    while place + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[place : place + 8])
        content = data[place + 8 : place + size]
        if kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
            out += box(kind, references(content, entry))
        elif kind == b"dref":
            out += box(b"dref", struct.pack(">II", 0, 1) + entry)
        else:
            out += data[place : place + size]
        place += size
    return out


@pytest.mark.parametrize("kind", ["alis", "url", "file url"])
def test_a_film_whose_media_lie_elsewhere_opens_nothing(
    kind: str, listener: Listener, tmp_path: Path
) -> None:
    secret = write_clip(tmp_path / "secret.mp4", frames=20)
    entries = {
        "alis": box(b"alis", struct.pack(">I", 0) + alias(str(secret))),
        "url": box(
            b"url ",
            struct.pack(">I", 0) + f"http://127.0.0.1:{listener.port}/x.mp4".encode() + b"\0",
        ),
        "file url": box(b"url ", struct.pack(">I", 0) + f"file://{secret}".encode() + b"\0"),
    }
    # the secret's own index, so that its pictures would be found; its media are not in this file
    whole = secret.read_bytes()
    start = whole.index(b"mdat") + 4
    end = whole.index(b"moov") - 4
    path = tmp_path / "film.mov"
    path.write_bytes(references(whole[:start] + bytes(end - start) + whole[end:], entries[kind]))
    with IsolatedDecoder(60) as decoder:
        ways = [
            lambda: [decoder.decode(str(path), PLAN)],
            lambda: [decoder.decode(str(path), DecodePlan(PLAN.video, 16000, "decord"))],
            lambda: decoder.stream(str(path), PLAN, 60.0),
        ]
        for way in ways:
            try:
                parts = list(way())
            except ClipError as error:
                assert str(error).startswith("unreadable: ")
            else:
                for part in parts:
                    assert not len(part.frames) or part.frames.std(axis=(1, 2)).max() < 5
                    assert not np.abs(part.audio).any()


# --- names ---

NAMES = [
    "concat:secret.mp4|secret.mp4",
    "subfile,,start,0,end,0,,:secret.mp4",
    "pipe:0",
    "data:video;base64,AAAA",
    "lavfi:testsrc",
    "-",
    "--help",
    "%d.mp4",
    "img%03d.jpg",
    "http:x.mp4",
    "file:secret.mp4",
    "cache:secret.mp4",
    "crypto:secret.mp4",
    "fd:",
    "two\nlines.mp4",
    "\x1b[31mred.mp4",
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES, ids=[repr(name) for name in NAMES])
def test_a_name_is_a_name(
    name: str, way: str, clip: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"nobody opens this")
    (tmp_path / name).write_bytes(clip)
    monkeypatch.chdir(tmp_path)
    for place in (name, str(tmp_path / name)):
        media = WAYS[way](place, PLAN)
        assert [number_of(p) for p in media.frames] == ITSELF
        assert len(media.audio) == pytest.approx(0.8 * 16000, abs=20)
