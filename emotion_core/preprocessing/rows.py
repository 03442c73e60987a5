"""Step 4: what was made of clips becomes rows of the features table."""

from typing import Any

import pyarrow as pa

from emotion_core.clips.work import ClipWork, outcome_columns
from emotion_core.faces.crop import encode_png
from emotion_core.preprocessing.rows import FEATURES


def feature_rows(works: list[ClipWork]) -> pa.Table:
    """One row of ``FEATURES`` for every clip, failed ones included."""
    return pa.Table.from_pylist([_row(work) for work in works], schema=FEATURES)


def _row(work: ClipWork) -> dict[str, Any]:
    matrix = work.audio_features
    return {
        **work.clip,
        **outcome_columns(work),
        "duration_s": work.duration_s,
        "decoder": work.decoder,
        **_faces(work),
        # rows of a float32 matrix: Arrow takes the arrays as they are
        "audio_features": None if matrix is None else list(matrix),
        "audio_frames": 0 if matrix is None else len(matrix),
        "seconds": round(work.seconds, 4),
    }


def _faces(work: ClipWork) -> dict[str, Any]:
    faces = work.faces
    if faces is None:
        return {"faces": None, "face_boxes": None, "face_scores": None, "frame_times_s": None}
    return {
        "faces": [None if crop is None else encode_png(crop) for crop in faces.crops],
        "face_boxes": faces.boxes,
        "face_scores": faces.scores,
        "frame_times_s": list(work.frame_times_s),
    }
