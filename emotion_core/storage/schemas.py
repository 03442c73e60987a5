"""One Arrow schema for every table that is written.

Plain types only (no tensor extension), so that DuckDB, pandas and polars read every file. Times are
seconds from the start of the file, boxes are ``[x1, y1, x2, y2]`` as fractions of the picture's
width and height (0 to 1, upright), scores and probabilities are in [0, 1].
"""

import pyarrow as pa

# What people who only heard, only saw, or heard and saw a clip took it for: how many chose each of
# ``recipes.emotions.EMOTIONS``, in that order; null where nobody was asked.
VOTES = [
    pa.field(name, pa.list_(pa.int32()))
    for name in ("votes_audio", "votes_face", "votes_audio_visual")
]

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
        *VOTES,
    ]
)

# Columns that older features lack; they are read as null.
ADDED = pa.schema(VOTES)

# How a clip fared. ``reasons``: words a query can group by (see REASONS); ``error``: for people.
STATUS = [
    pa.field("status", pa.string(), nullable=False),
    pa.field("stage", pa.string()),
    pa.field("reasons", pa.list_(pa.string()), nullable=False),
    pa.field("error", pa.string()),
]

STATUSES = ("ok", "degraded", "failed")

REASONS = {
    "no_audio": "a video without sound, or with nothing but silence",
    "no_speech": "sound, but nobody speaks in it: no model was asked about it as a voice",
    "no_face": "pictures, but no face in any of them",
    "cut": "sound or picture stops before the end of the file; features: or it lasts over an hour",
    "unreadable": "not a media file, or damaged beyond reading",
    "timeout": "decoding took longer than the limit",
    "crash": "the decoder's process died, or twice the whole worker",
    "gone": "the file could not be fetched",
    "empty": "neither sound nor picture to work with",
    "error": "anything else: see the error column",
}

SEVERAL_PEOPLE = "several_people"
# Words that describe a clip without saying that anything was missing: no status follows from them.
NOTES = {
    SEVERAL_PEOPLE: "several people in a window: whose its sound is, `--speakers` tells",
    "erased": "somebody was erased from it: the rest of its row is about the others",
}
