"""Files of web servers, from any byte on: what a cut connection leaves is gone on with."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emotion_core.errors import StorageError, UsageError
from emotion_core.text import redacted

if TYPE_CHECKING:
    from requests import Response

_TIMEOUT_S = (15.0, 60.0)  # to connect, between two chunks
_CHUNK = 1 << 20
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 60.0


class Cut(Exception):
    """A connection that did not come about or ended early: worth another try.

    Attributes:
        wait_s: what the server asked to wait; None: it did not say.
    """

    def __init__(self, message: str, wait_s: float | None = None):
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Stream:
    """The bytes of a file from ``start`` on.

    Attributes:
        start: 0 where the server gives no ranges, or has another file now.
        total: bytes of the whole file; None: not told.
        version: strong ETag or time of change, which says that the file is the same; else empty.
        chunks: raises ``Cut`` where they end early.
    """

    start: int
    total: int | None
    version: str
    chunks: Iterator[bytes]


@dataclass(frozen=True)
class Patience:
    """How often, and how long apart, what passes is tried again.

    Attributes:
        tries: in a row without one more byte.
        wait: sleeps so many seconds.
    """

    tries: int = 6
    wait: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, cut: Cut) -> None:
        """Before the next try: 1, 2, 4 ... seconds, or what the server asked for."""
        asked = cut.wait_s if cut.wait_s is not None else 2.0**attempt
        self.wait(min(asked, _LONGEST_WAIT_S))


_BRIEF = Patience(tries=2)


def get(url: str, patience: Patience = _BRIEF) -> bytes:
    """A small document.

    Raises:
        UsageError: it is not there, or access is refused.
        StorageError: nobody answers.
    """
    for attempt in range(patience.tries):
        try:
            with read_from(url) as stream:
                return b"".join(stream.chunks)
        except Cut as cut:
            if attempt + 1 == patience.tries:
                raise StorageError(f"{url}: {cut}") from cut
            patience.pause(attempt, cut)
    raise AssertionError("unreachable")


def size_of(url: str) -> int | None:
    """Bytes of a file, as its server says; None where it does not.

    Raises:
        UsageError: it is not there, or access is refused.
        StorageError: nobody answers.
    """
    try:
        with read_from(url) as stream:
            return stream.total
    except Cut as cut:
        raise StorageError(f"{url}: {cut}") from cut


@contextmanager
def read_from(url: str, offset: int = 0, version: str = "") -> Iterator[Stream]:
    """The file at ``url`` from byte ``offset`` on, if it still is the one of that ``version``.

    Raises:
        UsageError: it is not there, or access is refused: trying again is no use.
        Cut: it may be.
    """
    import requests

    headers = {"Accept-Encoding": "identity"}  # a packed answer has other bytes
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if version:
            headers["If-Range"] = version
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
            _check(url, answer.status_code, answer.headers.get("Retry-After"))
            yield _stream(answer, offset)
    except requests.RequestException as error:
        if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
            raise UsageError(f"{url}: not an address") from error
        raise Cut(f"the connection failed ({type(error).__name__})") from error


def _check(url: str, status: int, retry_after: str | None) -> None:
    if status in _BUSY:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else None
        raise Cut(f"the server is busy ({status})", wait)
    if status in (401, 403):
        raise UsageError(f"{redacted(url)}: access refused ({status})")
    if status in (404, 410):
        raise UsageError(f"{redacted(url)}: not there ({status})")
    if status not in (200, 206, 416):
        raise UsageError(f"{redacted(url)}: the server answers {status}")


def _stream(answer: "Response", offset: int) -> Stream:
    start, total = 0, answer.headers.get("Content-Length")
    if answer.status_code == 206:
        _, _, spanned = answer.headers.get("Content-Range", "").partition(" ")
        span, _, total = spanned.partition("/")
        if not span.startswith(f"{offset}-"):
            raise Cut("the server gave another range than was asked for")
        start = offset
    elif answer.status_code == 416:  # nothing beyond what is there already
        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        start = offset
    length = int(total) if total and total.isdigit() else None
    chunks = iter(()) if answer.status_code == 416 else answer.iter_content(_CHUNK)
    return Stream(start, length, _version(answer.headers), chunks)


def _version(headers: Mapping[str, str]) -> str:
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")
