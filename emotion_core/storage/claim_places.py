"""Where a claim lies: one small file that is put there only if nobody else did so meanwhile.

A local folder and an object store that honours conditions decide that themselves (``certain``).
Anywhere else it is looked up first, which leaves a moment in between.
"""

import email.utils
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import fsspec
from fsspec.asyn import sync

from emotion_core.errors import StorageError
from emotion_core.storage.uris import aws_code, explain, filesystem, is_local, join, scheme

# A hidden name: no listing has it, and --overwrite leaves it alone.
CLAIM = ".writer.json"

_REFUSED = ("PreconditionFailed", "412", "ConditionalRequestConflict", "409", "NoSuchKey", "404")
_UNKNOWN = ("NotImplemented", "501")
_NO_ETAG = '"00000000000000000000000000000000"'


@dataclass(frozen=True)
class Found:
    """What lies there.

    Attributes:
        data: the content.
        version: what changes with it, where the store tells (an ETag).
        age_s: seconds since it was put there, by the store's own clock, so that the clocks of two
            hosts are never compared; None where the store does not tell.
    """

    data: bytes
    version: str = ""
    age_s: float | None = 0.0


class Place(Protocol):
    """Where one claim lies. Every method raises ``StorageError`` when the store does not answer.

    Attributes:
        uri: of the file.
        certain: ``put`` decides between two at the same moment.
    """

    uri: str
    certain: bool

    def find(self) -> Found | None:
        """What lies there now; None: nothing."""

    def put(self, data: bytes, over: Found | None) -> Found | None:
        """Put ``data`` over what was found (None: where nothing is); None: it is not that now."""

    def probe(self, data: bytes) -> None:
        """Find out whether the place is ``certain``, once ``data`` lies there."""

    def drop(self, mine: Found) -> None:
        """Remove what lies there, if it is this."""


def place_of(out: str) -> Place:
    """The place of the claim on the folder ``out``."""
    uri = join(out, CLAIM)
    fs, path = filesystem(uri)
    if is_local(uri):
        return LocalPlace(uri, path)
    return S3Place(uri, fs, path) if scheme(uri) == "s3" else OtherPlace(uri, fs, path)


@contextmanager
def _explained(uri: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except Exception as error:  # every filesystem has its own
        raise StorageError(explain(uri, error)) from error


class LocalPlace:
    """A file of a local or shared folder, which is looked at and written under its own lock.

    ``flock`` reaches other hosts on NFS; on a shared filesystem that locks each host by itself (a
    mount option of Lustre) two hosts are not told apart at the same moment. Where there are no
    locks at all, the place is not ``certain``.
    """

    def __init__(self, uri: str, path: str):
        self.uri, self.path, self.certain = uri, path, True

    def find(self) -> Found | None:
        """See ``Place``."""
        with _explained(self.uri):
            try:
                with self._locked(os.O_RDWR) as file:
                    data = _content(file)
                    changed = os.fstat(file).st_mtime
            except FileNotFoundError:
                return None
            # a new file has the time of whoever keeps the folder, as the claim does
            with tempfile.TemporaryFile(dir=os.path.dirname(self.path)) as now:
                age = os.fstat(now.fileno()).st_mtime - changed
        return Found(data, age_s=age) if data else None  # empty: made, and then killed

    def put(self, data: bytes, over: Found | None) -> Found | None:
        """See ``Place``."""
        with _explained(self.uri):
            if over is None:
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
            try:
                with self._locked(os.O_RDWR | (os.O_CREAT if over is None else 0)) as file:
                    if _content(file) != (over.data if over else b""):
                        return None
                    os.pwrite(file, data, 0)
                    os.ftruncate(file, len(data))
            except FileNotFoundError:
                return None
        return Found(data)

    def probe(self, data: bytes) -> None:
        """Nothing to do: the lock has told."""

    def drop(self, mine: Found) -> None:
        """See ``Place``."""
        with _explained(self.uri):
            try:
                with self._locked(os.O_RDWR) as file:
                    if _content(file) == mine.data:
                        os.unlink(self.path)
            except FileNotFoundError:
                return

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        """The file, open and locked: nobody is in the middle of writing it."""
        while True:
            file = os.open(self.path, flags, 0o666)
            try:
                self._lock(file)
                if _is_still(file, self.path):
                    yield file
                    return
            finally:
                os.close(file)

    def _lock(self, file: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            self.certain = False


def _content(file: int) -> bytes:
    return os.pread(file, 1 << 16, 0)


def _is_still(file: int, path: str) -> bool:
    """False when the file was removed while we waited for its lock."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


class S3Place:
    """An object, put with the conditions of S3: ``If-None-Match: *`` and ``If-Match: ETAG``.

    Not every store knows them, and one that does not may say nothing: ``probe`` breaks both once,
    on purpose, and what it can break is looked up from then on.
    """

    def __init__(self, uri: str, fs: fsspec.AbstractFileSystem, path: str):
        self.uri, self.fs, self.certain = uri, fs, True
        self.bucket, _, self.key = path.partition("/")

    def find(self) -> Found | None:
        """See ``Place``."""
        with _explained(self.uri):
            try:
                data, answer = sync(self.fs.loop, self._get)
            except FileNotFoundError as error:
                if aws_code(error) == "NoSuchBucket":
                    raise
                return None
        told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        now = email.utils.parsedate_to_datetime(told) if told else datetime.now(UTC)
        age = (now - answer["LastModified"]).total_seconds()
        return Found(data, answer["ETag"], max(0.0, age))

    async def _get(self) -> tuple[bytes, dict[str, Any]]:
        answer = await self.fs._call_s3("get_object", Bucket=self.bucket, Key=self.key)
        async with answer["Body"] as body:
            return await body.read(), answer

    def put(self, data: bytes, over: Found | None) -> Found | None:
        """See ``Place``."""
        if self.certain:
            condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.version}
            version = self._put(data, **condition)
            if self.certain:  # it understood
                return None if version is None else Found(data, version)
        return _put_looking(self, data, over, lambda: self._put(data) or "")

    def probe(self, data: bytes) -> None:
        """See ``Place``."""
        broken = ({"IfNoneMatch": "*"}, {"IfMatch": _NO_ETAG})
        if self.certain and any(self._put(data, **condition) is not None for condition in broken):
            self.certain = False

    def drop(self, mine: Found) -> None:
        """See ``Place``."""
        there = self.find()
        if there is None or there.data != mine.data:
            return
        with _explained(self.uri):
            self.fs.call_s3("delete_object", Bucket=self.bucket, Key=self.key)

    def _put(self, data: bytes, **condition: str) -> str | None:
        """The new ETag, None when the store refused because of the condition."""
        where = {"Bucket": self.bucket, "Key": self.key}
        try:
            return self.fs.call_s3("put_object", **where, Body=data, **condition)["ETag"]
        except Exception as error:
            if condition and aws_code(error) in _UNKNOWN:
                self.certain = False
                return None
            if condition and aws_code(error) in _REFUSED:
                return None
            raise StorageError(explain(self.uri, error)) from error


class OtherPlace:
    """A file of any other filesystem that fsspec knows, which is looked up before it is put."""

    def __init__(self, uri: str, fs: fsspec.AbstractFileSystem, path: str):
        self.uri, self.fs, self.path, self.certain = uri, fs, path, False

    def find(self) -> Found | None:
        """See ``Place``."""
        with _explained(self.uri):
            try:
                data = self.fs.cat_file(self.path)
                return Found(data, age_s=self._age())
            except FileNotFoundError:
                return None

    def _age(self) -> float | None:
        try:
            changed = self.fs.modified(self.path)
        except NotImplementedError:
            return None
        return time.time() - changed.timestamp()

    def put(self, data: bytes, over: Found | None) -> Found | None:
        """See ``Place``."""
        return _put_looking(self, data, over, lambda: self._put(data))

    def _put(self, data: bytes) -> str:
        with _explained(self.uri):
            self.fs.makedirs(self.fs._parent(self.path), exist_ok=True)
            self.fs.pipe_file(self.path, data)
        return ""

    def probe(self, data: bytes) -> None:
        """Nothing to find out: there are no conditions here."""

    def drop(self, mine: Found) -> None:
        """See ``Place``."""
        there = self.find()
        if there is None or there.data != mine.data:
            return
        with _explained(self.uri):
            self.fs.rm_file(self.path)


def _put_looking(
    place: Place, data: bytes, over: Found | None, put: Callable[[], str]
) -> Found | None:
    """Look, and put if it is as expected: another may do the same in between."""
    there = place.find()
    if (there.data if there else None) != (over.data if over else None):
        return None
    return Found(data, put())
