"""A whole session with the models that ship: a source that plays, and a browser on its page."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import av
import pytest

from tests.live.test_page import SOURCE, WHERE, bars
from tests.live.test_server import get
from tests.support.browser import BROWSER, Browser
from tests.support.jobs import command, environment
from tests.support.live_session import WAIT_S
from tests.support.rtsp_camera import rtsp_camera

# Somebody who speaks for 15 s and moves the head, with sound.
CLIP = "clips/wild/liveportrait_d10.mp4"
LENGTH_S = 15
TRACK_0 = [0x00, 0xE5, 0xFF]
CARD = "document.querySelector('[data-who=\"0\"].card')"
LANE = "document.querySelector('[data-who=\"0\"].lane')"
# how far the lane of the first person reaches, in its drawing's columns
REACH = (
    f"Math.max(0, ...[...{LANE}.querySelectorAll('u')].map((u) => u.getBoundingClientRect().right))"
)


@contextmanager
def live(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the address of its page."""
    told = command("live", *arguments, "--no-browser")
    with subprocess.Popen(told, stdout=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            assert process.stdout
            line = next((line for line in process.stdout if "http://" in line), "")
            assert line, "its standard error says why"
            yield process, line[line.index("http://") :].split()[0]
        finally:
            process.kill()


def changes(browser: Browser, what: str) -> None:
    """Wait until an expression has another value than now."""
    before = browser.run(f"window.before = JSON.stringify({what})")
    browser.until(f"JSON.stringify({what}) !== {before!r}")


def repeated(clip: Path, times: int, out: Path) -> Path:
    """The clip so many times one behind the other, as it is: nothing is encoded anew."""
    with av.open(str(out), "w") as made, av.open(str(clip)) as first:
        streams = {
            each.index: made.add_stream_from_template(each)
            for each in (first.streams.video[0], first.streams.audio[0])
        }
        for number in range(times):
            with av.open(str(clip)) as again:
                for packet in again.demux(*(again.streams[index] for index in streams)):
                    if packet.dts is None or packet.pts is None:
                        continue
                    shift = int(number * LENGTH_S / packet.time_base)
                    packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                    packet.stream = streams[packet.stream.index]
                    made.mux(packet)
    return out


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("kind", ["file", "rtsp"])
def test_boxes_move_bars_change_and_the_timeline_grows_while_it_plays(
    corpora: Path, tmp_path: Path, kind: str
) -> None:
    clip = corpora / CLIP
    if kind == "file":
        playing = nullcontext(str(repeated(clip, 20, tmp_path / "long.mkv")))
    else:
        playing = rtsp_camera(clip)
    with (
        Browser(tmp_path / "profile") as browser,
        playing as source,
        live("--source", source, "--hop", 1) as (process, address),
    ):
        browser.open(address)
        browser.until(f"{SOURCE} === 'playing' && {CARD}")
        box = WHERE % TRACK_0
        left, top, right, bottom = browser.run(box)
        assert 10 < left < right < 90 and 5 < top < bottom < 95, "around a face in the middle"
        changes(browser, f"{box}")
        browser.until(f"{CARD}.querySelector('.best')")
        assert sum(bars(browser, 0).values()) == pytest.approx(100, abs=5)
        changes(browser, f"[...{CARD}.querySelectorAll('.meter i')].map((i) => i.style.width)")
        browser.until(f"{LANE} && {REACH} > 0")
        changes(browser, REACH)
        figures = "document.getElementById('figures').innerText"
        assert "\n0.0\npictures a second" not in browser.run(figures)  # but 10.0 is fine
        assert get(address, "/live.js")[0] == get(address, "/" + "x" * 43 + "/")[0] == 403
        browser.press(" ")
        browser.until(f"{SOURCE} === 'paused'")
        browser.press(" ")
        browser.until(f"{SOURCE} === 'playing'")
        if kind == "file":
            process.send_signal(signal.SIGINT)
        else:
            browser.press("S", shift=True)
            browser.press("S", shift=True)
        browser.until(f"{SOURCE} === 'stopped'")
        assert "may be closed" in browser.run("document.getElementById('note').textContent")
        assert browser.console == []
        assert process.wait(WAIT_S) == 0
