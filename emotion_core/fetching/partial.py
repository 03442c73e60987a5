"""What has come of a file so far: kept where it goes, under a hidden name, until it is whole.

On a local disk that is ``.NAME.partial``, which is renamed at the end. In a bucket, where nothing
can be added to an object, it is objects of ``PIECE`` bytes below ``.NAME.partial/``: the store puts
them together at the end, without their coming back. Either can be read again, so that a checksum is
of all bytes, however often they were interrupted.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.uris import aws_code, explain, scheme

# A store copies parts of 5 MB and more, 10,000 of them at most: files of 160 GB.
PIECE = 16 << 20
_CHUNK = 1 << 20
_SUFFIX = ".partial"

Feed = Callable[[bytes], None]


class Partial(ABC):
    """The first bytes of ``target``, an URI; under that name nothing is there before ``finish``."""

    def __init__(self, target: str):
        self.target = target
        folder, _, name = target.rpartition("/")
        self._place = f"{folder}/.{name}{_SUFFIX}"

    @property
    def _note(self) -> str:
        return f"{self._place}.json"

    def origin(self) -> dict[str, Any]:
        """What ``begin`` was told of these bytes; empty when there are none."""
        if not storage.exists(self._note):
            return {}
        found = storage.read_json(self._note)
        return found if isinstance(found, dict) else {}

    def begin(self, origin: dict[str, Any]) -> None:
        """Forget what is there; what is added now is of this origin."""
        self.forget()
        storage.write_json(self._note, origin)

    def forget(self) -> None:
        """Remove all bytes, and where they came from."""
        self.close()
        self._remove()
        storage.remove(self._note)

    def finish(self) -> None:
        """Everything is there and right: give it its name."""
        self._publish()
        self.forget()

    @abstractmethod
    def resume(self, feed: Feed) -> int:
        """Give every byte that is kept to ``feed``, ready for more; how many these are."""

    @abstractmethod
    def add(self, chunk: bytes) -> None:
        """These bytes come next."""

    @abstractmethod
    def close(self) -> None:
        """No more for now. A bucket's unfinished piece is lost: a store copies no small one."""

    @abstractmethod
    def _remove(self) -> None: ...

    @abstractmethod
    def _publish(self) -> None: ...


def partial_of(target: str) -> Partial:
    """What has come of the file that shall be at the URI ``target``.

    Raises:
        UsageError: neither a local place nor a bucket.
    """
    if storage.is_local(target):
        return _LocalFile(target)
    if scheme(target) == "s3":
        return _Pieces(target)
    raise UsageError(f"{target}: --out takes a local folder or an s3:// URI")


class _LocalFile(Partial):
    def __init__(self, target: str):
        super().__init__(target)
        _, self._path = storage.filesystem(self._place)
        self._file: Any = None

    def resume(self, feed: Feed) -> int:
        if not os.path.exists(self._path):  # killed before the first byte
            return 0
        with _told(self.target), open(self._path, "rb") as file:
            while chunk := file.read(_CHUNK):
                feed(chunk)
            return file.tell()

    def add(self, chunk: bytes) -> None:
        with _told(self.target):
            if self._file is None:
                self._file = open(self._path, "ab")  # noqa: SIM115 - closed by close
            self._file.write(chunk)

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with _told(self.target):
                file.close()

    def _remove(self) -> None:
        storage.remove(self._place)

    def _publish(self) -> None:
        self.add(b"")  # an empty file is one too
        _, path = storage.filesystem(self.target)
        with _told(self.target):
            self._file.flush()
            os.fsync(self._file.fileno())
            os.replace(self._path, path)


class _Pieces(Partial):
    def __init__(self, target: str):
        super().__init__(target)
        self._count = 0
        self._buffer = bytearray()

    def resume(self, feed: Feed) -> int:
        total = 0
        self._count, self._buffer = 0, bytearray()
        while storage.exists(self._piece(self._count)):
            content = storage.read_bytes(self._piece(self._count))
            if len(content) != PIECE:  # the last of a whole file: it comes once more
                break
            feed(content)
            total += len(content)
            self._count += 1
        return total

    def add(self, chunk: bytes) -> None:
        self._buffer += chunk
        while len(self._buffer) >= PIECE:
            self._write(bytes(self._buffer[:PIECE]))
            del self._buffer[:PIECE]

    def close(self) -> None:
        self._count, self._buffer = 0, bytearray()

    def _write(self, content: bytes) -> None:
        storage.write_bytes(self._piece(self._count), content)
        self._count += 1

    def _piece(self, number: int) -> str:
        return f"{self._place}/{number:06d}"

    def _remove(self) -> None:
        storage.remove(self._place)

    def _publish(self) -> None:
        if self._count == 0:
            storage.write_bytes(self.target, bytes(self._buffer))
            return
        if self._buffer:
            self._write(bytes(self._buffer))
        pieces = [self._piece(number) for number in range(self._count)]
        with _told(self.target):
            if not _put_together(self.target, pieces):
                self._copy(pieces)

    def _copy(self, pieces: list[str]) -> None:
        """For a store that puts nothing together: they come back, and go as one."""
        with storage.open_write(self.target) as file:
            for piece in pieces:
                file.write(storage.read_bytes(piece))


def _put_together(target: str, pieces: list[str]) -> bool:
    """One object of several, within the store; False where it cannot do that.

    Not ``s3fs``'s ``merge``, which copies all parts at once, leaves the upload open when one fails,
    and takes names as they are where the protocol wants them encoded.
    """
    fs, path = storage.filesystem(target)
    bucket, _, key = path.partition("/")
    upload = {"Bucket": bucket, "Key": key}
    upload["UploadId"] = fs.call_s3("create_multipart_upload", **upload)["UploadId"]
    parts = []
    try:
        for number, piece in enumerate(pieces, start=1):
            _, source = storage.filesystem(piece)
            from_bucket, _, from_key = source.partition("/")
            done = fs.call_s3(
                "upload_part_copy",
                CopySource={"Bucket": from_bucket, "Key": from_key},
                PartNumber=number,
                **upload,
            )
            etag = done.get("CopyPartResult", {}).get("ETag")
            if not etag:  # rclone takes the copy for an upload of nothing, and answers 200
                fs.call_s3("abort_multipart_upload", **upload)
                return False
            parts.append({"PartNumber": number, "ETag": etag})
        fs.call_s3("complete_multipart_upload", MultipartUpload={"Parts": parts}, **upload)
    except Exception as error:
        fs.call_s3("abort_multipart_upload", **upload)
        if aws_code(error) == "NotImplemented":
            return False
        raise
    return True


@contextmanager
def _told(target: str) -> Iterator[None]:
    """Trouble with the place that is written to: one line that names it."""
    try:
        yield
    except (StorageError, UsageError):
        raise
    except Exception as error:  # every filesystem has its own
        raise StorageError(explain(target, error)) from error
