"""Which files there are below an URI."""

import os
import stat
from collections.abc import Iterator
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
    member_uri,
    open_archive,
    scheme,
    split_member,
    version_of,
)

# What ``FileInfo.version`` says of a file that is not there.
GONE = "gone"


@dataclass(frozen=True, slots=True)  # there may be millions
class FileInfo:
    """One file: where it is, how many bytes, and what changes when its content does.

    ``version`` is the ETag on object stores, the modification time in nanoseconds on local disks,
    the archive's version and the member's CRC in archives; ``GONE`` for a link to nothing.
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
        if "no such bucket" in (line := explain(uri, error)):
            raise UsageError(line) from error
        return False
    except Exception as error:
        raise UsageError(explain(uri, error)) from error
    return True


def list_files(uri: str, suffixes: frozenset[str] | None = None) -> list[FileInfo]:
    """Every file below the folder, bucket, prefix or ZIP file ``uri``, sorted by URI.

    Hidden files and folders (a dot in front) and directory markers are left out. A link to nothing
    is listed, so that it is accounted for. A single file other than a ZIP file is its own list,
    whatever its suffix: who names it means it.

    Args:
        uri: see the package's docstring.
        suffixes: lower-case suffixes with their dot; None takes every file.

    Raises:
        UsageError: ``uri`` does not exist or cannot be read.
    """
    try:
        found = sorted(_files(uri, suffixes), key=lambda info: info.uri)
    except UsageError:
        raise
    except Exception as error:  # every filesystem has its own
        raise UsageError(explain(uri, error)) from error
    # rclone's server lists an object twice while it is being replaced
    return [info for i, info in enumerate(found) if not i or info.uri != found[i - 1].uri]


def has_suffix(name: str, suffixes: frozenset[str] | None) -> bool:
    """True when the name's suffix, in lower case, is one of ``suffixes`` (or these are None)."""
    return suffixes is None or PurePosixPath(name).suffix.lower() in suffixes


def _files(uri: str, suffixes: frozenset[str] | None) -> Iterator[FileInfo]:
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
    # Links to folders are followed; ``above`` (the folders we are in) stops one that leads back.
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while pending:
        folder, above = pending.pop()
        status = os.stat(folder)
        identity = (status.st_dev, status.st_ino)
        if identity in above:
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    pending.append((entry.path, above | {identity}))
                elif has_suffix(entry.name, suffixes) and (found := _local_file(entry)):
                    yield found


def _local_file(entry: os.DirEntry[str]) -> FileInfo | None:
    try:
        status = entry.stat()
    except FileNotFoundError:
        return FileInfo(local_uri(entry.path), 0, GONE)
    if not stat.S_ISREG(status.st_mode):  # a pipe or a socket: reading one may never end
        return None
    return FileInfo(local_uri(entry.path), status.st_size, str(status.st_mtime_ns))


def _visible(relative: str) -> bool:
    return bool(relative) and not any(part.startswith(".") for part in relative.split("/"))


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
                version = item["ETag"].strip('"')
                yield FileInfo(f"s3://{bucket}/{item['Key']}", int(item["Size"]), version)
        if not page.get("IsTruncated"):
            break
        token = {"ContinuationToken": page["NextContinuationToken"]}
    if empty and key:
        yield file_info(f"s3://{path}", fs, path)  # a single object, or FileNotFoundError


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
    members = open_archive(archive).zip.NameToInfo
    prefix = inner + "/" if inner else ""
    if inner and inner not in members and not any(name.startswith(prefix) for name in members):
        raise FileNotFoundError(inner)
    for name, info in members.items():
        single = name == inner and not info.is_dir()
        below = name.startswith(prefix) and not info.is_dir() and _visible(name[len(prefix) :])
        if single or (below and has_suffix(name, suffixes)):
            uri = member_uri(name, archive)
            yield FileInfo(uri, info.file_size, f"{version}-{info.CRC:08x}")
