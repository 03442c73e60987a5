"""What a label job found, as numbers and words for people: sums, a choice of videos, names."""

from collections import Counter
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.progress import duration
from emotion_core.text import printable

_MOST_LETTERS = 42


def seconds_by_emotion(videos: pa.Table) -> dict[str, float]:
    """Labelled seconds per emotion, in canonical order.

    Args:
        videos: as ``videos_schema``.
    """
    labelled = videos["labelled_s"].fill_null(0.0).to_numpy()
    shares = _shares(videos)
    sums = {label: float(share @ labelled) for label, share in shares.items() if share.any()}
    names = [*(e for e in EMOTIONS if e in sums), *(name for name in sums if name not in EMOTIONS)]
    return {name: sums[name] for name in names}


def _shares(videos: pa.Table) -> dict[str, np.ndarray]:
    return {
        name.removeprefix("share_"): videos[name].fill_null(0.0).to_numpy()
        for name in videos.column_names
        if name.startswith("share_")
    }


def choose(videos: pa.Table, most: int) -> list[dict]:
    """Rows of the videos with most to see: many emotions first, then many people, then long ones.

    Returns:
        At most ``most`` rows, in that order.
    """
    counts = np.sum([share > 0 for share in _shares(videos).values()], axis=0)
    ids = videos["clip_id"].to_pylist()
    n_tracks = videos["n_tracks"].to_pylist()
    lengths = videos["duration_s"].to_pylist()
    places = np.flatnonzero(counts).tolist()
    places.sort(key=lambda i: (-counts[i], -n_tracks[i], -(lengths[i] or 0.0), ids[i]))
    return videos.take(pa.array(places[:most], pa.int64())).to_pylist()


def short_name(uri: str, most: int = _MOST_LETTERS) -> str:
    """The file's name, its middle left out when it is long, printable on one line."""
    name = unquote(uri) if uri.startswith("file://") else uri  # undecodable bytes become U+FFFD
    name = name.rstrip("/").rsplit("/", 1)[-1] or uri
    name = printable(name)
    if len(name) <= most:
        return name
    tail = most // 2 - 1
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def distinct_names(uris: list[str]) -> list[str]:
    """Short names; with their folder where the name alone would not tell files apart."""
    counts = Counter(short_name(uri) for uri in uris)
    return [
        short_name(uri) if counts[short_name(uri)] == 1 else f"{_folder(uri)}/{short_name(uri)}"
        for uri in uris
    ]


def _folder(uri: str) -> str:
    return short_name(uri.rstrip("/").rpartition("/")[0], 24) if "/" in uri else "."


def lane_name(track_id: int | None) -> str:
    """Whose answers a lane holds: ``person 0``, or ``sound`` that is nobody's in particular."""
    return "sound" if track_id is None else f"person {track_id}"


def shown_time(seconds: float, exact: bool = False) -> str:
    """Seconds for people: ``7.5 s``, ``12 min``, ``3.2 h``; exact: ``4.5 s`` or ``1:05:09``."""
    if exact and seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return duration(seconds)
