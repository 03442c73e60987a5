"""What a label job found, in numbers and words for people."""

from typing import Any

import pyarrow as pa
import pytest

from emotion_core.labelling.report.overview import (
    choose,
    distinct_names,
    seconds_by_emotion,
    short_name,
)
from emotion_core.labelling.report.timelines import stretches
from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.colours import EMOTION_COLOURS, colour_of

MOST = 6


def video(clip_id: str, status: str = "ok", reasons: tuple[str, ...] = (), **values: Any) -> dict:
    row = {
        "clip_id": clip_id, "uri": f"/archive/{clip_id}.mp4", "size": 1, "version": "1",
        "status": status, "reasons": list(reasons), "notes": [], "n_segments": 1, "n_tracks": 1,
        "duration_s": 8.0, "labelled_s": 8.0, "processing_s": 1.0,
        **{f"share_{label}": values.pop(label, 0.0) for label in EMOTIONS},
    }  # fmt: skip
    return row | values


def segment(
    clip_id: str,
    start: float,
    end: float,
    track: int | None,
    emotion: str,
    labelled: float | None = None,
) -> dict:
    return {
        "clip_id": clip_id, "uri": f"/archive/{clip_id}.mp4", "start_s": start, "end_s": end,
        "labelled_s": end - start if labelled is None else labelled,
        "track_id": track, "emotion": emotion, "confidence": 0.9, "modalities": ["face"],
        "model_id": "m", **{f"p_{label}": 0.1 for label in EMOTIONS},
    }  # fmt: skip


def videos_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=videos_schema(EMOTIONS))


def segments_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=segments_schema(EMOTIONS))


def test_seconds_are_those_that_rows_alone_stand_for() -> None:
    table = segments_table(
        [
            segment("a", 2, 6, 0, "sad", labelled=2),  # not in order of time
            segment("a", 0, 4, 0, "happy", labelled=2),
            segment("a", 4, 7, 0, "sad"),
            segment("a", 0, 4, 1, "angry"),
            segment("b", 0, 4, None, "calm"),
        ]
    )

    found = stretches(table)
    assert list(zip(found.clip, found.track, found.start_s, found.end_s, strict=True)) == [
        ("a", 0, 0, 2), ("a", 0, 2, 4), ("a", 0, 4, 7), ("a", 1, 0, 4), ("b", -1, 0, 4)
    ]  # fmt: skip


def test_the_archive_is_added_up_from_its_videos() -> None:
    table = videos_table(
        [
            video("a", happy=0.25, sad=0.75),
            video("b", labelled_s=4.0, calm=1.0),
            video("c", "failed", ("unreadable",), labelled_s=0.0)
            | dict.fromkeys(f"share_{label}" for label in EMOTIONS),
        ]
    )

    assert seconds_by_emotion(table) == {"calm": 4, "happy": 2, "sad": 6}


def test_the_videos_shown_are_those_with_most_to_see() -> None:
    names = [f"v{i}" for i in range(MOST + 2)]
    table = videos_table(
        [video("broken", "failed", ("unreadable",), n_segments=0, n_tracks=0, duration_s=None)]
        + [
            video(name, n_tracks=2 if name == "v7" else 1, sad=0.5, happy=0.5 * (name == "v5"))
            for name in names
        ]
    )

    chosen = [row["clip_id"] for row in choose(table, MOST)]

    assert len(chosen) == MOST
    assert chosen[:3] == ["v5", "v7", "v0"]
    assert "broken" not in chosen


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("/archive/short.mp4", "short.mp4"),
        ("s3://bucket/a/100%25.mp4", "100%25.mp4"),  # only file:// is percent-encoded
        ("file:///a/100%25%20x.mp4", "100% x.mp4"),
        ("/a/two\nlines.mp4", "two\ufffdlines.mp4"),
        ("/a/" + "x" * 60 + "-end.mp4", "x" * 21 + "…" + "x" * 12 + "-end.mp4"),
    ],
)
def test_names_are_short_and_on_one_line(uri: str, shown: str) -> None:
    assert short_name(uri) == shown
    assert len(shown) <= 42


def test_files_of_one_name_are_told_apart_by_their_folder() -> None:
    uris = ["/a/one/x.mp4", "/a/two/x.mp4", "/a/two/y.mp4"]

    assert distinct_names(uris) == ["one/x.mp4", "two/x.mp4", "y.mp4"]


def test_every_emotion_has_a_colour_of_its_own() -> None:
    assert set(EMOTION_COLOURS) == set(EMOTIONS)
    assert len({colour_of(e) for e in (*EMOTIONS, "bored")}) == len(EMOTIONS) + 1
