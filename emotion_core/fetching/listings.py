"""The files of a corpus, as its publisher lists them or as they lie in a place of the user's."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from emotion_core import storage
from emotion_core.corpora.ravdess import SPEAKERS
from emotion_core.errors import StorageError, UsageError
from emotion_core.fetching.sources import WITHOUT_SONGS, Checksum, Record, Source
from emotion_core.fetching.web import get
from emotion_core.media.suffixes import MEDIA
from emotion_core.storage.uris import explain

# What else belongs to a corpus: archives, FER2013's pictures, CREMA-D's votes.
_TAKEN = MEDIA | {".zip", ".csv"}
_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True)
class Wanted:
    """One file to fetch.

    Attributes:
        name: relative to ``--out``, with ``/``.
        place: URL or URI.
        size: bytes; None where nobody says.
        checksum: as published; None where nobody says.
    """

    name: str
    place: str
    size: int | None = None
    checksum: Checksum | None = None


def published(record: Record) -> list[Wanted]:
    """The files that a record lists, sorted by name.

    Raises:
        UsageError: the answer is no such record.
        StorageError: nobody answers.
    """
    try:
        listed = json.loads(get(record.url))
        found = _FORMS[record.form](listed, record.content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{record.url}: no list of files ({type(error).__name__}): the publisher has changed "
            "it; download the files by hand and give --from their folder"
        ) from error
    if not found:
        raise UsageError(f"{record.url}: an empty list of files")
    return sorted(found, key=lambda each: each.name)


def _zenodo(listed: Any, content: str) -> list[Wanted]:
    """Zenodo's ``/api/records/ID``: ``files`` with ``key``, ``size``, ``checksum`` (md5:...)."""
    return [
        Wanted(
            _safe(file["key"]),
            content.format(quote(file["key"])),
            int(file["size"]),
            _checksum(*file["checksum"].split(":", 1)),
        )
        for file in listed["files"]
    ]


def _dataverse(listed: Any, content: str) -> list[Wanted]:
    """Dataverse's files of a version: ``dataFile`` with id, name, size and checksum."""
    found = []
    for entry in listed["data"]:
        file = entry["dataFile"]
        told = file.get("checksum") or {"type": "MD5", "value": file["md5"]}
        name = "/".join(each for each in (entry.get("directoryLabel"), file["filename"]) if each)
        checksum = _checksum(told["type"], told["value"])
        size = int(file["filesize"])
        found.append(Wanted(_safe(name), content.format(int(file["id"])), size, checksum))
    return found


_FORMS = {"zenodo": _zenodo, "dataverse": _dataverse}


def _checksum(algorithm: str, value: str) -> Checksum:
    algorithm, value = algorithm.lower().replace("-", ""), value.lower()
    if not re.fullmatch(rf"[0-9a-f]{{{_DIGITS[algorithm]}}}", value):
        raise ValueError(value)
    return Checksum(algorithm, value)


def _safe(name: str) -> str:
    """A name of the publisher's, which is written below ``--out`` and nowhere else."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or any(p.startswith(".") for p in path.parts):
        raise ValueError(name)
    if re.search(r"[\\\x00-\x1f:]", name):
        raise ValueError(name)
    return str(path)


def ravdess_names() -> list[str]:
    """The 49 archives of RAVDESS: sound of all actors in two, and videos in one for each actor."""
    sound = [f"Audio_{channel}_Actors_01-24.zip" for channel in ("Speech", "Song")]
    videos = [
        f"Video_{channel}_Actor_{actor}.zip"
        for channel in ("Speech", "Song")
        for actor in SPEAKERS
        if (channel, actor) != ("Song", WITHOUT_SONGS)
    ]
    return [*sound, *videos]


def elsewhere(place: str, names: Iterable[str], told: Mapping[str, Wanted]) -> list[Wanted]:
    """The files at ``--from``: of a web server those of these names, else whatever lies there.

    Args:
        place: URL, local path or URI of a folder or of one file.
        names: of the files that the publisher has; a web server lists nothing.
        told: what the publisher says of them, by name.

    Raises:
        UsageError: there is nothing at ``place``, or nothing says what to ask a web server for.
    """
    if not is_web(place):
        return _stored(place, told)
    last = unquote(PurePosixPath(urlsplit(place).path).name)
    if last.lower().endswith((".zip", ".csv")):
        return [_as_told(_inside(last, place), place, told)]
    names = list(names)
    if not names:
        raise UsageError(f"--from {place}: a web server lists no files: give the URL of one .zip")
    base = place.rstrip("/")
    return [_as_told(name, f"{base}/{quote(name)}", told) for name in names]


def is_web(place: str) -> bool:
    """Whether a place is asked for by HTTP."""
    return place.lower().startswith(("http://", "https://"))


def _as_told(name: str, place: str, told: Mapping[str, Wanted]) -> Wanted:
    known = told.get(name)
    return Wanted(name, place, known.size, known.checksum) if known else Wanted(name, place)


def _stored(place: str, told: Mapping[str, Wanted]) -> list[Wanted]:
    root = storage.absolute(place).rstrip("/")
    if root.lower().endswith(tuple(_TAKEN)):  # one file, and not what is inside the archive
        name = _inside(PurePosixPath(storage.path_of(root)).name, root)
        return [Wanted(name, root, stored_size(root), _of(told, name))]
    found = []
    above = storage.path_of(root).rstrip("/")
    for info in storage.list_files(root, _TAKEN):
        if info.version in (storage.GONE, storage.UNREADABLE):
            raise UsageError(f"{info.uri}: cannot be read")
        # by paths: a name that is not UTF-8 has another kind of URI than its folder
        name = _inside(storage.path_of(info.uri).removeprefix(above).lstrip("/"), info.uri)
        found.append(Wanted(name, info.uri, info.size, _of(told, PurePosixPath(name).name)))
    if not found:
        raise UsageError(f"--from {place}: no media files, archives or tables there")
    return found


def _inside(name: str, place: str) -> str:
    """A name at ``--from``: as it is there, but written nowhere else than below ``--out``."""
    if not name or name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
        raise UsageError(f"{place}: a name that leads out of its folder: rename it there")
    return name


def stored_size(uri: str) -> int:
    """Bytes of one file, an archive too.

    Raises:
        UsageError: it is not there.
    """
    fs, path = storage.filesystem(uri)
    try:
        return int(fs.info(path)["size"])
    except Exception as error:  # every filesystem has its own
        raise UsageError(explain(uri, error)) from error


def _of(told: Mapping[str, Wanted], name: str) -> Checksum | None:
    return told[name].checksum if name in told else None


def known(source: Source) -> dict[str, Wanted]:
    """What this package itself knows of a corpus's files, by name."""
    return {
        name: Wanted(
            name, source.record.content.format(quote(name)) if source.record else "", *told
        )
        for name, told in source.known.items()
    }


def told_by(source: Source) -> tuple[dict[str, Wanted], str]:
    """What is known of the files at all: of the record, else of this package.

    Returns:
        By name, and one line where the record could not be read (empty otherwise).
    """
    if source.record is None:
        return {}, ""
    try:
        return {each.name: each for each in published(source.record)}, ""
    except (UsageError, StorageError) as error:
        return known(source), str(error)
