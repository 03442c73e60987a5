"""``people/``: which track of which video is whom."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from emotion_core import storage
from emotion_core.labelling.people.tracks import Track

PEOPLE = "people"
FILE = f"{PEOPLE}/people.parquet"
PEOPLE_SCHEMA_VERSION = 1

PEOPLE_SCHEMA = pa.schema(
    [
        pa.field("clip_id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("track_id", pa.int32(), nullable=False),
        pa.field("person_id", pa.int32()),  # null: nothing tells who it is
        pa.field("name", pa.string()),  # null: nobody has named this person
        pa.field("seconds", pa.float64(), nullable=False),  # labelled_s of the track's segments
    ]
)


def read_people(out: str) -> pa.Table | None:
    """The table of the labels at ``out``, None where ``jobs/people.py`` has not run.

    Args:
        out: URI of the labels.
    """
    place = storage.join(out, FILE)
    return storage.read_parquet([place]) if storage.exists(place) else None


def table_of(rows: Iterable[tuple[Track, int | None, str | None]]) -> pa.Table:
    """``PEOPLE_SCHEMA`` of tracks, the numbers of their people, and their names."""
    made = [
        (track.clip_id, track.uri, track.track_id, person, name, track.seconds)
        for track, person, name in rows
    ]
    columns = list(zip(*made, strict=True)) or [()] * len(PEOPLE_SCHEMA)
    return pa.table(dict(zip(PEOPLE_SCHEMA.names, columns, strict=True)), schema=PEOPLE_SCHEMA)


def write_people(out: str, rows: pa.Table) -> None:
    """Replace the table, in one step."""
    metadata = {"schema_version": str(PEOPLE_SCHEMA_VERSION)}
    storage.write_parquet(storage.join(out, FILE), rows.cast(PEOPLE_SCHEMA), metadata)


def names(out: str) -> Mapping[tuple[str, int], str]:
    """The names that people were given: ``(clip_id, track_id)`` -> name; empty without ``people/``.

    Args:
        out: URI of the labels.
    """
    rows = read_people(out)
    if rows is None:
        return {}
    columns = (rows[name].to_pylist() for name in ("clip_id", "track_id", "name"))
    return {(clip, track): name for clip, track, name in zip(*columns, strict=True) if name}
