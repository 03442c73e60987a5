"""What of a corpus is fetched: by modality, channel and actor, and how much that is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from emotion_core.corpora.ravdess import SPEAKERS
from emotion_core.corpora.scanning import CHANNELS, CHOICES
from emotion_core.errors import UsageError
from emotion_core.fetching.listings import Wanted, is_web
from emotion_core.fetching.sources import WITHOUT_SONGS
from emotion_core.fetching.web import size_of

_ARCHIVE = re.compile(r"(Audio|Video)_(Speech|Song)_Actors?_(\d\d)(?:-(\d\d))?\.zip")


@dataclass(frozen=True)
class Selection:
    """What the user wants of a corpus; of RAVDESS, whose archives differ.

    Attributes:
        actors: two digits each; None: all.
        modality: one of ``corpora.scanning.CHOICES``; None: every archive.
        channel: one of ``corpora.scanning.CHANNELS``.
    """

    actors: tuple[str, ...] | None = None
    modality: str | None = None
    channel: str = "speech"

    def expected(self) -> dict[str, int]:
        """Clips of each actor of RAVDESS that a complete selection holds."""
        actors = self.actors or SPEAKERS
        counts = dict.fromkeys(actors, 0)
        for actor in actors:
            counts[actor] += 60 * (self.channel in ("speech", "all"))
            counts[actor] += 44 * (self.channel in ("song", "all") and actor != WITHOUT_SONGS)
        return {actor: count for actor, count in counts.items() if count}


def selection(actors: str | None, modality: str | None, channel: str) -> Selection:
    """The three options as they were typed.

    Raises:
        UsageError: a word that none of them knows.
    """
    if modality is not None and modality not in CHOICES:
        raise UsageError(f"no modality '{modality}': choose one of {', '.join(CHOICES)}")
    if channel not in CHANNELS:
        raise UsageError(f"no channel '{channel}': choose one of {', '.join(CHANNELS)}")
    return Selection(None if actors is None else _actors(actors), modality, channel)


def _actors(typed: str) -> tuple[str, ...]:
    """``1-4,7`` -> 01 02 03 04 07."""
    found: set[int] = set()
    for part in typed.split(","):
        match = re.fullmatch(r"\s*(\d{1,2})\s*(?:-\s*(\d{1,2})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= len(SPEAKERS):
            raise UsageError(f"--actors '{typed}': write numbers from 1 to 24, such as 1-4,7")
        found.update(range(first, last + 1))
    return tuple(f"{actor:02d}" for actor in sorted(found))


def select(files: Sequence[Wanted], wanted: Selection) -> list[Wanted]:
    """The archives of RAVDESS that hold some of the selection; what is no archive is kept.

    An archive of sound holds all actors and is taken whole.

    Raises:
        UsageError: none does.
    """
    found = [file for file in files if _holds(file.name, wanted)]
    if not found:
        raise UsageError("nothing published matches --actors, --modality and --channel together")
    return found


def _holds(name: str, wanted: Selection) -> bool:
    match = _ARCHIVE.fullmatch(name.rpartition("/")[2])
    if not match:
        return True
    kind, channel, first, last = match.groups()
    if wanted.channel not in ("all", channel.lower()):
        return False
    if wanted.modality is not None and (kind == "Audio") != (wanted.modality == "audio"):
        return False
    return wanted.actors is None or any(first <= a <= (last or first) for a in wanted.actors)


def with_sizes(files: Sequence[Wanted]) -> list[Wanted]:
    """``files`` with the sizes that web servers tell, where nobody else does."""
    return [
        replace(file, size=size_of(file.place))
        if file.size is None and is_web(file.place)
        else file
        for file in files
    ]


def rows(files: Sequence[Wanted]) -> list[Mapping[str, str]]:
    """A line for each of a few files, and one for all: for people."""
    shown = [_row(file.name, file.size, file.checksum is not None) for file in files[:60]]
    if len(files) > len(shown):
        shown.append({"file": f"and {len(files) - len(shown):,} more", "size": "", "checksum": ""})
    known = [file.size for file in files if file.size is not None]
    total = human(sum(known)) if known else "not told"
    if len(known) < len(files):
        total += f", {len(files) - len(known)} not told"
    return [*shown, {"file": f"all {len(files):,}", "size": total, "checksum": ""}]


def _row(name: str, size: int | None, checked: bool) -> dict[str, str]:
    told = "not told" if size is None else human(size)
    return {"file": name, "size": told, "checksum": "published" if checked else "none published"}


def human(size: int) -> str:
    """Bytes for people, in powers of 1,000: ``208.5 MB``."""
    value, unit = float(size), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
