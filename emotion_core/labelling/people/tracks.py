"""The tracks of all labelled videos and how they look, without holding the looks in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.labelling.tables import TRACKS, VIDEOS
from emotion_core.storage.parts import parts
from emotion_core.storage.temporary import temporary_folder


@dataclass(frozen=True)
class Track:
    """A person of one video.

    Attributes:
        clip_id, uri: of the video.
        track_id: numbered within it.
        seconds: ``labelled_s`` of its segments.
        row: where its embedding lies in ``Tracks.embeddings``; None where it has none.
    """

    clip_id: str
    uri: str
    track_id: int
    seconds: float
    row: int | None


@dataclass(frozen=True)
class Tracks:
    """Every track of some labels.

    Attributes:
        videos: their tracks, videos in order of URI, tracks by number.
        embeddings: float32 (rows, size), of length 1 each; mapped from a file.
    """

    videos: tuple[tuple[Track, ...], ...]
    embeddings: np.ndarray

    def look(self, track: Track) -> np.ndarray | None:
        """How a track looks, float32 (size,); None where nothing tells."""
        return None if track.row is None else np.asarray(self.embeddings[track.row])


@contextmanager
def open_tracks(out: str) -> Iterator[Tracks]:
    """The tracks of the labels at ``out``, as long as the block lasts.

    Some 200 bytes of a track are held; its embedding lies on the disk below ``TMPDIR``.

    Raises:
        UsageError: there are no labels, or they were made without ``--identify``.
    """
    with temporary_folder() as folder:
        place = Path(folder) / "embeddings"
        videos, rows, size = _gathered(out, place)
        mapped = np.zeros((0, 1), np.float32)
        if rows:
            mapped = np.memmap(place, np.float32, "r", shape=(rows, size))
        yield Tracks(videos, mapped)


def _gathered(out: str, place: Path) -> tuple[tuple[tuple[Track, ...], ...], int, int]:
    found: list[tuple[Track, ...]] = []
    rows = size = 0
    asked = False
    files = parts(storage.join(out, VIDEOS))
    if not files:
        raise UsageError(f"{out} holds no labels: give the --out of jobs/label.py")
    with place.open("wb") as file:
        for uri in files:
            table = storage.read_parquet([uri], ["clip_id", "uri"], optional=(TRACKS,))
            for video in table.to_pylist():
                mine = []
                asked |= video.get(TRACKS) is not None
                for track in video.get(TRACKS) or ():
                    look = track["embedding"]
                    if look is not None:
                        file.write(np.asarray(look, np.float32).tobytes())
                        rows, size = rows + 1, len(look)
                    row = None if look is None else rows - 1
                    ids = (video["clip_id"], video["uri"], track["track_id"])
                    mine.append(Track(*ids, track["seconds"], row))
                found.append(tuple(mine))
    if not asked:
        raise UsageError(
            f"{out}: labelled without --identify, so nothing tells people apart: label again with "
            "--identify FILE.onnx and another --out"
        )
    found.sort(key=lambda tracks: tracks[0].uri if tracks else "")
    return tuple(tracks for tracks in found if tracks), rows, size
