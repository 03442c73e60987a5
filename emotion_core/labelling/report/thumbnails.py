"""A small picture of each person in a video, taken where their face was seen best."""

import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from PIL import Image

from emotion_core import storage
from emotion_core.errors import ClipError
from emotion_core.faces.crop import crop_face
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan
from emotion_core.recipes.specs import VideoSpec

SIDE = 72
_MARGIN = 0.4  # hair and chin: a person, not a mask
_QUALITY = 80
_TIMEOUT_S = 30.0
_INSTANT_S = 0.02  # less than a picture lasts
# A file that lies elsewhere is fetched as a whole, which a thumbnail is not always worth.
_MOST_BYTES = 1 << 30


def thumbnails(videos: Iterable[dict], segments: pa.Table) -> dict[tuple[str, int], bytes]:
    """A JPEG (``SIDE`` pixels square) of everybody in these videos.

    Args:
        videos: rows of ``videos_schema``.
        segments: as ``segments_schema``; those of other videos do not matter.

    Returns:
        ``(clip_id, track_id)`` -> JPEG. Nobody whose video cannot be read any more, or is so large
        and far away that fetching it would take long, is in it.
    """
    best = _best_faces(segments)
    found = {}
    with IsolatedDecoder(_TIMEOUT_S) as decoder:
        for video in videos:
            mine = [key for key in best if key[0] == video["clip_id"]]
            if not mine or (video["size"] > _MOST_BYTES and not storage.is_local(video["uri"])):
                continue
            try:
                with storage.local_copy(video["uri"]) as path:
                    for key in mine:
                        found[key] = _face(decoder, str(path), *best[key])
            except ClipError:
                continue  # a picture less: what became of the video is in its row
    return found


def _best_faces(segments: pa.Table) -> dict[tuple[str, int], tuple[float, list[float]]]:
    """When and where the face of each track has its highest score."""
    columns = ("clip_id", "track_id", "face_score", "face_time_s", "face_box")
    best: dict[tuple[str, int], tuple[float, float, list[float]]] = {}
    for clip_id, track_id, score, time_s, box in zip(
        *(segments[name].to_pylist() for name in columns), strict=True
    ):
        if track_id is None or box is None or time_s is None:
            continue
        if score > best.get((clip_id, track_id), (-1.0, 0.0, []))[0]:
            best[clip_id, track_id] = (score, time_s, box)
    return {key: (time_s, box) for key, (_, time_s, box) in best.items()}


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
