"""What patterns and long lists of URIs stand for."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from fsspec.utils import glob_translate

from emotion_core.errors import ClipError, UsageError
from emotion_core.storage.listing import (
    GONE,
    UNREADABLE,
    FileInfo,
    exists,
    files_at,
    list_files,
)
from emotion_core.storage.troubles import trouble_with
from emotion_core.storage.uris import (
    Unreadable,
    absolute,
    explain,
    filesystem,
    info_version,
    is_local,
    local_path,
    local_uri,
    no_bucket,
    scheme,
)

_WILD = re.compile(r"[*?\[]")
# Requests under way at once when many single objects are asked after.
_AT_ONCE = 32


def is_pattern(uri: str) -> bool:
    """True when ``uri`` holds a wildcard (``*``, ``?`` or ``[``) and is not there literally.

    Raises:
        UsageError: it cannot be told, or no bucket is named.
    """
    if not _WILD.search(uri) or scheme(uri) == "zip":
        return False
    if not is_local(uri) and _WILD.search(uri.split("/", 3)[2]):
        raise UsageError(f"{uri}: name the bucket, wildcards may come after it")
    return not exists(uri)


def list_pattern(uri: str) -> list[FileInfo]:
    """Every file that a pattern matches, or that lies below a folder it matches.

    ``*``, ``?`` and ``[...]`` stand for characters of one name, ``**`` for any number of folders;
    hidden names are left out, as in ``list_files``.

    Args:
        uri: local, or in an object store, whose bucket must be named.

    Returns:
        Each file once, sorted by URI; none where nothing matches.

    Raises:
        UsageError: it cannot be listed.
    """
    found = _local_matches(uri) if is_local(uri) else _remote_matches(uri)
    files = {info.uri: info for info in found}
    return [files[uri] for uri in sorted(files)]


def _local_matches(uri: str) -> Iterator[FileInfo]:
    whole: set[str] = set()  # folders that were listed: a later match below one is known
    pattern = local_path(uri) if "://" in uri else uri
    if not os.path.isabs(pattern):
        pattern = os.path.join(glob.escape(os.getcwd()), pattern)
    for match in glob.iglob(pattern, recursive=True):
        path = os.path.abspath(match)
        if any(str(folder) in whole for folder in PurePosixPath(path).parents):
            continue
        if os.path.isdir(path):
            whole.add(path)
        yield from _look_up(local_uri(path))


def _remote_matches(uri: str) -> Iterator[FileInfo]:
    wild = _WILD.search(uri)
    folder = uri[: wild.start() if wild else None].rpartition("/")[0]
    exact = glob_translate(uri.rstrip("/")).removesuffix(r"\Z")
    matches = re.compile(exact + r"(/.*)?\Z", re.DOTALL)
    listed = list_files(folder) if exists(folder) else []
    return (info for info in listed if matches.match(info.uri))


def look_up(uris: Sequence[str]) -> Iterator[list[FileInfo]]:
    """What is at each of ``uris``, in order: a file, or all files of a folder.

    What is not there is one ``FileInfo`` of size 0 and version ``GONE``; what cannot be read
    (a pipe, a damaged archive, no access, a scheme that nothing here opens) one of version
    ``UNREADABLE``. Remote places are asked side by side: a list may hold a million of them.

    Raises:
        UsageError: a store cannot be reached (no access, no server, no such bucket).
    """
    if all(is_local(uri) for uri in uris):
        yield from map(_look_up, uris)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        yield from pool.map(_look_up, uris)


def _look_up(uri: str) -> list[FileInfo]:
    try:
        return _found(uri)
    except Unreadable:
        return _unread(uri)
    except FileNotFoundError as error:
        if no_bucket(error):
            raise UsageError(explain(uri, error)) from error
        return [FileInfo(absolute(uri), 0, GONE)]
    except UsageError as error:
        cause = error.__cause__
        if isinstance(cause, FileNotFoundError) and not no_bucket(cause):
            return [FileInfo(absolute(uri), 0, GONE)]  # the archive that it would be in
        raise
    except Exception as error:  # every filesystem has its own
        if is_local(uri) or isinstance(trouble := trouble_with(uri, error), ClipError):
            return _unread(uri)
        raise UsageError(str(trouble)) from error


def _found(uri: str) -> list[FileInfo]:
    kind = scheme(uri)
    if kind == "s3" and not uri[len("s3://") :].strip("/"):
        raise Unreadable(f"{uri}: names no bucket")
    if kind == "s3" and not uri.lower().endswith(".zip"):
        fs, path = filesystem(uri)
        info = fs.info(path)
        if info["type"] != "directory":  # who lists an object means the object
            return [FileInfo(uri, int(info["size"] or 0), info_version(info))]
    return sorted(files_at(uri), key=lambda info: info.uri)


def _unread(uri: str) -> list[FileInfo]:
    folder = "/" if is_local(uri) and os.path.isdir(local_path(uri)) else ""
    return [FileInfo(absolute(uri) + folder, 0, UNREADABLE)]
