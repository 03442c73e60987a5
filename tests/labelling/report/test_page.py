"""``report.html``: what is in it, that it is safe, and that a real browser shows it."""

import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from emotion_core.labelling.report.overview import choose
from emotion_core.labelling.report.page import (
    MOST_VIDEOS,
    Facts,
    page_html,
    reasons,
    write_page,
)
from emotion_core.labelling.report.thumbnails import SIDE, thumbnails
from emotion_core.labelling.report.timelines import timelines
from emotion_core.report.colours import EMOTION_COLOURS
from tests.labelling.report.test_overview import segment, segments_table, video, videos_table

FACTS = Facts(("s3://bucket/clips",), "s3://bucket/labels", {"fps": None}, 2,
              "2026-01-02T03:04:05+00:00")  # fmt: skip
EVIL = '/archive/<script>alert("1")</script>&<img src=x onerror=alert(2)>.mp4'
SOURCE = 'src="([^"]*)'
MAGENTA = (200, 0, 200)


def jpeg(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), colour).save(buffer, format="JPEG", quality=95)
    return buffer.getvalue()


def html_of(videos: pa.Table, segments: pa.Table) -> str:
    """The page with every video that can be shown, and a picture of person 0 in video a."""
    chosen = choose(videos, MOST_VIDEOS)
    return page_html(videos, chosen, segments, FACTS, {("a", 0): jpeg(MAGENTA)})


@pytest.fixture
def page() -> str:
    videos = videos_table(
        [
            video("a", uri=EVIL, happy=0.75, angry=0.25, n_tracks=2, notes=["several_people"]),
            video("b", "degraded", ("no_face",), error="no face in any picture", sad=1.0),
            video("c", "failed", ("unreadable",), error="unreadable: <b>broken</b>"),
        ]
    )
    segments = segments_table(
        [
            segment("a", 0, 4, 0, "happy", labelled=2),
            segment("a", 2, 6, 0, "happy", labelled=2),
            segment("a", 4, 8, 0, "angry"),
            segment("a", 0, 8, 1, "happy"),
            segment("b", 0, 8, None, "sad"),
        ]
    )
    return html_of(videos, segments)


def test_names_are_escaped_and_nothing_is_loaded_or_run(page: str) -> None:
    assert "<script" not in page and "<img src=x" not in page and "<b>broken" not in page
    assert "&lt;script&gt;" in page and "&lt;b&gt;broken&lt;/b&gt;" in page
    assert "default-src 'none'" in page
    assert not re.findall(r"https?://|url\(|@import|<link|<iframe", page)
    assert all(source.startswith("data:image/jpeg;base64,") for source in re.findall(SOURCE, page))


def test_places_that_are_not_utf8_or_drive_a_terminal_end_nothing(tmp_path: Path) -> None:
    facts = replace(FACTS, source=("caf\udce9", "a\x1b]0;pwned\x07"), out="out\udce9")
    write_page(str(tmp_path / "p.html"), videos_table([]), [], segments_table([]), facts)

    text = (tmp_path / "p.html").read_bytes().decode()
    assert "caf\ufffd, a\ufffd]0;pwned\ufffd &rarr; out\ufffd," in text and "\x1b" not in text


def test_what_it_tells(page: str) -> None:
    text = " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.S).split())
    assert "Emotions in 3 inputs" in text
    assert "2026-01-02 03:04 UTC" in text
    assert "1 ok 1 degraded 1 failed" in text
    assert "not a media file, or damaged beyond reading" in text
    assert "2 files were passed over" in text
    assert "In 1 of them several people: more than one person in a window" in text
    assert "8 s, ok, several people" in text
    # 8 s of each video: three quarters and all of two thirds
    for told in ("happy 37.5%", "angry 12.5%", "sad 50.0%"):
        assert told in text


def test_stretches_that_say_the_same_are_one_mark_and_sound_comes_last() -> None:
    videos = videos_table([video("a", happy=1.0)])
    segments = segments_table(
        [
            segment("a", 0, 4, None, "sad", labelled=4),
            segment("a", 0, 4, 0, "happy", labelled=2),
            segment("a", 2, 6, 0, "happy", labelled=2),
            segment("a", 4, 8, 0, "angry"),
        ]
    )
    (timeline,) = timelines(videos.to_pylist(), segments, {})
    person, sound = timeline.lanes
    assert (person.name, sound.name) == ("person 0", "sound")
    assert [(mark.left, mark.width) for mark in person.marks] == [(0, 50), (50, 50)]
    assert person.marks[0].tip == "0 s to 4 s: happy, 90%"
    assert person.said == "happy 50%, angry 50%"
    assert [told for _, told in timeline.ticks] == [f"{second} s" for second in range(9)]


def test_a_still_picture_fills_its_lane() -> None:
    videos = videos_table([video("a", happy=1.0, duration_s=0.0, labelled_s=0.0)])
    (timeline,) = timelines(
        videos.to_pylist(), segments_table([segment("a", 0, 0, 0, "happy")]), {}
    )
    ((mark,),) = (lane.marks for lane in timeline.lanes)
    assert (mark.left, mark.width, timeline.ticks) == (0, 100, ())


def test_the_ticks_of_long_videos_are_round() -> None:
    videos = videos_table([video("a", happy=1.0, duration_s=7000.0)])
    (timeline,) = timelines(
        videos.to_pylist(), segments_table([segment("a", 0, 7000, 0, "happy")]), {}
    )
    assert [told for _, told in timeline.ticks][:3] == ["0 s", "20:00", "40:00"]


def test_reasons_by_how_much_they_cost() -> None:
    videos = videos_table(
        [
            *(video(str(n), "degraded", ("no_face", "no_audio"), error="e") for n in range(9)),
            video("x", "failed", ("timeout",), error="timeout: too long"),
        ]
    )
    found = reasons(videos)
    assert [(r.word, r.degraded, r.failed) for r in found] == [
        ("timeout", 0, 1), ("no_audio", 9, 0), ("no_face", 9, 0)
    ]  # fmt: skip
    assert len(found[1].examples) == 5
    assert found[0].examples == (("x.mp4", "/archive/x.mp4", "timeout: too long"),)


@pytest.mark.parametrize("rows", [[], [video("a", "failed", ("unreadable",), n_tracks=0)]])
def test_nothing_labelled(rows: list[dict]) -> None:
    page = html_of(videos_table(rows), segments_table([]))
    assert "Nothing was labelled." in page
    assert ("There was nothing to label." in page) == (not rows)


def test_no_more_videos_than_fit() -> None:
    rows = [video(f"{n:02d}", happy=1.0) for n in range(MOST_VIDEOS + 3)]
    segments = segments_table([segment(row["clip_id"], 0, 8, 0, "happy") for row in rows])
    chosen = choose(videos_table(rows), MOST_VIDEOS)
    assert len(timelines(chosen, segments, {})) == MOST_VIDEOS


def test_thumbnails_show_the_face_where_it_was_seen_best(tmp_path: Path) -> None:
    """A picture that is one colour but for a square: the thumbnail is of the square."""
    uri = str(tmp_path / "still #1.png")
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[80:120, 280:320] = MAGENTA
    Image.fromarray(pixels).save(uri)
    row = video("a", uri=uri, happy=1.0)
    best = {"face_score": 0.9, "face_time_s": 0.0, "face_box": [0.7, 0.4, 0.8, 0.6]}
    worse = {"face_score": 0.5, "face_time_s": 0.0, "face_box": [0.0, 0.0, 0.1, 0.1]}
    gone = segment("b", 0, 4, 0, "happy") | best
    segments = segments_table(
        [
            segment("a", 0, 4, 0, "happy") | worse,
            segment("a", 2, 4, 0, "happy") | best,
            segment("a", 0, 4, None, "happy"),
            gone,
        ]
    )
    found = thumbnails([video("b", uri=str(tmp_path / "gone.mp4")), row], segments)
    assert list(found) == [("a", 0)]
    face = np.asarray(Image.open(io.BytesIO(found["a", 0])))
    assert face.shape == (SIDE, SIDE, 3)
    assert np.abs(face[SIDE // 2, SIDE // 2].astype(int) - MAGENTA).max() < 12
    assert face[2, 2].max() < 40  # the margin around it


def test_a_browser_shows_it(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine")
    videos = videos_table([video("a", uri=EVIL, angry=1.0)])
    segments = segments_table([segment("a", 0, 8, 0, "angry")])
    (tmp_path / "report.html").write_text(html_of(videos, segments))
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
        "--window-size=1100,1200", f"--screenshot={tmp_path / 'page.png'}",
        (tmp_path / "report.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "CONSOLE" not in done.stderr, "the page's own policy refused something"
    shown = np.asarray(Image.open(tmp_path / "page.png").convert("RGB")).astype(int)
    assert area(shown, MAGENTA, 12) > 0.8 * 48 * 48  # the thumbnail
    angry = tuple(bytes.fromhex(EMOTION_COLOURS["angry"][1:]))
    assert area(shown, angry, 0) > 700 * 15  # the bar of the archive's only emotion


def area(picture: np.ndarray, colour: tuple[int, ...], tolerance: int) -> int:
    """Pixels of a colour."""
    return int((np.abs(picture - np.array(colour)).max(axis=2) <= tolerance).sum())


def test_the_file_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    videos = videos_table([video("a", "failed", ("unreadable",))])
    write_page(str(tmp_path / "report.html"), videos, [], segments_table([]), FACTS)
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert choose(videos, MOST_VIDEOS) == []
