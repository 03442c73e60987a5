"""Any collection of videos, sound files and pictures -> clips without labels.

An input is a file, a folder (with everything below it), a pattern, or a list of inputs (``listed``)
and they may be mixed; whatever several of them name is one clip.
"""

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.corpora.lists import is_list, read_list
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import MEDIA, kind_of
from emotion_core.storage import FileInfo


@dataclass(frozen=True)
class Wanted:
    """Which of the files that were found are meant.

    A pattern without ``/`` is compared with a file's name, one with ``/`` with the end of its path
    (``trailers/*`` with ``/archive/trailers/a.mp4``); ``*`` stands for any characters, ``/`` too,
    and case counts.

    Attributes:
        include: a file must match one of these; empty: any file.
        exclude: and none of these.
        limit: only so many, the first by URI.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    limit: int | None = None

    def takes(self, uri: str) -> bool:
        """True when ``include`` and ``exclude`` let the file pass."""
        path = storage.path_of(uri)
        if self.include and not any(_matches(path, pattern) for pattern in self.include):
            return False
        return not any(_matches(path, pattern) for pattern in self.exclude)


@dataclass(frozen=True)
class Collection:
    """Clips to be labelled.

    Attributes:
        clips: sorted by URI, each once. One that was listed but is not there has size 0 and the
            version ``storage.GONE``, one that cannot be read ``storage.UNREADABLE``; so has a
            folder without access, whatever is in it, and its URI ends with ``/``.
        others: files whose names end like nothing that holds pictures or sound.
    """

    clips: list[Clip]
    others: list[str]


def collect(inputs: Sequence[str], wanted: Wanted = Wanted()) -> Collection:  # noqa: B008 - frozen
    """The media files that ``inputs`` stand for.

    A file that is named itself, or in a list, is taken whatever its name; below folders, in
    archives and by patterns only names that end like media are. What is there but cannot be read
    is a clip too: it gets its row like every other.

    Raises:
        UsageError: an input is not there, a list cannot be read, a store cannot be reached, a
            folder, pattern or list holds no media, or nothing is left of them all.
    """
    found: dict[str, FileInfo] = {}
    others: set[str] = set()
    for given in inputs:
        empty = True
        for file, meant in _files(given):
            if meant or kind_of(file.uri) or file.uri.endswith("/"):
                empty = False
                found.setdefault(file.uri, file)
            else:
                others.add(file.uri)
        if empty:
            raise UsageError(_nothing_in(given))
    left = sorted(uri for uri in found if wanted.takes(uri))
    if not left:
        raise UsageError(
            f"--include and --exclude leave nothing of {len(found)} files, such as "
            f"{min(found, default='none')}"
        )
    clips = [Clip(uri, found[uri].size, found[uri].version) for uri in left[: wanted.limit]]
    return Collection(clips, sorted(uri for uri in others - set(found) if wanted.takes(uri)))


def _files(given: str) -> Iterator[tuple[FileInfo, bool]]:
    """The files of one input, and whether each was named itself."""
    if is_list(given):
        yield from _listed(read_list(given))
    elif storage.is_pattern(given):
        yield from ((file, False) for file in storage.list_pattern(given))
    else:
        whole = storage.absolute(given)
        (found,) = storage.look_up([whole])
        if any(file.version == storage.GONE and file.uri == whole for file in found):
            raise UsageError(f"{given}: no such file or folder")
        yield from ((file, file.uri == whole) for file in found)


def _listed(uris: Iterable[str]) -> Iterator[tuple[FileInfo, bool]]:
    unique = list(dict.fromkeys(uris))
    for uri, files in zip(unique, storage.look_up(unique), strict=True):
        yield from ((file, file.uri == uri) for file in files)


def _nothing_in(given: str) -> str:
    if is_list(given):
        return f"{'standard input' if given == '-' else given}: the list is empty"
    if storage.is_pattern(given):
        return f"{given}: no media file matches"
    return f"no media files in {given}: looked for {' '.join(sorted(MEDIA))}"


def _matches(path: str, pattern: str) -> bool:
    if "/" not in pattern:
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern)
    return fnmatch.fnmatchcase("/" + path.lstrip("/"), "*/" + pattern.lstrip("/"))
