"""A video's page: lanes, curves and moments, blank where the model hardly knows; and a browser."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion_core.labelling.report import video as page_of_video
from emotion_core.labelling.report.drawing import curve, marks, seen
from emotion_core.labelling.report.lanes import Lane, lanes, near_chance
from emotion_core.labelling.report.moments import moments
from emotion_core.labelling.report.overview import Names
from emotion_core.labelling.report.video import video_page
from emotion_core.recipes.emotions import EMOTIONS
from tests.labelling.report.test_overview import segment, segments_table, video, videos_table
from tests.labelling.report.test_summary import EVIL, check_policy, text_of
from tests.support.browser import BROWSER, Browser

HAPPY, SAD = EMOTIONS.index("happy"), EMOTIONS.index("sad")


CALLED = {1: "Ann & Bob"}  # the second person has a name


def lanes_of(*rows: dict) -> list[Lane]:
    return lanes(segments_table(list(rows)), EMOTIONS, near_chance(len(EMOTIONS)), CALLED)


def html_of(rows: list[dict], min_confidence: float = 0.0, **values: Any) -> str:
    (row,) = videos_table([video("a", **({"happy": 1.0} | values))]).to_pylist()
    pictures = {0: b"jpeg"}
    return video_page(
        row, segments_table(rows), EMOTIONS, min_confidence, (), Names(), pictures, CALLED
    ).decode()


def alone(prefix: str, emotion: str) -> dict:
    """What one modality said."""
    return {f"{prefix}_p_{each}": 0.93 if each == emotion else 0.01 for each in EMOTIONS}


def drawn(path: str) -> list[tuple[int, int]]:
    """The points of a curve of one piece, in the units of the drawing."""
    x, y, steps = re.fullmatch(r"M(\d+) 50V(\d+)l(.*)V50z", path).groups()  # type: ignore[union-attr]
    moves = re.findall(r"(-?\d+)([+-]\d+)", steps)
    points = np.cumsum([(int(x), int(y)), *((int(a), int(b)) for a, b in moves)], axis=0)
    return [tuple(point) for point in points.tolist()]


def test_an_answer_stands_for_its_own_seconds_and_sound_comes_last() -> None:
    found = lanes_of(
        segment("a", 0, 4, None, "sad"),
        segment("a", 2, 6, 0, "sad", labelled=2),  # not in order of time
        segment("a", 0, 4, 0, "happy", labelled=2),
        segment("a", 0, 4, 1, "angry"),
    )
    assert [lane.name for lane in found] == ["person 0", "Ann & Bob", "sound"]
    assert list(zip(found[0].start_s, found[0].end_s, found[0].window_s, strict=True)) == [
        (0, 2, 4), (2, 4, 6)
    ]  # fmt: skip


def test_voice_and_face_have_lanes_apart_where_both_answered() -> None:
    both = segment("a", 0, 4, 0, "happy") | alone("audio", "happy") | alone("face", "sad")
    found = lanes_of(both, segment("a", 4, 8, 0, "sad") | alone("face", "sad"))
    assert [(lane.kind, len(lane.p), int(lane.p[0].argmax())) for lane in found] == [
        ("", 2, HAPPY), ("voice", 1, HAPPY), ("face", 1, SAD)
    ]  # fmt: skip


def test_near_chance_and_unsure_are_blank() -> None:
    assert near_chance(8) == pytest.approx(0.3) and near_chance(2) == pytest.approx(0.6)
    (lane,) = lanes_of(
        segment("a", 0, 2, 0, "happy", p=0.9),
        segment("a", 2, 4, 0, "happy", p=0.29),
        segment("a", 4, 6, 0, "happy", p=0.31),
        segment("a", 6, 8, 0, "happy", p=0.9, unsure=True),
    )
    assert lane.blank.tolist() == [False, True, False, True]
    assert [(mark.left, mark.width) for mark in marks(lane, 0, 8, EMOTIONS)] == [(0, 25), (50, 25)]
    assert seen(lane, 0, 8) == [(0, 100)], "grey, not white"
    assert re.findall(r"M(\d+) ", curve(lane, HAPPY, 0, 8)) == ["0", "500"]
    assert [m.start_s for m in moments([lane], HAPPY)] == [0, 4]
    page = html_of([segment("a", 0, 8, 0, "happy", p=0.2)])
    assert "below 30%, a fifth of the way from chance (12%)" in page


def test_neighbours_that_say_the_same_are_one_mark() -> None:
    (lane,) = lanes_of(
        segment("a", 0, 4, 0, "happy", labelled=2),
        segment("a", 2, 6, 0, "happy", labelled=2, p=0.7),
        segment("a", 4, 8, 0, "angry"),
        segment("a", 12, 16, 0, "angry"),
    )
    found = marks(lane, 0, 16, EMOTIONS)
    assert [(mark.left, mark.width) for mark in found] == [(0, 25), (25, 25), (75, 25)]
    assert found[0].tip == "0:00:00 happy 80%"
    assert seen(lane, 0, 16) == [(0, 50), (75, 25)]


def test_a_curve_has_fewer_points_and_is_nowhere_far_off() -> None:
    p = 0.6 + 0.3 * np.sin(np.arange(300) / 15)
    rows = [segment("a", 2.0 * n, 2.0 * n + 2, 0, "happy", p=float(p[n])) for n in range(300)]
    (lane,) = lanes_of(*rows)
    points = drawn(curve(lane, HAPPY, 0, 600))
    assert len(points) < 80
    x, y = np.array(points).T
    there = np.interp((lane.start_s + 1) / 600 * 1000, x, 1 - y / 50)
    assert np.abs(there - p).max() < 0.02 + 0.02  # that, and round numbers


def test_moments_are_the_strongest_windows_that_do_not_overlap() -> None:
    rows = [segment("a", 2.0 * n, 2.0 * n + 4, 0, "happy", labelled=2, p=0.5 + n / 1000)
            for n in range(100)]  # fmt: skip
    rows += [segment("a", 198, 202, 1, "happy", p=0.95), segment("a", 300, 304, 1, "sad", p=0.99)]
    found = moments(lanes_of(*rows), HAPPY)
    assert len(found) == 20
    assert [(m.start_s, m.who) for m in found[:4]] == [
        (198, "Ann & Bob"), (198, "person 0"), (194, "person 0"), (190, "person 0")
    ]  # fmt: skip
    assert found[0].p == pytest.approx(0.95) and found[0].end_s == 202


def test_names_are_escaped_and_only_the_page_s_own_script_may_run() -> None:
    page = html_of([segment("a", 0, 8, 0, "happy")], uri=EVIL, error="<b>cut</b>")
    check_policy(page)
    assert page.count("<script") == 1 and "<img src=x" not in page and "<b>cut" not in page
    assert "&lt;img src=x" in page and 'src="data:image/jpeg;base64,anBlZw=="' in page


def test_a_long_video_has_rows_of_ten_minutes_and_says_where_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [segment("a", 4.0 * n, 4.0 * n + 4, n % 3, "happy") for n in range(750)]
    text = text_of(html_of(rows, duration_s=3000.0))
    assert "Ten minutes a row" in text and "0:40:00 to 0:50:00" in text and "0:50:00 to" not in text
    monkeypatch.setattr(page_of_video, "MOST_ROWS", 2)
    text = text_of(html_of(rows, duration_s=3000.0))
    assert "What comes after 0:20:00 is not drawn" in text and "0:20:00 to" not in text


def test_a_crowd_is_not_drawn_as_a_whole_and_says_so() -> None:
    rows = [segment("a", 0, 4 + n, n, "happy") for n in range(15)]
    text = text_of(html_of(rows))
    assert "3 more, who were seen for less long" in text
    assert "9 more people in these minutes" in text


def test_a_still_picture_fills_its_lane() -> None:
    page = html_of([segment("a", 0, 0, 0, "happy")], duration_s=0.0)
    assert "The picture" in page and "left:0.0%;width:100.0%" in page
    assert len(re.findall('<span style="left:', page)) == 0, "no times below it"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_filters_orders_and_copies(tmp_path: Path) -> None:
    rows = [segment("a", 2.0 * n, 2.0 * n + 2, n % 2, ("happy", "sad")[n // 30], p=0.5 + n / 200)
            for n in range(60)]  # fmt: skip
    (tmp_path / "page.html").write_text(html_of(rows, duration_s=120.0, n_tracks=2))
    shown = "[...document.querySelectorAll('.cards li')].filter((li) => li.offsetParent)"
    with Browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "page.html")
        assert browser.run(f"{shown}.length") == 40
        browser.run(f"document.querySelector('[name=e{SAD}]').click()")
        browser.run("document.querySelector('[name=w1]').click()")
        told = browser.run(f"{shown}.map((li) => li.textContent)")
        assert len(told) == 10 and all("person 0" in each for each in told)
        assert told[0] == "0:00:56person 064%"
        marks = "[...document.querySelectorAll('.lane i')].filter((i) => i.offsetParent)"
        pale = f"{marks}.filter((i) => getComputedStyle(i).opacity < 0.2).length"
        assert (browser.run(f"{marks}.length"), browser.run(pale)) == (30, 15)
        browser.run("by.value = 't'; by.dispatchEvent(new Event('change'))")
        assert browser.run(f"{shown}[0].textContent") == "0:00:20person 055%"
        keep = "() => { copied = document.activeElement.value }"
        browser.run(f"document.addEventListener('copy', {keep})")
        browser.run("document.querySelector('[data-copy=\"*\"]').click()")
        assert browser.run("copied").splitlines()[0] == "0:00:20\tperson 0\thappy\t55%"
        for width in (360, 800, 1400):
            browser.resize(width, 900)
            assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.console == []
