"""Whose trouble it is that an input cannot be fetched: the input's own, or that of all of them.

A file that is gone is one row that failed. A store that is down, keys that ran out or a full disk
would be the row of every input that is left, and a job that ends as if all were well; so these end
the job instead, and the same command goes on from there.

What passes is tried again first, with growing waits: botocore and s3fs do so for some ten seconds
with their defaults, and ``retrying`` around them for two minutes in all. ``AWS_MAX_ATTEMPTS`` is
how often both try.
"""

import errno
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from emotion_core.errors import ClipError, StorageError, UsageError
from emotion_core.storage.uris import aws_code, explain, filesystem, scheme, split_member, split_row

Result = TypeVar("Result")

# Names of exceptions, those of their bases included, for each filesystem's client has its own and
# need not be installed: botocore's, aiohttp's, those of requests and Python's.
PASSING = frozenset(
    {
        "ClientConnectionError",
        "ClientPayloadError",
        "ConnectionError",
        "HTTPClientError",
        "IncompleteRead",
        "IncompleteReadError",
        "ResponseParserError",
        "ResponseStreamingError",
        "Timeout",
        "TimeoutError",
    }
)
NO_CREDENTIALS = frozenset(
    {
        "CredentialRetrievalError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "ProfileNotFound",
        "SSOError",
        "TokenRetrievalError",
    }
)

# What an S3 server says, where the HTTP status does not.
PASSING_CODES = frozenset(
    {"InternalError", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling"}
)
LASTING_CODES = frozenset(
    {
        "AccountProblem",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidSecurity",
        "InvalidToken",
        "NoSuchBucket",
        "NotSignedUp",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
    }
)

# Said of one object, and of nothing else.
_OBJECTS_CODES = frozenset({"InvalidObjectState", "NoSuchKey", "NoSuchVersion"})

# A mounted folder that has lost its server.
_MOUNT = frozenset(
    {
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
# What the disk of the temporary copies may say.
_DISK = frozenset({errno.EDQUOT, errno.EFBIG, errno.ENOSPC, errno.EROFS})

_TRIES = 5
_FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 60.0


def trouble_with(uri: str, error: Exception) -> ClipError | StorageError:
    """What ``error``, met when ``uri`` was fetched, is for the job, as one line.

    An object that is refused (403), or not found without the server's saying whether it is the
    object or the bucket, is its own trouble while its bucket can still be listed. Where listing is
    not allowed either, one refused object cannot be told from rights that were lost, and counts as
    these.

    Returns:
        ``ClipError`` (stage ``fetch``): it is this input's; ``StorageError``: all are concerned.
    """
    if _of_the_disk(error):
        return StorageError(
            f"{uri}: no room for its copy in {tempfile.gettempdir()} ({_strerror(error)}): free "
            "some, or set TMPDIR to a folder on a larger disk"
        )
    line = str(error) if isinstance(error, UsageError) else explain(uri, error)
    place = _place(uri)
    if everybodys(error):
        # on the web every address is a place of its own: one that does not answer says nothing of
        # the others, and would end this job for ever
        alone = scheme(place) in ("http", "https")
        return ClipError("fetch", f"gone: {line}") if alone else StorageError(line)
    if _unclear(place, error) and (refused := _bucket_refuses(place)) is not None:
        return StorageError(explain(place, refused))
    return ClipError("fetch", line)


def retrying(
    function: Callable[[], Result], sleep: Callable[[float], object] = time.sleep
) -> Result:
    """``function()``, called again after a wait as long as it fails with something that passes.

    Raises:
        Exception: the last one of as many as ``AWS_MAX_ATTEMPTS`` says (by default five), or the
            first that does not pass.
    """
    for wait_s in _waits():
        try:
            return function()
        except Exception as error:
            if not passes(error):
                raise
        sleep(wait_s)
    return function()


def passes(error: BaseException) -> bool:
    """Whether it may be over in a moment: no connection, no answer, or too many requests."""
    for each in _chain(error):
        status = _status(each)
        if _is_a(each, PASSING) or aws_code(each) in PASSING_CODES:
            return True
        if isinstance(each, OSError) and each.errno in _MOUNT:
            return True
        if status in (408, 429) or (status >= 500 and status != 501):
            return True
    return False


def everybodys(error: BaseException) -> bool:
    """Whether it concerns all that would be read there, as far as the error itself says."""
    return passes(error) or _lasts(error)


def _lasts(error: BaseException) -> bool:
    return any(_is_a(e, NO_CREDENTIALS) or aws_code(e) in LASTING_CODES for e in _chain(error))


def _of_the_disk(error: BaseException) -> bool:
    return any(isinstance(each, OSError) and each.errno in _DISK for each in _chain(error))


def _place(uri: str) -> str:
    """The file itself: the archive or table, where it is a member or a row of one."""
    if scheme(uri) == "parquet":
        return split_row(uri)[2]
    return _place(split_member(uri)[1]) if scheme(uri) == "zip" else uri


def _unclear(place: str, error: Exception) -> bool:
    if scheme(place) != "s3" or any(aws_code(e) in _OBJECTS_CODES for e in _chain(error)):
        return False
    return any(isinstance(each, (PermissionError, FileNotFoundError)) for each in _chain(error))


def _bucket_refuses(uri: str) -> Exception | None:
    """What its bucket says to whoever wants to list it; None: it answers."""
    try:
        fs, path = filesystem(uri)
        bucket, _, key = path.partition("/")
        folder = key.rpartition("/")[0]
        fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=folder, MaxKeys=1)
    except Exception as error:  # botocore's, s3fs's and those of the connection
        return error
    return None


def _waits() -> Iterator[float]:
    """Seconds before each further try, spread so that workers do not all come back at once."""
    told = os.environ.get("AWS_MAX_ATTEMPTS", "")
    for number in range((int(told) if told.isdigit() else _TRIES) - 1):
        longest = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 4**number)
        yield random.uniform(longest / 2, longest)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from: an archive's trouble is that of its own place."""
    while error is not None:
        yield error
        error = error.__cause__


def _is_a(error: BaseException, names: frozenset[str]) -> bool:
    return any(kind.__name__ in names for kind in type(error).__mro__)


def _status(error: BaseException) -> int:
    """The HTTP status that came with it; 0: none did."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    status = getattr(error, "status", 0)
    return status if isinstance(status, int) else 0


def _strerror(error: BaseException) -> str:
    found = next(e for e in _chain(error) if isinstance(e, OSError) and e.errno in _DISK)
    return (found.strerror or str(found)).lower()
