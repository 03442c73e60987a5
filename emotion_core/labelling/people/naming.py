"""Names from a table of one's own: ``file, track, name``."""

import re
from collections import defaultdict
from collections.abc import Iterable, Set
from pathlib import PurePosixPath

from emotion_core.corpora.listed import utf8
from emotion_core.corpora.manifest import table_rows
from emotion_core.corpora.scanning import stem
from emotion_core.errors import UsageError
from emotion_core.labelling.people.tracks import Tracks
from emotion_core.storage import path_of
from emotion_core.text import printable

_COLUMNS = ("file", "track", "name")
_LANE = re.compile(r"person \d+|sound")
_TRACK = re.compile(r"(?:person )?(\d+)")


def read_names(uri: str, tracks: Tracks) -> dict[tuple[str, int], str]:
    """The names that a CSV or Parquet file gives to tracks.

    Args:
        uri: of the table. ``file`` is a video's URI, or its file name with or without the suffix;
            ``track`` is its number there, or ``person 0`` as exports write it.
        tracks: what may be named.

    Returns:
        ``(clip_id, track_id)`` -> name.

    Raises:
        UsageError: a column is missing, there is no such track, several videos are called so, or
            a track is given two names.
    """
    rows = table_rows(uri)
    for name in _COLUMNS:
        if rows and name not in rows[0][1]:
            raise UsageError(f"{uri}: no column {name}; it needs {', '.join(_COLUMNS)}")
    videos = _by_name(tracks, {row["file"] for _, row in rows})
    found: dict[tuple[str, int], str] = {}
    for number, row in rows:
        where = f"{uri}, line {number}"
        file, name = row["file"], utf8(row["name"], where)
        clips, track = videos.get(file, {}), _TRACK.fullmatch(row["track"])
        if len(clips) > 1:
            raise UsageError(f"{where}: {len(clips)} videos are called {file}: give the whole URI")
        clip = next(iter(clips), "")
        if track is None or int(track[1]) not in clips.get(clip, ()):
            raise UsageError(f"{where}: no track {row['track']!r} of {file!r} in the labels")
        if not name or _LANE.fullmatch(name):
            raise UsageError(f"{where}: {name!r} is no name: lanes without one are called so")
        if printable(name) != name:
            raise UsageError(f"{where}: {name!r} is no name: it holds what cannot be shown")
        if found.setdefault((clip, int(track[1])), name) != name:
            before = found[clip, int(track[1])]
            raise UsageError(f"{where}: track {track[1]} of {file} is {before} already, not {name}")
    return found


def shared(named: dict[tuple[str, int], str]) -> Iterable[str]:
    """Names that two tracks of one video were given, in words."""
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for (clip, _), name in named.items():
        counts[clip, name] += 1
    return sorted({name for (_, name), count in counts.items() if count > 1})


def _by_name(tracks: Tracks, asked: Set[str]) -> dict[str, dict[str, set[int]]]:
    """What a video may be called -> its ``clip_id`` (of several: all) and track numbers.

    Of a large archive only what is ``asked`` for is held.
    """
    found: dict[str, dict[str, set[int]]] = defaultdict(dict)
    for video in tracks.videos:
        uri = video[0].uri
        for called in {uri, PurePosixPath(path_of(uri)).name, stem(uri)} & asked:
            found[called][video[0].clip_id] = {track.track_id for track in video}
    return found
