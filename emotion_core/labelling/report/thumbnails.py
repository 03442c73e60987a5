"""A small picture of each person in a video, taken where their face was seen best."""

import io
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from emotion_core import storage
from emotion_core.errors import ClipError, StorageError
from emotion_core.faces.crop import crop_face
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec

SIDE = 72
_MARGIN = 0.4  # hair and chin: a person, not a mask
_QUALITY = 80
_TIMEOUT_S = 30.0
_INSTANT_S = 0.02  # less than a picture lasts
# A file that lies elsewhere is fetched as a whole, which a picture is not always worth.
_MOST_BYTES, _MOST_BYTES_IN_ALL = 1 << 30, 4 << 30


class Thumbnails:
    """Makes pictures of the people in one video after the other; a context.

    Files that lie elsewhere are fetched until they have come to 4 GB: of the rest, and of files of
    more than 1 GB there, nobody has a picture.

    Attributes:
        trouble: why files elsewhere are not fetched any more; empty while they are.
    """

    def __init__(self) -> None:
        self._decoder = IsolatedDecoder(_TIMEOUT_S)
        self._left = _MOST_BYTES_IN_ALL
        self.trouble = ""

    def __enter__(self) -> "Thumbnails":
        self._decoder.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._decoder.__exit__(*error)

    def of(self, video: Mapping[str, Any], segments: pa.Table, most: int) -> dict[int, bytes]:
        """A JPEG (``SIDE`` pixels square) of each of the ``most`` people who have most answers.

        Args:
            video: row of ``videos_schema``.
            segments: as ``segments_schema``, the video's.
            most: people.

        Returns:
            track_id -> JPEG; empty where the video cannot be read any more.
        """
        best = _best_faces(segments, most)
        found: dict[int, bytes] = {}
        if not best or not self._worth_it(video):
            return found
        try:
            place = (video["uri"], None, video["size"], video["version"])
            with storage.local_copy(*place) as path:
                for track_id, (time_s, box) in best.items():
                    found[track_id] = _face(self._decoder, str(path), time_s, box)
        except ClipError:
            pass  # a picture less: what became of the video is in its row
        except StorageError as error:
            self._left = 0
            self.trouble = str(error)
        return found

    def _worth_it(self, video: Mapping[str, Any]) -> bool:
        if storage.is_local(video["uri"]):
            return True
        if video["size"] > min(_MOST_BYTES, self._left):
            return False
        self._left -= video["size"]
        return True


def _best_faces(segments: pa.Table, most: int) -> dict[int, tuple[float, list[float]]]:
    """When and where the faces of those seen most often have their highest score."""
    rows = segments.select(["track_id", "face_score", "face_time_s", "face_box"])
    rows = rows.filter(
        pc.and_(pc.is_valid(rows["track_id"]), pc.is_valid(rows["face_box"]))
    ).sort_by([("face_score", "descending")])
    counts = Counter(rows["track_id"].to_pylist())
    best: dict[int, tuple[float, list[float]]] = {}
    wanted = {track for track, _ in counts.most_common(most)}
    for row in rows.to_pylist():
        if row["track_id"] in wanted and row["face_time_s"] is not None:
            best.setdefault(row["track_id"], (row["face_time_s"], row["face_box"]))
    return best


def _face(decoder: IsolatedDecoder, path: str, time_s: float, box: list[float]) -> bytes:
    plan = DecodePlan(
        video=VideoSpec(sampling="uniform", count=1),
        sample_rate=None,
        decoder="pyav",  # what found the face
        start_s=time_s,
        end_s=time_s + _INSTANT_S,
    )
    frames = decoder.decode(path, plan).frames
    if not len(frames):
        raise ClipError("decode", "cut: there is no picture any more where a face was seen")
    height, width = frames[0].shape[:2]
    pixels = np.array(box, np.float32) * np.array([width, height, width, height], np.float32)
    crop = crop_face(frames[0], pixels, SIDE, _MARGIN, grey=False)
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
