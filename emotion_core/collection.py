"""Any collection of videos, sound files and pictures -> clips without labels."""

from dataclasses import dataclass

from emotion_core import storage
from emotion_core.clips import Clip
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import MEDIA, kind_of


@dataclass(frozen=True)
class Collection:
    """Clips to be labelled.

    Attributes:
        clips: sorted by URI, each once.
        others: files whose names end like nothing that holds pictures or sound.
    """

    clips: list[Clip]
    others: list[str]


def collect(uris: list[str]) -> Collection:
    """The media files that ``uris`` (files, folders, object store prefixes) stand for.

    A file that is named itself is taken whatever its name; below folders only names that end like
    media are.

    Raises:
        UsageError: an URI cannot be read, or there is no media file at all.
    """
    found: dict[str, Clip] = {}
    others = []
    for uri in uris:
        for file in storage.list_files(uri):
            named = file.uri == storage.absolute(uri)
            if named or kind_of(file.uri):
                found[file.uri] = Clip(file.uri, file.size, file.version)
            else:
                others.append(file.uri)
    if not found:
        raise UsageError(
            f"no media files in {', '.join(uris)}: looked for {' '.join(sorted(MEDIA))}"
        )
    return Collection([found[uri] for uri in sorted(found)], others)
