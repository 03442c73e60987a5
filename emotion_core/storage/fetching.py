"""The file of one clip on this machine: the one that was listed, and no more bytes than it had."""

import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from fsspec.callbacks import Callback

from emotion_core.errors import ClipError, StorageError
from emotion_core.storage.listing import version_now
from emotion_core.storage.mirrors import held_bytes
from emotion_core.storage.reading import bytes_of, open_read
from emotion_core.storage.temporary import temporary_folder
from emotion_core.storage.troubles import everybodys, retrying, trouble_with
from emotion_core.storage.uris import (
    Unreadable,
    explain,
    filesystem,
    is_local,
    member_of,
    open_archive,
    path_of,
    scheme,
)

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")
_SAFE_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")

# The most that is fetched where nothing says how long the file is, as of an endless stream.
MOST_UNSTATED = 16 << 30
# A server that gives less than this, after a while, holds the job up and not the file.
LEAST_RATE = 10_000  # bytes a second
PATIENCE_S = 300.0
# A member that unpacks to more than this and so many times its own length holds no media.
_BOMB_BYTES = 1 << 30
_BOMB_RATIO = 200
# What zipfile raises of a member: damaged, packed in a way that it does not know, encrypted.
_MEMBERS_OWN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
# What stays free on the disk of temporary copies.
_RESERVE = 256 << 20


@contextmanager
def local_copy(
    uri: str, member: str | None = None, size: int | None = None, version: str | None = None
) -> Iterator[Path]:
    """A local file with the content of ``uri``: itself where it is local, else a temporary copy.

    The copy is streamed to disk in small pieces, has the suffix of the original (decoders look at
    it) and is removed on the way out, or by the next process when this one is killed.

    Args:
        uri: see the package's docstring.
        member: ``bytes=START-END`` (end exclusive) gives only that part; None gives all.
        size: bytes that the whole file, or the part, was listed with; None or 0: not known.
        version: what it was listed with (``FileInfo.version``); None or empty: not known.

    Raises:
        ClipError: stage ``fetch``: ``gone`` when the file is not there, is another one than was
            listed, or cannot be reached; ``unreadable`` when it is no file, a ZIP bomb, or a
            damaged or encrypted member; ``timeout`` when it comes too slowly.
        StorageError: there is no room for a copy, or the store is in trouble (``troubles``).
    """
    if uri.lower().endswith(".zip") and scheme(uri) != "zip":
        with _fetching(uri):  # only one that cannot be opened is a clip: it says why
            open_archive(uri)
    if member is None and is_local(uri):
        _, path = filesystem(uri)
        with _fetching(uri):
            retrying(partial(_check_file, uri, path))
            _check_version(uri, version)
        yield Path(path)
        with _fetching(uri):  # what was read while it was written is neither
            _check_version(uri, version)
        return
    with temporary_folder() as folder:
        target = os.path.join(folder, "clip" + _suffix(uri))
        with _fetching(uri):
            retrying(partial(_fetch, uri, member, target, size or None))
            _check_version(uri, version)
        yield Path(target)


@contextmanager
def _fetching(uri: str) -> Iterator[None]:
    try:
        yield
    except (ClipError, StorageError):
        raise
    except Unreadable as error:
        raise ClipError("fetch", f"unreadable: {error}") from error
    except Exception as error:  # every filesystem has its own
        if scheme(uri) == "zip" and isinstance(error, _MEMBERS_OWN):
            raise ClipError("fetch", f"unreadable: {explain(uri, error)}") from error
        raise trouble_with(uri, error) from error


def _check_file(uri: str, path: str) -> None:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            os.listdir(path)  # one that was listed as unreadable says why
    except FileNotFoundError as error:
        raise ClipError("fetch", f"gone: {explain(uri, error)}") from error
    except (OSError, ValueError) as error:
        if everybodys(error):
            raise
        raise ClipError("fetch", f"unreadable: {explain(uri, error)}") from error
    if not stat.S_ISREG(mode):  # opening a pipe may never end
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"
        raise ClipError("fetch", f"unreadable: {uri}: {kind}, not a file")


def _check_version(uri: str, version: str | None) -> None:
    if version and (now := version_now(uri)) and now != version:
        raise ClipError(
            "fetch", f"gone: {uri}: not what it was when it was listed: repeat the command"
        )


def _suffix(uri: str) -> str:
    suffix = os.path.splitext(path_of(uri))[1]
    return suffix if _SAFE_SUFFIX.fullmatch(suffix) else ""


def _fetch(uri: str, member: str | None, target: str, size: int | None) -> None:
    if member is not None:
        _fetch_part(uri, member, target)
        return
    if scheme(uri) == "parquet":
        data = held_bytes(uri)
        _check_room(uri, target, len(data))
        Path(target).write_bytes(data)
        return
    if scheme(uri) == "zip":
        size = _unpacked(uri)
    _check_room(uri, target, size or 0)
    meter = _Meter(uri, size)
    if scheme(uri) == "s3":
        fs, path = filesystem(uri)
        # one stream: s3fs's parallel download holds ten blocks of 50 MB in memory
        fs.get_file(path, target, max_concurrency=1, callback=meter)
    else:
        with open_read(uri) as source, open(target, "wb") as copy:
            while chunk := source.read(_CHUNK):
                meter.relative_update(len(chunk))
                copy.write(chunk)
    meter.finish()


def _fetch_part(uri: str, member: str, target: str) -> None:
    match = _RANGE.fullmatch(member)
    if not match:
        raise ValueError(f"no such part: {member} (a part is written bytes=START-END)")
    start, end = int(match.group(1)), int(match.group(2))
    data = bytes_of(uri, start, end)
    if len(data) != end - start:
        raise OSError(f"ends before {member}: the file has changed")
    Path(target).write_bytes(data)


def _unpacked(uri: str) -> int:
    """Bytes of an archive's member; one that is a bomb is refused."""
    archive, name = filesystem(uri)
    info = member_of(archive.zip, name)
    if info.file_size > max(_BOMB_BYTES, _BOMB_RATIO * info.compress_size):
        raise ClipError(
            "fetch",
            f"unreadable: {uri}: {info.file_size:,} bytes packed into {info.compress_size:,}",
        )
    return info.file_size


def _check_room(uri: str, target: str, size: int) -> None:
    folder = os.path.dirname(target)
    free = shutil.disk_usage(folder).free
    if size + _RESERVE > free:
        raise StorageError(
            f"{os.path.dirname(folder)}: no room for a copy of {uri} ({size:,} bytes, {free:,} "
            "free): set TMPDIR to a larger disk"
        )


class _Meter(Callback):
    """Counts what comes: no more than there should be, and not too slowly.

    Args:
        uri: of the file.
        size: its bytes; None where nobody says.
        clock: seconds that pass.
    """

    def __init__(self, uri: str, size: int | None, clock: Callable[[], float] = time.monotonic):
        super().__init__()
        self._uri = uri
        self._bytes = size
        self._clock = clock
        self._start = clock()
        self._got = 0

    def relative_update(self, inc: int = 1) -> None:
        """So many more bytes have come."""
        self._got += inc
        if self._got > (MOST_UNSTATED if self._bytes is None else self._bytes):
            self._refuse()
        passed = self._clock() - self._start
        if passed > PATIENCE_S and self._got < LEAST_RATE * passed:
            message = f"timeout: {self._uri}: {self._got:,} bytes in {passed:.0f} s"
            raise ClipError("fetch", message)

    def finish(self) -> None:
        """That was all."""
        if self._bytes is not None and self._got < self._bytes:
            self._refuse()

    def _refuse(self) -> None:
        if self._bytes is None:
            message = f"unreadable: {self._uri}: more than {MOST_UNSTATED:,} bytes, and no end"
        else:
            message = (
                f"gone: {self._uri}: {self._got:,} bytes came of {self._bytes:,} that were listed: "
                "repeat the command"
            )
        raise ClipError("fetch", message)
