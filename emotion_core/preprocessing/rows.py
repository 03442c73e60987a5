"""What was made of clips becomes rows of the features table."""

from typing import Any

import numpy as np
import pyarrow as pa

from emotion_core.clips.work import ClipWork, outcome_columns
from emotion_core.faces.crop import encode_png
from emotion_core.storage.schemas import MANIFEST, STATUS

_FACES = [
    # One entry per sampled picture, in order of time; null where that picture has no face.
    pa.field("faces", pa.list_(pa.binary())),  # PNG, face_size x face_size, RGB or grey
    pa.field("face_boxes", pa.list_(pa.list_(pa.float32()))),
    pa.field("face_scores", pa.list_(pa.float32())),
    pa.field("frame_times_s", pa.list_(pa.float64())),
    # what ran the detector (an execution provider of ONNX Runtime); null where none ran
    pa.field("face_provider", pa.string()),
]

# Version of the features table, which rises when a column changes its meaning or goes: in the
# metadata of each part (``schema_version``) and in settings.json. CHANGELOG.md has what changed.
FEATURES_SCHEMA_VERSION = 2

FEATURES = pa.schema(
    [
        *MANIFEST,
        *STATUS,
        pa.field("duration_s", pa.float64()),
        pa.field("decoder", pa.string()),
        *_FACES,
        # Row-major (audio_frames, coefficients): one entry per hop, oldest first.
        pa.field("audio_features", pa.list_(pa.list_(pa.float32()))),
        # The same of a pretrained encoder: one entry per step, its chosen layers side by side.
        pa.field("encoder_features", pa.list_(pa.list_(pa.float16()))),
        pa.field("audio_frames", pa.int32(), nullable=False),
        pa.field("processing_s", pa.float64()),  # workers' time
    ]
)


def feature_rows(works: list[ClipWork]) -> pa.Table:
    """One row of ``FEATURES`` for every clip, failed ones included."""
    return pa.Table.from_pylist([_row(work) for work in works], schema=FEATURES)


def _row(work: ClipWork) -> dict[str, Any]:
    matrix = work.audio_features
    encoded = matrix is not None and matrix.dtype == np.float16
    column = "encoder_features" if encoded else "audio_features"
    return {
        **work.clip,
        **outcome_columns(work),
        "duration_s": work.duration_s,
        "decoder": work.decoder,
        **_faces(work),
        "face_provider": work.face_provider,
        # rows of a matrix: Arrow takes the arrays as they are
        "audio_features": None,
        "encoder_features": None,
        column: None if matrix is None else list(matrix),
        "audio_frames": 0 if matrix is None else len(matrix),
        "processing_s": round(work.seconds, 4),
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
