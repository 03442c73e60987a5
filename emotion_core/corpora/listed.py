"""Clips that somebody's table or labelling tool names: files, or stretches of them, with labels."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from emotion_core import storage
from emotion_core.clips.clip import Clip, stretch_member
from emotion_core.corpora import scanning
from emotion_core.errors import UsageError
from emotion_core.media.suffixes import kind_of
from emotion_core.recipes.emotions import canonical
from emotion_core.storage import GONE, UNREADABLE, FileInfo

CONTRADICTORY = "stretches with two labels"
# What exports call lanes that have no name: person 0, person 1, ..., and the sound, nobody's.
_SOUND = "sound"
_NAMELESS = re.compile(r"person \d+")
# What has a meaning in --split.
_OF_SPLITS = re.compile(r"[+/:]")


@dataclass(frozen=True)
class Listed:
    """A file, or a stretch of one, and what is said of it.

    Attributes:
        where: the line or task that says so, as a message names it.
        place: URI of the file.
        label: as it is written there.
        start_s, end_s: the stretch, seconds; None: from the beginning, to the end.
        lane: whose stretch an export said that it is; None: it does not come from one.
        told: further attributes of ``Clip``, None where nothing is told.
    """

    where: str
    place: str
    label: str
    start_s: float | None = None
    end_s: float | None = None
    lane: str | None = None
    told: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def member(self) -> str | None:
        """The part of the file that is meant, as ``Clip.member``."""
        if self.start_s is None and self.end_s is None:
            return None
        return stretch_member(self.start_s or 0.0, self.end_s)


def clips_of(listed: Sequence[Listed]) -> scanning.Scan:
    """What is listed as labelled clips; a file without a known label is ``unparsed``.

    A stretch that an export had in several lanes is one clip, which nobody can divide: it stays
    where they all have one label, and is left out where they do not.

    Raises:
        UsageError: a file that is not there or no file, or one that is listed twice (but in lanes).
    """
    places = list(dict.fromkeys(one.place for one in listed))
    there = dict(zip(places, storage.look_up(places), strict=True))
    infos = [_file(one, there[one.place]) for one in listed]
    speakers = _speakers(listed, infos)
    clips: dict[tuple[str, str | None], Clip] = {}
    first: dict[tuple[str, str | None], Listed] = {}
    contradictory: set[tuple[str, str | None]] = set()
    unparsed = []
    for one, info in zip(listed, infos, strict=True):
        emotion, kind = canonical(one.label), kind_of(info.uri)
        key = (info.uri, None if kind == "image" else one.member)
        before = first.setdefault(key, one)
        if before is not one and (one.lane is None or before.lane is None):
            raise UsageError(
                f"{one.where}: the file of {before.where.rpartition(', ')[2]} again, {info.uri}"
            )
        if emotion is None or kind is None:
            unparsed.append(info.uri)
            continue
        told = {"corpus": None, **one.told}
        clip = Clip(info.uri, info.size, info.version, key[1], emotion=emotion,
                    modality=scanning.MODALITIES[kind], **told)  # fmt: skip
        if one.lane is not None and clip.speaker is None:
            clip = replace(clip, speaker=speakers[info.uri])
        if clips.setdefault(key, clip).emotion != emotion:
            contradictory.add(key)
    found = sorted(
        (clip for key, clip in clips.items() if key not in contradictory),
        key=lambda clip: (clip.uri, clip.member or ""),
    )
    left_out = {CONTRADICTORY: len(contradictory)} if contradictory else {}
    return scanning.Scan(found, unparsed, left_out=left_out)


def _file(one: Listed, found: Sequence[FileInfo]) -> FileInfo:
    info = found[0]
    if len(found) != 1 or info.version in (GONE, UNREADABLE) or info.uri.endswith("/"):
        raise UsageError(f"{one.where}: {one.place} is no file to be read")
    return info


def _speakers(listed: Sequence[Listed], infos: Sequence[FileInfo]) -> dict[str, str]:
    """The speaker of each file whose stretches come in lanes, where nobody else tells one."""
    lanes: dict[str, set[str]] = {}
    for one, info in zip(listed, infos, strict=True):
        if one.lane is not None:
            lanes.setdefault(info.uri, set()).add(one.lane)
    return {uri: speaker_of(names, uri) for uri, names in lanes.items()}


def speaker_of(lanes: Collection[str], uri: str) -> str:
    """Whose a file is: its only person's, if that one has a name, and else the file's own.

    Several people of one file are one speaker: a stretch of it shows and sounds like all of them,
    so that they must not be on two sides of a split. The file is called by its name.

    Args:
        lanes: of its stretches, as exports call them.
        uri: of the file.
    """
    people = {lane for lane in lanes if lane not in ("", _SOUND)}
    named = len(people) == 1 and not _NAMELESS.fullmatch(min(people))
    return min(people) if named else _OF_SPLITS.sub("_", scanning.stem(uri))


def utf8(value: str, where: str) -> str:
    """``value``, unless it holds what no table can."""
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise UsageError(f"{where}: a name that is not UTF-8: save the table as CSV UTF-8")
    return value


def seconds_of(text: str, where: str) -> float | None:
    """Seconds, ``m:ss`` or ``h:mm:ss``, with a point or a comma; None for an empty cell.

    Raises:
        UsageError: it is none of these.
    """
    if not text:
        return None
    fields = text.replace(",", ".").split(":")
    if len(fields) > 3 or not all(re.fullmatch(r"\d+(\.\d*)?", each) for each in fields):
        raise UsageError(f"{where}: {text!r} is no time: write seconds or h:mm:ss")
    return sum(float(each) * 60**place for place, each in enumerate(reversed(fields)))


def ordered(start_s: float | None, end_s: float | None, where: str) -> None:
    """Raises ``UsageError`` unless a stretch ends after its start."""
    if end_s is not None and end_s <= (start_s or 0.0):
        raise UsageError(f"{where}: it ends at {end_s:g} s, before it begins at {start_s or 0:g} s")


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """The sums of several ``Scan.left_out``."""
    return dict(sum((Counter(each) for each in counts), Counter()))
