"""One Arrow schema for every table that is written.

Plain types only (no tensor extension), so that DuckDB, pandas and polars read every file. Times are
seconds from the start of the file, boxes are ``[x1, y1, x2, y2]`` as fractions of the picture's
width and height (0 to 1, upright), scores and probabilities are in [0, 1].
"""

import pyarrow as pa

from emotion_core.clips.clip import Clip

MANIFEST = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("member", pa.string()),
        pa.field("corpus", pa.string()),
        pa.field("speaker", pa.string()),
        pa.field("emotion", pa.string()),
        pa.field("intensity", pa.string()),
        pa.field("statement", pa.string()),
        pa.field("repetition", pa.string()),
        pa.field("channel", pa.string()),
        pa.field("modality", pa.string()),
        pa.field("subset", pa.string()),
    ]
)

# How a clip fared. ``reasons``: words a query can group by (see REASONS); ``error``: for people.
_STATUS = [
    pa.field("status", pa.string(), nullable=False),
    pa.field("stage", pa.string()),
    pa.field("reasons", pa.list_(pa.string()), nullable=False),
    pa.field("error", pa.string()),
]

STATUSES = ("ok", "degraded", "failed")

REASONS = {
    "no_audio": "a video without a sound stream",
    "no_face": "pictures, but no face in any of them",
    "several_people": "more than one person in view: the sound belongs to nobody in particular",
    "cut": "sound or picture stops before the end of the file",
    "decoder": "the first decoder failed, the second one did the work",
    "unreadable": "not a media file, or damaged beyond reading",
    "timeout": "decoding took longer than the limit",
    "crash": "the decoder's process died",
    "gone": "the file could not be fetched",
    "empty": "neither sound nor picture to work with",
    "error": "anything else: see the error column",
}

_FACES = [
    # One entry per sampled picture, in order of time; null where that picture has no face.
    pa.field("faces", pa.list_(pa.binary())),  # PNG, face_size x face_size, RGB or grey
    pa.field("face_boxes", pa.list_(pa.list_(pa.float32()))),
    pa.field("face_scores", pa.list_(pa.float32())),
    pa.field("frame_times_s", pa.list_(pa.float64())),
]

FEATURES = pa.schema(
    [
        *MANIFEST,
        *_STATUS,
        pa.field("duration_s", pa.float64()),
        pa.field("decoder", pa.string()),
        *_FACES,
        # Row-major (audio_frames, coefficients): one entry per hop, oldest first.
        pa.field("audio_features", pa.list_(pa.list_(pa.float32()))),
        pa.field("audio_frames", pa.int32(), nullable=False),
        pa.field("seconds", pa.float64()),  # work spent on this clip
    ]
)

# Version of the two tables of ``jobs/label.py``, which rises when a column changes its meaning or
# goes: in the metadata of each of their files (``schema_version``) and in run.json.
LABELS_SCHEMA_VERSION = 1


def videos_schema(labels: tuple[str, ...]) -> pa.Schema:
    """Schema of ``videos/``: one row per input, for a model with these labels."""
    return pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("version", pa.string(), nullable=False),
            *_STATUS,
            pa.field("duration_s", pa.float64()),  # as far as it was labelled
            pa.field("decoder", pa.string()),
            pa.field("n_segments", pa.int32(), nullable=False),
            pa.field("n_people", pa.int32(), nullable=False),
            # null where no model looks at pictures, or none listens
            pa.field("no_face_s", pa.float64()),
            pa.field("no_sound_s", pa.float64()),
            pa.field("answered_s", pa.float64()),  # sum of own_s: seconds of people and of sound
            pa.field("emotion", pa.string()),  # the one with the largest share
            # share of answered_s whose segments say so; adding up to 1, null without any segment
            *(pa.field(f"share_{label}", pa.float64()) for label in labels),
            pa.field("seconds", pa.float64()),  # work spent on it
        ]
    )


def segments_schema(labels: tuple[str, ...]) -> pa.Schema:
    """Schema of ``segments/``: one row per video, window and person, or per window's sound.

    ``p_<label>`` is the answer. ``audio_p_<label>`` and ``face_p_<label>`` are those from the sound
    and from the face alone, null where that was not asked; ``modalities`` says on which of them the
    answer rests. The sound is asked about with a person only while nobody else is in view.
    """
    return pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("start_s", pa.float64(), nullable=False),
            pa.field("end_s", pa.float64(), nullable=False),
            # to the start of the same person's next row: windows overlap, these do not
            pa.field("own_s", pa.float64(), nullable=False),
            pa.field("face_id", pa.int32()),  # null: a row of sound that is nobody's in particular
            pa.field("face_box", pa.list_(pa.float32())),
            pa.field("face_score", pa.float32()),
            pa.field("face_time_s", pa.float64()),  # when the face was seen best
            pa.field("emotion", pa.string(), nullable=False),
            pa.field("confidence", pa.float32(), nullable=False),
            *(pa.field(f"p_{label}", pa.float32(), nullable=False) for label in labels),
            *(pa.field(f"audio_p_{label}", pa.float32()) for label in labels),
            *(pa.field(f"face_p_{label}", pa.float32()) for label in labels),
            pa.field("modalities", pa.list_(pa.string()), nullable=False),
            pa.field("model_id", pa.string(), nullable=False),
        ]
    )


PREDICTIONS_HEAD = [
    pa.field("clip_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("corpus", pa.string()),
    pa.field("speaker", pa.string()),
    pa.field("label", pa.string(), nullable=False),
    pa.field("predicted", pa.string(), nullable=False),
    pa.field("confidence", pa.float32(), nullable=False),
    pa.field("fold", pa.string()),  # whose model answered, null where there are no folds
]


def manifest_table(clips: list[Clip]) -> pa.Table:
    """Clips as a manifest, in the given order."""
    columns = {
        name: [getattr(clip, name) for clip in clips]  # clip_id is a property, the rest are fields
        for name in MANIFEST.names
    }
    return pa.table(columns, schema=MANIFEST)
