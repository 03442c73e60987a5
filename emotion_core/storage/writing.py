"""Writing whole files: under its final name a file is complete, or it is not there."""

import dataclasses
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.temporary import temporary_folder
from emotion_core.storage.uris import explain, filesystem, is_local, scheme

# Suffix of files that are being written; their names are hidden ones, which no reader looks at.
_UNFINISHED = ".unfinished"


@contextmanager
def open_write(uri: str) -> Iterator[BinaryIO]:
    """A binary file that appears at ``uri`` when the block ends without an error.

    Locally: a hidden temporary file in the same folder, flushed to disk and renamed. Elsewhere: a
    local temporary file, uploaded in one go at the end (object stores show an upload only when it
    is complete). Folders are made.

    Raises:
        UsageError: ``uri`` is inside an archive.
        StorageError: it cannot be written; one line that names the URI.
    """
    if scheme(uri) == "zip":
        raise UsageError(f"{uri}: archives are only read")
    fs, path = filesystem(uri)
    if is_local(uri):
        try:
            with _atomic(path) as file:
                yield file
        except StorageError:  # of another file that the block writes
            raise
        except OSError as error:
            raise StorageError(explain(uri, error)) from error
        return
    with temporary_folder() as folder, open(os.path.join(folder, "file"), "wb") as file:
        try:
            yield file
            file.flush()
        except StorageError:  # of another file that the block writes
            raise
        except OSError as error:
            raise StorageError(
                f"{explain(file.name, error)} (what is written to {uri} lies there first: TMPDIR)"
            ) from error
        try:
            fs.put_file(file.name, path)
        except Exception as error:  # every filesystem has its own
            raise StorageError(explain(uri, error)) from error


@contextmanager
def _atomic(path: str) -> Iterator[BinaryIO]:
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{uuid.uuid4().hex}{_UNFINISHED}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def remove_unfinished(folder: str) -> int:
    """Remove what killed writers left unfinished in a folder; how many files that were.

    Only for whoever has the folder to themselves. Object stores keep nothing unfinished.
    """
    if not is_local(folder):
        return 0
    _, path = filesystem(folder)
    left = list(Path(path).glob(f".*{_UNFINISHED}"))
    for file in left:
        file.unlink(missing_ok=True)
    return len(left)


def _sync_folder(folder: str) -> None:
    """Puts the rename itself on disk: a power cut must not take back a finished file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(uri: str, data: bytes) -> None:
    """``data`` as the file at ``uri``, atomically (see ``open_write``)."""
    with open_write(uri) as file:
        file.write(data)


def write_json(uri: str, obj: Any) -> None:
    """``obj`` as indented JSON at ``uri``, atomically.

    Dataclasses become objects, NumPy scalars numbers, paths and other things their ``str``; NaN and
    infinities, which JSON does not have, become null.
    """
    text = json.dumps(plain(obj), indent=2, ensure_ascii=False, allow_nan=False)
    # a local name that is not UTF-8 holds lone surrogates: as \\udcXX they survive in JSON
    write_bytes(uri, (text + "\n").encode("utf-8", "backslashreplace"))


def plain(obj: Any) -> Any:
    """``obj`` as ``json.loads`` would give it back."""
    if dataclasses.is_dataclass(obj) and not isinstance(obj, type):
        return plain({f.name: getattr(obj, f.name) for f in dataclasses.fields(obj)})
    if isinstance(obj, Mapping):
        return {str(key): plain(value) for key, value in obj.items()}
    if isinstance(obj, (list, tuple)):
        return [plain(value) for value in obj]
    if isinstance(obj, (set, frozenset)):
        return sorted(plain(value) for value in obj)
    if obj is None or isinstance(obj, (str, bool, int)):
        return obj
    if isinstance(obj, float):
        return obj if math.isfinite(obj) else None
    if hasattr(obj, "tolist"):  # NumPy and torch: scalars and arrays
        return plain(obj.tolist())
    return str(obj)


def write_parquet(uri: str, table: pa.Table, metadata: dict[str, str] | None = None) -> None:
    """``table`` as one zstd-compressed Parquet file at ``uri``, atomically.

    Args:
        uri: see the package's docstring.
        table: any Arrow table.
        metadata: added to what the table's schema carries.
    """
    if metadata:
        kept = table.schema.metadata or {}
        added = {key.encode(): value.encode() for key, value in metadata.items()}
        table = table.replace_schema_metadata({**kept, **added})
    with open_write(uri) as file:
        pq.write_table(table, file, compression="zstd")


def remove(uri: str) -> None:
    """The file or folder at ``uri`` and all below it; nothing happens where there is nothing.

    Raises:
        UsageError: ``uri`` is inside an archive.
        StorageError: it cannot be removed; one line that names the URI.
    """
    if scheme(uri) == "zip":
        raise UsageError(f"{uri}: archives are only read")
    fs, path = filesystem(uri)
    if is_local(uri):
        try:
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(explain(uri, error)) from error
        return
    try:
        for name in fs.find(path):
            fs.rm_file(name)  # not fs.rm: it reads '*' and '[' in a name as a pattern
    except FileNotFoundError:
        return
    except Exception as error:
        raise StorageError(explain(uri, error)) from error
