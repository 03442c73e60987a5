"""What an URI means: local path, object store, member of an archive or row of a table."""

import os
import re
import zipfile
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.zip import ZipFileSystem

from emotion_core.errors import UsageError
from emotion_core.text import redacted

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*)://")


class Unreadable(UsageError):
    """A place that cannot be read, whatever else a command does: one input's own trouble."""


def scheme(uri: str) -> str:
    """Scheme of ``uri`` in lower case; ``file`` for a plain path."""
    match = _SCHEME.match(uri)
    return match.group(1).lower() if match else "file"


def is_local(uri: str) -> bool:
    """True for a plain path and for ``file://``."""
    return scheme(uri) == "file"


def local_path(uri: str) -> str:
    """Absolute local path of a plain path or ``file://`` URI, as ``os.fsdecode`` spells it."""
    if _SCHEME.match(uri):
        rest = uri[len("file://") :]
        rest = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
        uri = os.fsdecode(unquote_to_bytes(rest))
    return os.path.abspath(uri)


def local_uri(path: str) -> str:
    """The URI of an absolute local path: itself, or ``file://`` where it is not UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "file://" + quote(os.fsencode(path))
    return path


def absolute(uri: str) -> str:
    """``uri`` with a local path made absolute, so that it means the same in every process."""
    if is_local(uri):
        return local_uri(local_path(uri))
    if scheme(uri) == "zip" and "::" in uri:
        member, archive = split_member(uri)
        return member_uri(member, absolute(archive))
    if scheme(uri) == "parquet" and "::" in uri:
        row, name, table = split_row(uri)
        return row_uri(row, name, absolute(table))
    return uri


def member_uri(member: str, archive: str) -> str:
    """URI of ``member`` of the ZIP file at URI ``archive``."""
    return f"zip://{_encoded(member)}::{archive}"


def row_uri(row: int, name: str, table: str) -> str:
    """URI of the file called ``name`` in a row of the Parquet file at URI ``table``.

    Sorted, such URIs are in the order of the rows.
    """
    return f"parquet://{row:09d}/{_encoded(name)}::{table}"


def split_row(uri: str) -> tuple[int, str, str]:
    """Row, name and Parquet file of a ``row_uri``.

    Raises:
        Unreadable: it names no row.
    """
    held, _, table = uri[len("parquet://") :].partition("::")
    row, _, name = held.partition("/")
    if not (row.isdecimal() and name and table):
        raise Unreadable(f"{uri}: a row is written parquet://ROW/NAME::TABLE")
    return int(row), unquote(name), table


def _encoded(name: str) -> str:
    # '::' ends the name, so a name that holds it is encoded; '%' then has to be as well
    name = name.replace("%", "%25").replace("::", "%3A%3A").replace("\0", "%00")
    # else it would be taken for a part of 'zip://'
    return "%2F" + name[1:] if name.startswith("/") else name


def split_member(uri: str) -> tuple[str, str]:
    """Member name and archive URI of a ``zip://`` URI.

    Raises:
        Unreadable: the URI names no archive.
    """
    member, separator, archive = uri[len("zip://") :].partition("::")
    if not separator or not archive:
        raise Unreadable(f"{uri}: an archive member is written zip://MEMBER::ARCHIVE")
    return unquote(member.strip("/")), archive


def filesystem(uri: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The fsspec filesystem that holds ``uri`` and the path within it.

    Raises:
        Unreadable: the scheme is unknown, its package is missing, or an archive is damaged.
        UsageError: an archive cannot be reached.
    """
    kind = scheme(uri)
    if kind == "file":
        return LocalFileSystem(), local_path(uri)
    if kind == "zip":
        member, archive = split_member(uri)
        return open_archive(archive), member
    try:
        if kind == "s3":  # not url_to_fs: it would read '::' in a key as a chain of filesystems
            return fsspec.filesystem("s3", use_listings_cache=False), uri[len("s3://") :]
        return fsspec.core.url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise Unreadable(explain(uri, error)) from error


def open_archive(archive: str, version: str | None = None) -> ZipFileSystem:
    """The ZIP file at ``archive``, its directory read once a process and version.

    Args:
        archive: URI.
        version: what it is now (``version_of``), where the caller has just asked.

    Raises:
        Unreadable: it is no ZIP file, or a damaged one.
        UsageError: it cannot be reached.
    """
    return _open_archive(archive, version or version_of(archive), os.getpid())


# A central directory of 30,000 members takes a good part of a second to read, so workers keep the
# last few. The process id is part of the key: a forked child must not share a file's position.
@lru_cache(maxsize=4)
def _open_archive(archive: str, version: str, pid: int) -> ZipFileSystem:
    fs, path = filesystem(archive)
    if is_local(archive) and not os.path.isfile(path):
        raise Unreadable(f"{archive}: not a file")  # opening a pipe may never end
    try:
        # small blocks: members are read here and there, and fsspec's default is 50 MB on S3
        return ZipFileSystem(fs.open(path, "rb", block_size=1 << 20))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise Unreadable(explain(archive, error)) from error
    except Exception as error:  # fsspec and each object store have their own
        kind = Unreadable if is_local(archive) else UsageError
        raise kind(explain(archive, error)) from error


def members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Every member by its name; where several have one name, the earlier ones by number and name.

    The last has the plain name, as for every tool that unpacks. The others are called
    ``0 NUL NAME``, ``1 NUL NAME``: no name in an archive holds a NUL.
    """
    named = dict(archive.NameToInfo)
    if len(named) < len(archive.filelist):
        earlier: dict[str, int] = {}
        for info in archive.filelist:
            if named[info.filename] is not info:
                number = earlier[info.filename] = earlier.get(info.filename, -1) + 1
                named[f"{number}\0{info.filename}"] = info
    return named


def member_of(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The member that ``members`` calls so.

    Raises:
        FileNotFoundError: there is none.
    """
    held = members(archive) if "\0" in name else archive.NameToInfo
    if name not in held:
        raise FileNotFoundError(name)
    return held[name]


def version_of(uri: str) -> str:
    """Whatever changes when the content of the file at ``uri`` does.

    Raises:
        UsageError: it cannot be reached.
    """
    fs, path = filesystem(uri)
    try:
        if is_local(uri):
            return str(os.stat(path).st_mtime_ns)
        return info_version(fs.info(path))
    except Exception as error:
        raise UsageError(explain(uri, error)) from error


def info_version(info: dict[str, Any]) -> str:
    """The version that a filesystem's ``info`` tells: ETag, checksum or time of change."""
    for key in ("ETag", "etag", "md5Hash", "CRC", "mtime", "LastModified", "last_modified"):
        if info.get(key):  # s3fs says "" where a store gave none
            return str(info[key]).strip('"')
    return ""


def path_of(uri: str) -> str:
    """The path within its filesystem: a local path, ``bucket/key`` or an archive's member name.

    For reading names; a local path that is not UTF-8 is spelled as ``os.fsdecode`` does.
    """
    kind = scheme(uri)
    if kind == "file":
        return local_path(uri)
    if kind == "parquet" and "::" in uri:
        return split_row(uri)[1]
    return split_member(uri)[0] if kind == "zip" and "::" in uri else uri.split("://", 1)[1]


def join(uri: str, *parts: str) -> str:
    """``parts`` below ``uri``; parts are names, taken literally, with ``/`` between them."""
    below = "/".join(part.strip("/") for part in parts if part.strip("/"))
    if not below:
        return uri
    kind = scheme(uri)
    if kind == "zip":
        member, archive = split_member(uri)
        return member_uri(f"{member}/{below}".lstrip("/"), archive)
    if kind == "file" and _SCHEME.match(uri):
        return uri.rstrip("/") + "/" + quote(os.fsencode(below))
    joined = uri.rstrip("/") + "/" + below
    return local_uri(os.path.abspath(joined)) if _not_utf8(joined) else joined


def _not_utf8(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


_WAYS_OUT = {
    "NoCredentialsError": "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "or AWS_PROFILE",
    "PartialCredentialsError": "half of the credentials: set both AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY",
    "ProfileNotFound": "the profile that AWS_PROFILE names does not exist",
    "EndpointConnectionError": "the server cannot be reached: check AWS_ENDPOINT_URL",
    "ConnectTimeoutError": "the server does not answer: check AWS_ENDPOINT_URL",
    "ConnectionClosedError": "the server closed the connection: check AWS_ENDPOINT_URL",
    "BadZipFile": "not a ZIP file, or a damaged one",
}


def explain(uri: str, error: BaseException) -> str:
    """One line that names ``uri``, says what ``error`` means for it and what to do about it.

    Without what opens or signs an address: libraries put whole ones into their messages.
    """
    return redacted(_explained(uri, error))


def _explained(uri: str, error: BaseException) -> str:
    shown = uri if not _not_utf8(uri) else local_uri(local_path(uri))
    remote = not is_local(uri)
    name = type(error).__name__
    if name in _WAYS_OUT:
        return f"{shown}: {_WAYS_OUT[name]}"
    if no_bucket(error):
        return f"{shown}: no such bucket: check its name, or make it first"
    if isinstance(error, FileNotFoundError):
        return f"{shown}: no such file or folder"
    if isinstance(error, PermissionError) and remote:
        return (
            f"{shown}: access refused: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the "
            "rights they give"
            if scheme(uri) == "s3"
            else f"{shown}: access refused"
        )
    if isinstance(error, OSError) and error.strerror and not remote:
        return f"{shown}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return f"{shown}: {' '.join(str(error).split()) or name}"


def no_bucket(error: BaseException) -> bool:
    """Whether a store says that it has no bucket of that name, rather than no such object in it."""
    return aws_code(error) == "NoSuchBucket" or "bucket does not exist" in str(error)


def aws_code(error: BaseException) -> str:
    """Error code of a botocore ``ClientError``, also where s3fs wrapped it in an ``OSError``."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""
