"""A person leaves labels: their tracks' segments, embeddings and names; the videos stay."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.clips.work import Segment
from emotion_core.errors import UsageError
from emotion_core.labelling.erasing.rewriting import replace_file
from emotion_core.labelling.people.table import FILE, PEOPLE, read_people, write_people
from emotion_core.labelling.rows import emotion_columns, means_of_rows
from emotion_core.labelling.tables import SEGMENTS, TRACKS, VIDEOS
from emotion_core.recipes.emotions import DIMENSIONS
from emotion_core.storage.parts import parts, read_parts
from emotion_core.storage.published import CHANGED
from emotion_core.storage.schemas import SEVERAL_PEOPLE

NOTE = "erased"


def rows_of_persons(out: str, persons: Sequence[str]) -> pa.Table:
    """The rows of ``people/`` about these people.

    Args:
        out: URI of the labels.
        persons: names, or numbers of people (``person_id``).

    Raises:
        UsageError: one of them is nobody there, or a job was killed and has not been repeated.
    """
    rows = read_people(out)
    if rows is None:
        raise UsageError(f"{out} knows no people: run jobs/people.py --labels {out} first")
    if parts(storage.join(out, CHANGED, VIDEOS)):
        raise UsageError(f"{out}: a label job has not come to its end: repeat it first")
    names = rows["name"].to_pylist()
    numbers = [None if n is None else str(n) for n in rows["person_id"].to_pylist()]
    chosen: set[int] = set()
    for person in persons:
        named = {place for place, name in enumerate(names) if name == person}
        numbered = {place for place, number in enumerate(numbers) if number == person}
        if not named | numbered:
            raise UsageError(f"--person {person}: nobody in {storage.join(out, FILE)} is called so")
        if named and numbered - named:
            raise UsageError(
                f"--person {person}: one person's name, and another one's number: give that one's "
                "name, or run jobs/people.py with other --names"
            )
        chosen |= named | numbered
    return rows.take(pa.array(sorted(chosen), pa.int64()))


def require_current(out: str) -> None:
    """Raises ``UsageError`` where ``people/`` lacks videos that were labelled after it was made."""
    rows, videos = read_people(out), read_parts(storage.join(out, VIDEOS), ["clip_id", "n_tracks"])
    if rows is None or videos is None:
        return
    seen = videos.filter(pc.greater(videos["n_tracks"], 0))["clip_id"]
    unknown = pc.sum(pc.invert(pc.is_in(seen, value_set=rows["clip_id"].combine_chunks()))).as_py()
    if unknown:
        raise UsageError(
            f"{out}: {unknown} videos were labelled after {PEOPLE}/ was made, and may show whom "
            f"you mean: run jobs/people.py --labels {out} again, with its --names"
        )


def drop_persons(out: str, gone: pa.Table, check: storage.Check, dry_run: bool) -> dict[str, int]:
    """Drop tracks from every table of some labels; how many rows go, of ``videos/`` are rewritten.

    What is left of each video's row is made anew from the segments that are left, with the note
    ``erased``. ``people/`` comes last: after a kill the same command still knows whom it is about.

    Args:
        out: URI of the labels, whose claim is held.
        gone: rows of ``people/``.
        check: the claim's.
        dry_run: count only.
    """
    tracks: dict[str, set[int]] = {}
    for clip, track in zip(gone["clip_id"].to_pylist(), gone["track_id"].to_pylist(), strict=True):
        tracks.setdefault(clip, set()).add(track)
    counts = {SEGMENTS: 0, VIDEOS: 0}
    for place in parts(storage.join(out, VIDEOS)):
        ids = storage.read_parquet([place], ["clip_id"])["clip_id"].to_pylist()
        if not tracks.keys() & set(ids):
            continue
        videos = storage.read_parquet([place])
        details = storage.join(out, SEGMENTS, place.rsplit("/", 1)[-1])
        segments = storage.read_parquet([details]) if storage.exists(details) else None
        left = segments
        if segments is not None:
            left = segments.filter(pc.invert(_theirs(segments, tracks)))
            counts[SEGMENTS] += len(segments) - len(left)
        counts[VIDEOS] += len(tracks.keys() & set(ids))
        if not dry_run:
            check()
            # the rows need what is left: a kill in between is seen by their counts
            if left is not None:
                replace_file(details, left)
            replace_file(place, _videos(videos, left, tracks))
    people = read_people(out)
    if people is not None and not dry_run:
        check()
        write_people(out, people.filter(pc.invert(_theirs(people, tracks))))
    return {**counts, "people": len(gone)}


def _theirs(rows: pa.Table, tracks: Mapping[str, set[int]]) -> pa.Array:
    pairs = zip(rows["clip_id"].to_pylist(), rows["track_id"].to_pylist(), strict=True)
    return pa.array([track in tracks.get(clip, ()) for clip, track in pairs], pa.bool_())


def _videos(
    videos: pa.Table, segments: pa.Table | None, tracks: Mapping[str, set[int]]
) -> pa.Table:
    rows = [
        row if row["clip_id"] not in tracks else _video(row, segments, tracks[row["clip_id"]])
        for row in videos.to_pylist()
    ]
    return pa.Table.from_pylist(rows, schema=videos.schema)


def _video(row: dict[str, Any], segments: pa.Table | None, gone: set[int]) -> dict[str, Any]:
    """A row of ``videos/`` as its other people and its sound make it."""
    labels = [name.removeprefix("share_") for name in row if name.startswith("share_")]
    left: list[dict[str, Any]] = []
    means: dict[str, float | None] = {name: None for name in DIMENSIONS if name in row}
    if segments is not None:
        mine = segments.filter(pc.equal(segments["clip_id"], row["clip_id"]))
        left, means = mine.to_pylist(), means_of_rows(mine)
    answers = [_segment(segment, labels) for segment in left]
    others = [track for track in row[TRACKS] or () if track["track_id"] not in gone]
    starts = [segment["start_s"] for segment in left if segment["track_id"] is not None]
    notes = [note for note in row["notes"] if note not in (SEVERAL_PEOPLE, NOTE)]
    return {
        **row,
        **means,
        "notes": [*notes, *[SEVERAL_PEOPLE] * (len(set(starts)) < len(starts)), NOTE],
        "n_segments": len(left),
        "n_tracks": len(others),
        TRACKS: others,
        "labelled_s": float(sum(segment["labelled_s"] for segment in left)),
        **emotion_columns(answers, labels),
    }


def _segment(row: Mapping[str, Any], labels: Sequence[str]) -> Segment:
    answer = np.array([row[f"p_{label}"] for label in labels], np.float32)
    return Segment(row["start_s"], row["end_s"], row["track_id"], None, None, None, answer, ())
