"""Schemas of the two tables of labels."""

import pyarrow as pa

from emotion_core.storage.schemas import STATUS

# Version of the two tables of ``jobs/label.py``, which rises when a column changes its meaning or
# goes: in the metadata of each of their files (``schema_version``), in settings.json and run.json.
# CHANGELOG.md has what changed.
LABELS_SCHEMA_VERSION = 3

# How somebody looks: a vector of length 1, null where no face of theirs could tell; and the
# labelled_s of their segments.
TRACK = pa.struct(
    [
        pa.field("track_id", pa.int32(), nullable=False),
        pa.field("embedding", pa.list_(pa.float32())),
        pa.field("seconds", pa.float64(), nullable=False),
    ]
)


def videos_schema(labels: tuple[str, ...], dimensions: tuple[str, ...] = ()) -> pa.Schema:
    """Schema of ``videos/``: one row per input, for models with these labels.

    Each of ``dimensions`` (``DIMENSIONS``) is a column, from -1 to 1: the mean over the labelled
    seconds in which a model told it.
    """
    return pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            pa.field("version", pa.string(), nullable=False),
            *STATUS,
            # words of ``NOTES``: what was seen, which no status follows from
            pa.field("notes", pa.list_(pa.string()), nullable=False),
            pa.field("duration_s", pa.float64()),  # as far as it was labelled
            pa.field("decoder", pa.string()),
            # what ran the face detector (an execution provider of ONNX Runtime); null: none ran
            pa.field("face_provider", pa.string()),
            pa.field("n_segments", pa.int32(), nullable=False),
            pa.field("n_tracks", pa.int32(), nullable=False),  # people told apart
            pa.field("tracks", pa.list_(TRACK)),  # each of them; null without --identify
            # null where no model looks at pictures, or none listens
            pa.field("no_face_s", pa.float64()),
            pa.field("no_sound_s", pa.float64()),
            # null where no model listens, or --any-sound
            pa.field("speech_s", pa.float64()),
            pa.field("no_speech_s", pa.float64()),
            pa.field("labelled_s", pa.float64(), nullable=False),  # sum of its segments'
            pa.field("emotion", pa.string()),  # the one with the largest share
            # share of labelled_s whose segments say so; adding up to 1, null without any segment
            *(pa.field(f"share_{label}", pa.float64()) for label in labels),
            *(pa.field(name, pa.float64()) for name in dimensions),
            pa.field("processing_s", pa.float64(), nullable=False),  # a worker's time
        ]
    )


def segments_schema(labels: tuple[str, ...], dimensions: tuple[str, ...] = ()) -> pa.Schema:
    """Schema of ``segments/``: one row per video, window and track, or per window's sound.

    ``p_<label>`` is the answer. ``audio_p_<label>`` and ``face_p_<label>`` are those from the sound
    and from the face alone, null where that was not asked; ``modalities`` says on which of them the
    answer rests. The sound is asked about with a person only while nobody else is in view, or where
    that person is found to speak. ``dimensions`` are no answer: -1 to 1, null where no model told.
    """
    return pa.schema(
        [
            pa.field("clip_id", pa.string(), nullable=False),
            pa.field("uri", pa.string(), nullable=False),
            pa.field("start_s", pa.float64(), nullable=False),
            pa.field("end_s", pa.float64(), nullable=False),
            # seconds that this row alone stands for: windows overlap, these do not, so they may be
            # summed
            pa.field("labelled_s", pa.float64(), nullable=False),
            pa.field("track_id", pa.int32()),  # null: a row of sound that is nobody's in particular
            pa.field("face_box", pa.list_(pa.float32())),
            pa.field("face_score", pa.float32()),
            pa.field("face_time_s", pa.float64()),  # when the face was seen best
            # how well the mouth goes with the sound, -1 to 1; null: not asked (--speakers)
            pa.field("speaking", pa.float32()),
            pa.field("emotion", pa.string(), nullable=False),
            pa.field("confidence", pa.float32(), nullable=False),
            # below --min-confidence: the model does not know, whatever ``emotion`` says
            pa.field("unsure", pa.bool_(), nullable=False),
            *(pa.field(f"p_{label}", pa.float32(), nullable=False) for label in labels),
            *(pa.field(f"audio_p_{label}", pa.float32()) for label in labels),
            *(pa.field(f"face_p_{label}", pa.float32()) for label in labels),
            *(pa.field(name, pa.float32()) for name in dimensions),
            pa.field("modalities", pa.list_(pa.string()), nullable=False),
            pa.field("model_id", pa.string(), nullable=False),
        ]
    )
