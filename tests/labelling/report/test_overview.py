"""What a label job found, in numbers and words for people."""

from typing import Any

import pyarrow as pa
import pytest

from emotion_core.labelling.report.overview import (
    Names,
    choose,
    seconds_by_emotion,
    short_name,
    time_code,
)
from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.colours import EMOTION_COLOURS, PATTERNS, colour_of, ink_on

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
    p: float = 0.9,
    unsure: bool = False,
) -> dict:
    return {
        "clip_id": clip_id, "uri": f"/archive/{clip_id}.mp4", "start_s": start, "end_s": end,
        "labelled_s": end - start if labelled is None else labelled,
        "track_id": track, "emotion": emotion, "confidence": p, "modalities": ["face"],
        "unsure": unsure, "model_id": "m",
        **{f"p_{label}": (1 - p) / (len(EMOTIONS) - 1) for label in EMOTIONS}, f"p_{emotion}": p,
    }  # fmt: skip


def test_a_member_of_an_archive_has_its_own_name() -> None:
    uri = "zip://holiday/day 1.mp4::/data/me/a.zip"
    assert (Names().name(uri), Names().folder(uri)) == ("day 1.mp4", "/data/me/a.zip/holiday")
    told = Names(short=True).error("gone: /data/me/a.zip: no such file", uri)
    assert told == "gone: a.zip: no such file"


def videos_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=videos_schema(EMOTIONS))


def segments_table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=segments_schema(EMOTIONS))


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


def test_short_names_hide_folders_also_in_errors() -> None:
    uri, whole = "file:///a/Jane%20Doe/100%25.mp4", "/a/Jane Doe/100%.mp4"
    short, long = Names(short=True), Names()

    assert (short.place(uri), short.folder(uri)) == ("100%.mp4", "")
    assert long.folder(uri) == "file:///a/Jane Doe"
    assert short.error(f"cut: {whole} ends", uri) == "cut: 100%.mp4 ends"
    assert "Jane" in long.error(f"cut: {whole} ends", uri)


@pytest.mark.parametrize(
    ("seconds", "code"), [(0, "0:00:00"), (59.9, "0:00:59"), (2949, "0:49:09"), (36000, "10:00:00")]
)
def test_time_codes_are_what_players_take(seconds: float, code: str) -> None:
    assert time_code(seconds) == code


def test_every_emotion_has_a_colour_of_its_own() -> None:
    assert set(EMOTION_COLOURS) == set(EMOTIONS)
    assert len({colour_of(e) for e in (*EMOTIONS, "bored")}) == len(EMOTIONS) + 1
    patterns = [PATTERNS.get(emotion, "") for emotion in EMOTIONS]
    assert len(set(patterns)) == len(EMOTIONS), "who sees no colours tells them apart too"


@pytest.mark.parametrize(("colour", "ink"), [("#F0E442", "#000"), ("#0072B2", "#fff")])
def test_words_on_a_colour_can_be_read(colour: str, ink: str) -> None:
    assert ink_on(colour) == ink
