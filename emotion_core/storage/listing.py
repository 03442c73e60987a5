"""Which files there are below an URI."""

import heapq
import os
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

import fsspec

from emotion_core.errors import UsageError
from emotion_core.storage.uris import (
    absolute,
    explain,
    filesystem,
    info_version,
    is_local,
    local_uri,
    member_of,
    member_uri,
    members,
    no_bucket,
    open_archive,
    scheme,
    split_member,
    split_row,
    version_of,
)

# What ``FileInfo.version`` says of a file that is not there.
GONE = "gone"
# And of what is there but cannot be read: a pipe, a damaged archive, a folder without access.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)  # there may be millions
class FileInfo:
    """One file: where it is, how many bytes, and what changes when its content does.

    ``version`` is the ETag on object stores, the modification time in nanoseconds on local disks,
    the archive's version and the member's CRC in archives; ``GONE`` for a link to nothing,
    ``UNREADABLE`` for what cannot be read. An unreadable folder's URI ends with ``/``.
    """

    uri: str
    size: int
    version: str


def exists(uri: str) -> bool:
    """True when there is a file or a folder at ``uri``.

    Raises:
        UsageError: it cannot be told (no access, no server, no such bucket).
    """
    fs, path = filesystem(uri)
    if is_local(uri):
        return os.path.exists(path)
    try:
        fs.info(path)
    except FileNotFoundError as error:
        if no_bucket(error):
            raise UsageError(explain(uri, error)) from error
        return False
    except Exception as error:
        raise UsageError(explain(uri, error)) from error
    return True


def list_files(uri: str, suffixes: frozenset[str] | None = None) -> list[FileInfo]:
    """Every file below the folder, bucket, prefix or ZIP file ``uri``, sorted by URI.

    Hidden files and folders (a dot in front) and directory markers are left out. Links to nothing,
    pipes and devices, and folders that cannot be read are listed, so that they are accounted for.
    Links to folders are followed; each folder is listed once, under its own name where it has one
    below ``uri``. An object that is a prefix too is listed with what is below it. A single file
    other than a ZIP file is its own list, whatever its suffix: who names it means it.

    Args:
        uri: see the package's docstring.
        suffixes: lower-case suffixes with their dot; None takes every file.

    Raises:
        UsageError: ``uri`` does not exist or cannot be read.
    """
    try:
        found = sorted(files_at(uri, suffixes), key=lambda info: info.uri)
    except UsageError:
        raise
    except Exception as error:  # every filesystem has its own
        raise UsageError(explain(uri, error)) from error
    # rclone's server lists an object twice while it is being replaced
    return [info for i, info in enumerate(found) if not i or info.uri != found[i - 1].uri]


def has_suffix(name: str, suffixes: frozenset[str] | None) -> bool:
    """True when the name's suffix, in lower case, is one of ``suffixes`` (or these are None)."""
    return suffixes is None or PurePosixPath(name).suffix.lower() in suffixes


def files_at(uri: str, suffixes: frozenset[str] | None = None) -> Iterator[FileInfo]:
    """``list_files`` in any order, with the errors that the filesystem raises."""
    if scheme(uri) == "zip":
        return _archive_files(*split_member(uri), suffixes)
    fs, path = filesystem(uri)
    if is_local(uri):
        whole = os.path.isfile(path)
    elif scheme(uri) == "s3":
        whole = path.lower().endswith(".zip") and fs.isfile(path)
    else:
        whole = fs.isfile(path)
    if whole:
        if path.lower().endswith(".zip"):
            return _archive_files("", uri, suffixes)
        return iter([file_info(uri, fs, path)])
    if is_local(uri):
        return _local_files(path, suffixes)
    if scheme(uri) == "s3":
        return _s3_files(uri, fs, path.strip("/"), suffixes)
    return _other_files(fs, path.rstrip("/"), suffixes)


def file_info(uri: str, fs: fsspec.AbstractFileSystem, path: str) -> FileInfo:
    """The one file at ``uri``, which is ``path`` of ``fs``; errors as the filesystem raises them.

    An archive's member is none of these.
    """
    if is_local(uri):
        status = os.stat(path)
        return FileInfo(local_uri(path), status.st_size, str(status.st_mtime_ns))
    info = fs.info(path)
    return FileInfo(uri, int(info["size"] or 0), info_version(info))


def _local_files(root: str, suffixes: frozenset[str] | None) -> Iterator[FileInfo]:
    # Every folder once, and links last: seven folders that link to each other lead to each other
    # by fourteen thousand paths.
    seen: set[tuple[int, int]] = set()
    pending, links = [root], list[str]()
    while pending or links:
        folder = pending.pop() if pending else heapq.heappop(links)
        try:
            status = os.stat(folder)
            identity = status.st_dev, status.st_ino
            if identity in seen:
                continue
            seen.add(identity)
            with os.scandir(folder) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError:
            if folder == root:
                raise
            yield FileInfo(local_uri(folder) + "/", 0, UNREADABLE)
            continue
        for entry in visible:
            if _is_folder(entry):
                if entry.is_symlink():
                    heapq.heappush(links, entry.path)
                else:
                    pending.append(entry.path)
            elif has_suffix(entry.name, suffixes):
                yield _local_file(entry)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link that leads back to itself
        return entry.is_dir()
    return False


def _local_file(entry: os.DirEntry[str]) -> FileInfo:
    uri = local_uri(entry.path)
    try:
        status = entry.stat()
    except FileNotFoundError:
        return FileInfo(uri, 0, GONE)
    except OSError:
        return FileInfo(uri, 0, UNREADABLE)
    if not stat.S_ISREG(status.st_mode):  # a pipe or a socket: reading one may never end
        return FileInfo(uri, 0, UNREADABLE)
    return FileInfo(uri, status.st_size, str(status.st_mtime_ns))


def _visible(relative: str) -> bool:
    parts = relative.split("/")
    return bool(relative) and not any(p.startswith(".") and p not in (".", "..") for p in parts)


def _s3_files(
    uri: str, fs: fsspec.AbstractFileSystem, path: str, suffixes: frozenset[str] | None
) -> Iterator[FileInfo]:
    bucket, _, key = path.partition("/")
    prefix = key + "/" if key else ""
    # Page by page, and not fs.find: that builds a dictionary of a kilobyte for every object.
    token: dict[str, str] = {}
    empty = True
    while True:
        page = fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, **token)
        for item in page.get("Contents", []):
            empty = False
            relative = item["Key"][len(prefix) :]
            if relative.endswith("/") or not _visible(relative):
                continue
            if has_suffix(relative, suffixes):
                version = info_version(item)  # some stores give no ETag
                yield FileInfo(f"s3://{bucket}/{item['Key']}", int(item["Size"]), version)
        if not page.get("IsTruncated"):
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    if empty and key:
        yield file_info(f"s3://{path}", fs, path)  # a single object, or FileNotFoundError
    elif key and has_suffix(key, suffixes):
        with suppress(FileNotFoundError, PermissionError):  # an object that is a prefix too
            head = fs.call_s3("head_object", Bucket=bucket, Key=key)
            yield FileInfo(f"s3://{path}", int(head["ContentLength"]), info_version(head))


def _other_files(
    fs: fsspec.AbstractFileSystem, path: str, suffixes: frozenset[str] | None
) -> Iterator[FileInfo]:
    infos = fs.find(path, detail=True)
    if not infos and not fs.exists(path):
        raise FileNotFoundError(path)
    for name, info in infos.items():
        relative = name[len(path) :].lstrip("/")
        if _visible(relative) and has_suffix(name, suffixes):
            yield FileInfo(fs.unstrip_protocol(name), int(info["size"] or 0), info_version(info))


def _archive_files(inner: str, archive: str, suffixes: frozenset[str] | None) -> Iterator[FileInfo]:
    archive = absolute(archive)
    version = version_of(archive)
    held = members(open_archive(archive, version).zip)
    prefix = inner + "/" if inner else ""
    if inner and inner not in held and not any(name.startswith(prefix) for name in held):
        raise FileNotFoundError(inner)
    for name, info in held.items():
        single = name == inner and not info.is_dir()
        below = name.startswith(prefix) and not info.is_dir() and _visible(name[len(prefix) :])
        if single or (below and has_suffix(name, suffixes)):
            yield FileInfo(
                member_uri(name, archive), info.file_size, _member_version(version, info)
            )


def _member_version(archive: str, info: zipfile.ZipInfo) -> str:
    return f"{archive}-{info.CRC:08x}"


def version_now(uri: str) -> str:
    """What listing the file at ``uri`` would say of its version at this moment.

    Raises:
        UsageError: it cannot be reached.
        FileNotFoundError: an archive without this member.
    """
    if scheme(uri) == "parquet":
        return version_of(split_row(uri)[2])
    if scheme(uri) != "zip":
        return version_of(uri)
    member, archive = split_member(uri)
    version = version_of(archive)
    return _member_version(version, member_of(open_archive(archive, version).zip, member))
