"""What a label job found, as numbers and words for people: sums, a choice of videos, names."""

from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.storage.uris import split_member
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
    name = split_name(uri)[1]
    if len(name) <= most:
        return name
    tail = most // 2 - 1
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def split_name(uri: str) -> tuple[str, str]:
    """A file's folder and its name, both printable on one line."""
    place = unquote(uri) if uri.startswith("file://") else uri  # undecodable bytes become U+FFFD
    if _in_archive(uri):
        member, archive = split_member(uri)
        place = f"{archive}/{member}"
    folder, _, name = place.rstrip("/").rpartition("/")
    return printable(folder), printable(name or uri)


def _in_archive(uri: str) -> bool:
    return uri.startswith("zip://") and "::" in uri


@dataclass(frozen=True)
class Names:
    """How pages name files.

    Attributes:
        short: by the last part of their names only, also where an error names them.
    """

    short: bool = False

    def place(self, uri: str) -> str:
        """A file or a folder, whole or its last part."""
        return split_name(uri)[1] if self.short else printable(uri)

    def name(self, uri: str) -> str:
        """A file's last part."""
        return split_name(uri)[1]

    def folder(self, uri: str) -> str:
        """Where a file lies; empty where names are short."""
        return "" if self.short else split_name(uri)[0]

    def error(self, text: str | None, uri: str) -> str:
        """What an error says of a file."""
        text = text or ""
        if self.short:
            # of a member, what is wrong with its archive names that one
            for place in (uri, *([split_member(uri)[1]] if _in_archive(uri) else [])):
                for whole in (place, unquote(place), unquote(place).removeprefix("file://")):
                    text = text.replace(whole, split_name(place)[1])
        return printable(text)


def lane_name(track_id: int | None) -> str:
    """Whose answers a lane holds: ``person 0``, or ``sound`` that is nobody's in particular."""
    return "sound" if track_id is None else f"person {track_id}"


def time_code(seconds: float) -> str:
    """``h:mm:ss``, as players and spreadsheets take it; whole seconds, rounded down."""
    minutes, rest = divmod(int(seconds + 1e-6), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
