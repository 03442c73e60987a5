"""The live page in a real browser: what it shows of a session, and what it can be told."""

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from emotion_core.live.state import Moment
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.colours import EMOTION_COLOURS
from tests.support.browser import BROWSER, Browser
from tests.support.live_session import WAIT_S, MadeUpSession, face, grey, likely

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

SAID = "document.getElementById('said').textContent"
SOURCE = "document.getElementById('source').textContent"
# where the canvas holds a colour: left, top, right and bottom as shares of it, in hundredths
WHERE = """(() => {
  const canvas = document.getElementById("picture");
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const found = [width, height, 0, 0];
  for (let at = 0; at < data.length; at += 4) {
    if (%s.some((value, part) => Math.abs(data[at + part] - value) > 8)) continue;
    const [x, y] = [(at / 4) %% width, Math.floor(at / 4 / width)];
    found[0] = Math.min(found[0], x);
    found[1] = Math.min(found[1], y);
    found[2] = Math.max(found[2], x);
    found[3] = Math.max(found[3], y);
  }
  return found.map((value, part) => Math.round(100 * value / (part %% 2 ? height : width)));
})()"""
TRACK_3, TRACK_4 = [0xB9, 0xA3, 0xFF], [0xFF, 0xFF, 0xFF]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def browser(opened: Browser) -> Iterator[Browser]:
    """One browser for all tests: it takes seconds to start."""
    opened.resize(1100, 1200)
    yield opened
    assert opened.console == []
    opened.open("about:blank")  # no page that asks a server which is gone


def shown(browser: Browser, number: int) -> None:
    """Wait until the page shows a snapshot."""
    browser.until(f"document.body.dataset.number === '{number}'")


def bars(browser: Browser, who: int | str) -> dict[str, int]:
    """Widths of somebody's bars, in hundredths of the longest possible one."""
    rows = f"document.querySelectorAll('[data-who=\"{who}\"].card tr')"
    width = "parseFloat(row.querySelector('i').style.width)"
    found = browser.run(f"[...{rows}].map((row) => [row.cells[0].textContent, {width}])")
    return {label: round(width) for label, width in found}


def marks(browser: Browser, who: int | str) -> list[tuple[str, int, int]]:
    """Somebody's timeline: class, left and right, in hundredths of its width."""
    strip = f"document.querySelectorAll('[data-who=\"{who}\"].lane .strip i')"
    width = "parseFloat(i.style.left), parseFloat(i.style.width)"
    found = browser.run(f"[...{strip}].map((i) => [i.className, {width}])")
    return [(name, round(left), round(left + width)) for name, left, width in found]


def test_boxes_move_bars_change_and_the_timeline_grows(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    browser.open(running[0])
    session.show(picture=grey(), faces=(face(3, 0.1), face(4, 0.6)))
    shown(browser, 1)
    at = browser.run(WHERE % TRACK_3)
    assert at[0] == pytest.approx(10, abs=2) and at[2] == pytest.approx(35, abs=2)
    assert browser.run(WHERE % TRACK_4)[2] == pytest.approx(85, abs=2)
    assert bars(browser, 3) == dict.fromkeys(EMOTIONS, 0)

    happy = Moment(2.0, 3, "happy", likely("happy"))
    voice = Moment(2.0, None, "sad", likely("sad", 0.9))
    session.show(
        (happy, voice), time_s=2.0, voice=voice, faces=(face(3, 0.3, "happy", speaking=True),)
    )
    shown(browser, 2)
    at = browser.run(WHERE % TRACK_3)
    assert at[0] == pytest.approx(30, abs=2) and at[3] == pytest.approx(75, abs=2)
    assert bars(browser, 3) == {each: 65 if each == "happy" else 5 for each in EMOTIONS}
    assert bars(browser, "")["sad"] == 90
    card = browser.run("document.querySelector('[data-who=\"3\"].card h3').textContent")
    assert card == "person 3happy 65 %speaks"
    assert browser.run("document.querySelector('[data-who=\"4\"].card h3').textContent").endswith(
        "out of view"
    )
    assert browser.run(WHERE % TRACK_4) == [100, 100, 0, 0], "nobody there any more"
    assert marks(browser, 3) == [("e2", 3, 10)] and marks(browser, "") == [("e3", 3, 10)]

    later = tuple(Moment(t, 3, "sad", likely("sad")) for t in range(4, 151, 2))
    session.show(later, time_s=150.0, faces=(face(3, 0.3, "sad"),))
    shown(browser, 3)
    assert bars(browser, 3)["sad"] == 65 and bars(browser, 3)["happy"] == 5
    assert marks(browser, 3) == [("e2", 0, 1), ("e3", 1, 50)], "half of the five minutes"
    # the first minutes scroll out of view, and are there again in the view of all
    session.show((Moment(400.0, 3, "", likely("calm", 0.2)),), time_s=400.0)
    shown(browser, 4)
    assert marks(browser, 3) == [("e3", 0, 17)]
    browser.run("span.value = '0'; span.dispatchEvent(new Event('change'))")
    assert [name for name, _, _ in marks(browser, 3)] == ["e2", "e3"], "20 % is a guess: grey"
    label = "document.querySelector('[data-who=\"3\"] .strip').getAttribute('aria-label')"
    assert browser.run(label).startswith("person 3: sad 9")
    # the colours are the report's
    colour = "getComputedStyle(document.querySelector('.card .e2')).backgroundColor"
    assert browser.run(f"window.getComputedStyle && {colour}") == "rgb({}, {}, {})".format(
        *bytes.fromhex(EMOTION_COLOURS["happy"][1:])
    )


def test_a_reload_and_a_second_viewer_see_the_same_timeline(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    for time in range(1, 61):
        emotion = "happy" if time <= 30 else "angry"
        session.show((Moment(float(time), 1, emotion, likely(emotion)),), time_s=float(time))
    for _ in range(2):
        browser.open(running[0])
        shown(browser, 60)
        assert marks(browser, 1) == [("e2", 1, 51), ("e4", 51, 100)]


def test_keys_and_buttons_pause_resume_and_stop(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    address, future = running
    browser.open(address)
    session.show(picture=grey())
    shown(browser, 1)
    assert browser.run(SOURCE) == "playing"
    browser.press(" ")
    browser.until(f"{SOURCE} === 'paused'")
    assert browser.run(SAID).startswith("paused"), "read aloud"
    assert browser.run("document.getElementById('pause').textContent") == "Resume Space"
    browser.press(" ")
    browser.until(f"{SOURCE} === 'playing'")
    browser.press("Tab")
    focus = "document.activeElement.id"
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    assert (browser.run(focus), browser.run(ring)) == ("pause", "solid")
    browser.press(" ")  # the button's own, and once
    browser.until(f"{SOURCE} === 'paused'")
    browser.press("Enter")
    browser.until(f"{SOURCE} === 'playing'")
    assert session.orders == ["pause", "resume"] * 2
    browser.press("S", shift=True)
    assert browser.run("document.getElementById('stop').textContent") == "Really stop? Shift+S"
    assert session.orders == ["pause", "resume"] * 2, "one key ends nothing"
    browser.press("S", shift=True)
    browser.until(f"{SOURCE} === 'stopped'")
    assert "may be closed" in browser.run("document.getElementById('note').textContent")
    assert browser.run("document.querySelectorAll('button:disabled').length") == 2
    assert future.result(timeout=WAIT_S) is None and "stop" in session.orders


def test_figures_and_the_source_s_trouble_are_said(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    browser.open(running[0])
    note = "lost after 12 s; trying again in 4 s <b>"
    shown(browser, session.source("reconnecting", note))
    text = browser.run("document.getElementById('figures').innerText")
    for each in (
        "5.0\npictures a second",
        "0.21 s\nlatency, newest",
        "0.40 s\nlatency, 95",
        "3\ndropped",
    ):
        assert each in text, text
    assert browser.run("document.getElementById('note').textContent") == note
    assert browser.run(SAID) == f"reconnecting. {note}"
    shown(browser, session.source("reconnecting", "lost after 12 s; trying again in 3 s"))
    assert browser.run(SAID) == f"reconnecting. {note}", "a count is not read aloud each second"
    told = browser.run("document.querySelector('.about').innerText")
    for each in ("no measure of what a person feels", "below 30 %", *session.models):
        assert each in told, told
    session.source("ended", "")
    browser.until(f"{SOURCE} === 'ended'")


def test_without_the_token_a_browser_sees_nothing(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    session.show(picture=grey(), faces=(face(3, 0.1),))
    parts = urlsplit(running[0])
    for path in ("/", "/" + "x" * 43 + "/", "/live.html"):
        browser.open(f"{parts.scheme}://{parts.netloc}{path}")
        assert browser.run("document.body.innerText") == "refused"
        assert browser.run("document.scripts.length") == 0
    # what the browser says of a 403 is no fault of the page
    assert all("403" in each for each in browser.console)
    browser.console.clear()


def test_a_page_of_somebody_else_gets_no_feed(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser, tmp_path: Path
) -> None:
    """Even one that knows the address: from a file, and from another server of this machine."""
    (tmp_path / "evil.html").write_text(f"""<script>
      const feed = new WebSocket("{running[0].replace("http", "ws")}feed");
      feed.onopen = () => {{ document.title = "open"; }};
      feed.onclose = () => {{ document.title = "closed"; }};
    </script>""")
    browser.open(tmp_path / "evil.html")
    browser.until("document.title !== ''")
    assert browser.run("document.title") == "closed" and session.orders == []
    browser.console.clear()


def test_no_width_scrolls_sideways_light_and_dark(
    session: MadeUpSession, running: tuple[str, Future[None]], browser: Browser
) -> None:
    browser.open(running[0])
    voice = Moment(3599.0, None, "fearful", likely("fearful"))
    moments = tuple(Moment(3500.0 + n, n, "surprised", likely("surprised")) for n in range(14))
    session.models = ("x" * 300,)
    faces = tuple(face(n, 0.2 * n, "surprised", speaking=True) for n in range(5))
    number = session.show(
        (*moments, voice), time_s=3600.0, picture=grey(640, 360), faces=faces, voice=voice
    )
    shown(browser, number)
    assert browser.run("document.getElementById('more').textContent").startswith("2 more")
    for dark in (False, True):
        for width in (360, 800, 1400):
            browser.resize(width, 900, dark)
            assert browser.run("document.documentElement.scrollWidth") <= width
            picture = "document.getElementById('picture')"
            browser.until(f"{picture}.width === {picture}.clientWidth")
            for each in ("pause", "stop", "source"):
                box = browser.run(
                    f"document.getElementById('{each}').getBoundingClientRect().right"
                )
                assert box <= width
    back = "getComputedStyle(document.body).backgroundColor"
    assert browser.run(back) == "rgb(23, 24, 26)"
