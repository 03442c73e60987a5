"""Whether a corpus is all there, as its scanner sees it; and what is missing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from emotion_core import storage
from emotion_core.corpora import scan
from emotion_core.errors import UsageError
from emotion_core.fetching.plan import Selection
from emotion_core.fetching.sources import Source
from emotion_core.media.suffixes import MEDIA

# How a file of Git LFS begins that has not been downloaded; it is some 130 bytes long.
_POINTER = b"version https://git-lfs"
_POINTER_BYTES = 200


@dataclass(frozen=True)
class Complete:
    """What was found.

    Attributes:
        clips: utterances.
        groups: speakers, or subsets.
        by: which of these.
        missing: lines such as ``speaker JE: 119 of 120 clips``; empty when all is there.
    """

    clips: int
    groups: int
    by: str
    missing: tuple[str, ...]


def check_complete(name: str, source: Source, uri: str, wanted: Selection) -> Complete:
    """Count the clips at ``uri`` against what was published.

    Raises:
        UsageError: there is no clip of this corpus, or what is there are pointers of Git LFS.
    """
    _refuse_pointers(uri)
    found = scan(name, uri, wanted.modality).clips
    if name == "ravdess":
        kept = [clip for clip in found if wanted.channel in ("all", clip.channel)]
        found = [clip for clip in kept if wanted.actors is None or clip.speaker in wanted.actors]
        expected: Mapping[str, int] = wanted.expected()
    else:
        expected = source.each
    groups = Counter(str(getattr(clip, source.by)) for clip in found)
    return Complete(len(found), len(groups), source.by, tuple(_missing(source, groups, expected)))


def _missing(source: Source, groups: Counter[str], expected: Mapping[str, int]) -> list[str]:
    if not expected:
        total = groups.total()
        return [] if total >= source.clips else [f"{total:,} of {source.clips:,} clips"]
    return [
        f"{source.by} {group}: {groups[group]:,} of {count:,} clips"
        for group, count in expected.items()
        if groups[group] < count
    ]


def _refuse_pointers(uri: str) -> None:
    for info in storage.list_files(uri, MEDIA):
        if 0 < info.size < _POINTER_BYTES and storage.read_bytes(info.uri).startswith(_POINTER):
            raise UsageError(
                f"{info.uri}: a pointer of Git LFS and no media file: run git lfs pull in that "
                "folder first"
            )
