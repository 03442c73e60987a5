"""Whether a file has all the bytes that it says it has.

Where a file is cut, FFmpeg shortens the lengths of several formats to what is there, and nobody
would know that something is missing. But their headers state how many bytes belong to them, or
their last bytes how they must end.
"""

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

# Sizes from here on stand for "unknown": what writes into a pipe cannot come back to its header.
_UNKNOWN = 0x7FFF0000
# Some writers count their own header, or a byte that fills up.
_SLACK = 16
# The least and the most of a file that are looked at to find a mark.
_HEAD = 1 << 16
_TAIL = 1 << 17
# Chunks of the ones below belong together to one that is damaged: there is no end to be found.
_MOST_CHUNKS = 100_000

_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_LIVE = 1
_W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


def ends_early(path: str, format: str) -> bool:
    """Whether bytes are missing at the end of a file, as far as its format can tell.

    Cannot be told: MPEG streams of all kinds, DV, NUT, bare AAC, AC-3, AMR and MP2, and what was
    written into a pipe (there the sizes in the headers are left open).

    Args:
        path: a local file.
        format: FFmpeg's first name of its format.
    """
    check = _CHECKS.get(format)
    if check is None:
        return False
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        try:
            return check(file, size)
        except (struct.error, ValueError):  # a header that is cut itself, or damaged
            return True


def states_length(path: str) -> bool:
    """Whether an MP3 file says how long it is, in a first frame of its own (Xing, Info, VBRI)."""
    with open(path, "rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3" and len(head) == 10:
            a, b, c, d = head[6:]
            file.seek(10 + (a << 21 | b << 14 | c << 7 | d))
        else:
            file.seek(0)
        frame = file.read(4096)
    return any(mark in frame for mark in (b"Xing", b"Info", b"VBRI"))


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """(kind, stated end) of the outer boxes of an MP4 file."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        elif length == 0:
            return  # to the end of the file, wherever that is
        if length < 8:
            return
        place += length
        yield kind, place


def _mov(file: BinaryIO, size: int) -> bool:
    return any(end > size for kind, end in _boxes(file, size) if kind in (b"mdat", b"moof"))


def _riff(file: BinaryIO, size: int) -> bool:
    """WAVE and AVI: the chunk of the samples, or the lists of the packets.

    What is missing of titles and authors behind them is not missed.
    """
    place, long_data = 0, None
    for _ in range(_MOST_CHUNKS):
        if place + 8 > size:
            return False
        file.seek(place)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind in (b"RIFF", b"RF64"):
            place += 12
            continue
        if kind == b"ds64":
            (long_data,) = struct.unpack("<8xQ8x", file.read(24))  # RF64: beyond 4 GB
        if kind == b"data" and long_data is not None:
            length = long_data
        elif length >= _UNKNOWN:
            return False
        end = place + 8 + length
        if end > size + _SLACK:
            return kind == b"data" or (kind == b"LIST" and file.read(4) == b"movi")
        place = end + length % 2
    return False


def _caf(file: BinaryIO, size: int) -> bool:
    place = 8
    while place + 12 <= size:
        file.seek(place)
        kind, length = struct.unpack(">4sq", file.read(12))
        if length < 0:
            return False
        place += 12 + length
        if kind == b"data":
            return place > size + _SLACK
    return False


def _w64(file: BinaryIO, size: int) -> bool:
    place = 40
    while place + 24 <= size:
        file.seek(place)
        kind, length = struct.unpack("<16sQ", file.read(24))
        if kind == _W64_DATA:
            return length < 1 << 62 and place + length > size + _SLACK
        if length < 24:
            return False
        place += (length + 7) // 8 * 8
    return False


def _asf(file: BinaryIO, size: int) -> bool:
    head = file.read(_HEAD)
    place = head.find(_ASF_PROPERTIES)
    if place < 0:
        return False
    (stated,) = struct.unpack_from("<Q", head, place + 40)
    (flags,) = struct.unpack_from("<I", head, place + 88)
    return not flags & _ASF_LIVE and stated > size + _SLACK


def _ogg(file: BinaryIO, size: int) -> bool:
    """The last page of a stream says that it is the last one (RFC 3533)."""
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    place = tail.rfind(b"OggS")
    if place < 0:
        return True
    (flags, count) = struct.unpack_from("<xxxxxB20xB", tail, place)
    lengths = tail[place + 27 : place + 27 + count]
    return not flags & 4 or place + 27 + count + sum(lengths) > len(tail)


def _gif(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - _TAIL))
    return not file.read().rstrip(b"\0\r\n").endswith(b";")


def _png(file: BinaryIO, size: int) -> bool:
    file.seek(max(0, size - _TAIL))
    return b"IEND" not in file.read()


_CHECKS: dict[str, Callable[[BinaryIO, int], bool]] = {
    "mov": _mov,
    "wav": _riff,
    "avi": _riff,
    "caf": _caf,
    "w64": _w64,
    "asf": _asf,
    "ogg": _ogg,
    "gif": _gif,
    "apng": _png,
}
