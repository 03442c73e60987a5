"""The picture after a label job."""

import io
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pytest
from matplotlib.colors import to_rgb

from emotion_core.labelling.report.labels import (
    choose,
    distinct_names,
    labels_picture,
    labels_png,
    seconds_by_emotion,
    short_name,
    stretches,
)
from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.colours import EMOTION_COLOURS, colour_of

MOST = 6


def video(clip_id: str, status: str = "ok", reasons: tuple[str, ...] = (), **values: Any) -> dict:
    row = {
        "clip_id": clip_id, "uri": f"/archive/{clip_id}.mp4", "size": 1, "version": "1",
        "status": status, "reasons": list(reasons), "n_segments": 1, "n_tracks": 1,
        "duration_s": 8.0, "answered_s": 8.0,
        **{f"share_{label}": values.pop(label, 0.0) for label in EMOTIONS},
    }  # fmt: skip
    return row | values


def segment(
    clip_id: str, start: float, end: float, face: int | None, emotion: str, own: float | None = None
) -> dict:
    return {
        "clip_id": clip_id, "uri": f"/archive/{clip_id}.mp4", "start_s": start, "end_s": end,
        "own_s": end - start if own is None else own,
        "track_id": face, "emotion": emotion, "confidence": 0.9, "modalities": ["face"],
        "model_id": "m", **{f"p_{label}": 0.1 for label in EMOTIONS},
    }  # fmt: skip


def videos_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=videos_schema(EMOTIONS))


def segments_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=segments_schema(EMOTIONS))


def drawn(videos: pa.Table, segments: pa.Table) -> bytes:
    return labels_png(videos, choose(videos, MOST), segments)


def colours_in(png: bytes) -> set[tuple[int, ...]]:
    pixels = (plt.imread(io.BytesIO(png), format="png")[..., :3] * 255).round().astype(int)
    packed = np.unique(pixels @ [65536, 256, 1]).tolist()
    return {(value >> 16, value >> 8 & 255, value & 255) for value in packed}


def as_bytes(colour: str) -> tuple[int, ...]:
    return tuple(round(part * 255) for part in to_rgb(colour))


def test_seconds_are_those_that_rows_alone_stand_for() -> None:
    table = segments_table(
        [
            segment("a", 2, 6, 0, "sad", own=2),  # not in order of time
            segment("a", 0, 4, 0, "happy", own=2),
            segment("a", 4, 7, 0, "sad"),
            segment("a", 0, 4, 1, "angry"),
            segment("b", 0, 4, None, "calm"),
        ]
    )

    found = stretches(table)
    assert list(zip(found.clip, found.person, found.start_s, found.end_s, strict=True)) == [
        ("a", 0, 0, 2), ("a", 0, 2, 4), ("a", 0, 4, 7), ("a", 1, 0, 4), ("b", -1, 0, 4)
    ]  # fmt: skip


def test_the_archive_is_added_up_from_its_videos() -> None:
    table = videos_table(
        [
            video("a", happy=0.25, sad=0.75),
            video("b", answered_s=4.0, calm=1.0),
            video("c", "failed", ("unreadable",), answered_s=0.0)
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


def test_the_picture_shows_each_emotion_in_its_colour(tmp_path: Path) -> None:
    path = tmp_path / "labels.png"
    rows = [segment("a", 0, 2, 0, "happy"), segment("a", 2, 4, None, "fearful")]

    shown = video("a", happy=0.5, fearful=0.5)
    labels_picture(videos_table([shown]), [shown], segments_table(rows), str(path))

    found = colours_in(path.read_bytes())
    assert {as_bytes(EMOTION_COLOURS[e]) for e in ("happy", "fearful")} <= found
    assert as_bytes(EMOTION_COLOURS["sad"]) not in found


def test_the_same_tables_give_the_same_picture() -> None:
    rows = [segment("a", 0, 2, 0, "happy")]
    tables = videos_table([video("a", happy=1.0)]), segments_table(rows)

    assert drawn(*tables) == drawn(*tables)


@pytest.mark.parametrize("rows", [[], [video("a", "failed", ("unreadable",))]], ids=["0", "1"])
def test_a_job_without_labels_has_its_picture_too(rows: list[dict]) -> None:
    assert drawn(videos_table(rows), segments_table([])).startswith(b"\x89PNG")


def test_names_that_look_like_markup_or_cannot_be_printed_are_drawn() -> None:
    rows = [
        video("a", uri="s3://bucket/$x^2$ 100% #1\n.mp4", sad=1.0),
        video("b", uri="file:///archive/caf%e9.mp4", sad=1.0),
    ]
    table = segments_table([segment("a", 0, 2, 0, "sad"), segment("b", 0, 2, 0, "sad")])

    assert drawn(videos_table(rows), table).startswith(b"\x89PNG")


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
