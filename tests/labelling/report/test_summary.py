"""``report.html``: what is in it, that it is safe, and that its script works in a real browser."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from emotion_core.labelling.report import summary
from emotion_core.labelling.report.cards import cards
from emotion_core.labelling.report.overview import Names
from emotion_core.labelling.report.summary import Facts, reasons, summary_page
from emotion_core.models.shipped import bundle_uri
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.storage.schemas import NOTES
from tests.labelling.report.test_overview import video, videos_table
from tests.support.browser import BROWSER, Browser

FACTS = Facts(("s3://bucket/clips",), "s3://bucket/labels", {"fps": None}, 2,
              "2026-01-02T03:04:05+00:00")  # fmt: skip
EVIL = '/archive/</script><script>alert("1")</script>&<img src=x onerror=alert(2)>.mp4'


def html_of(videos: pa.Table, pages: tuple[str, ...] = (), names: Names = Names()) -> str:  # noqa: B008
    return summary_page(videos, EMOTIONS, pages, FACTS, names).decode()


@pytest.fixture
def page() -> str:
    videos = videos_table(
        [
            video("a", uri=EVIL, emotion="happy", happy=0.75, angry=0.25, notes=["several_people"]),
            video("b", "degraded", ("no_face",), error="no face in any picture", emotion="sad",
                  sad=1.0),
            video("c", "failed", ("unreadable",), error="unreadable: <b>broken</b>"),
        ]
    )  # fmt: skip
    return html_of(videos, ("a",))


def text_of(page: str) -> str:
    kept = re.sub(r"<(style|script)\b.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(kept.split())


def check_policy(page: str) -> None:
    """The one script of the page, and nothing else, may run."""
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    assert rules.pop("script-src") == f"'sha256-{digest}'"
    assert rules == {
        "default-src": "'none'", "style-src": "'unsafe-inline'", "img-src": "data:",
        "base-uri": "'none'", "form-action": "'none'",
    }  # fmt: skip
    assert not re.findall(r"https?://|url\(|@import|<link|<iframe", page)


def test_names_are_escaped_and_only_the_page_s_own_script_may_run(page: str) -> None:
    check_policy(page)
    assert page.count("<script") == 2, "the script and its data"
    assert "<img" not in page and "<b>broken" not in page
    assert "&lt;script&gt;" in page and "&lt;b&gt;broken&lt;/b&gt;" in page
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert "<" not in data and "&" not in data
    assert json.loads(data)["rows"][0][0] == "script>&<img src=x onerror=alert(2)>.mp4"


def test_places_that_are_not_utf8_or_drive_a_terminal_end_nothing() -> None:
    facts = replace(FACTS, source=("caf\udce9", "a\x1b]0;pwned\x07"), out="out\udce9")
    page = summary_page(videos_table([]), EMOTIONS, (), facts, Names()).decode()
    assert "caf\ufffd, a\ufffd]0;pwned\ufffd &rarr; out\ufffd," in page and "\x1b" not in page


def test_what_it_tells(page: str) -> None:
    text = text_of(page)
    assert "Emotions in 3 inputs" in text
    assert "2026-01-02 03:04 UTC" in text
    assert "1 ok 1 degraded 1 failed" in text
    assert "not a media file, or damaged beyond reading" in text
    assert "2 files were passed over" in text
    assert f"In 1 of them several people: {NOTES['several_people']}" in text
    assert "no measure of what a person feels" in text
    # 8 s of each video: three quarters and all of two thirds
    for told in ("happy 37.5%", "angry 12.5%", "sad 50.0%"):
        assert told in text
    # a first page of rows without the script
    assert re.search(r"\.mp4 \S+ ok several people happy 75% 1 person 0:00:08", text)


def test_reasons_by_how_much_they_cost() -> None:
    videos = videos_table(
        [
            *(video(str(n), "degraded", ("no_face", "no_audio"), error="e") for n in range(9)),
            video("x", "failed", ("timeout",), error="timeout: too long"),
        ]
    )
    found = reasons(videos, Names())
    assert [(r.word, r.degraded, r.failed) for r in found] == [
        ("timeout", 0, 1), ("no_audio", 9, 0), ("no_face", 9, 0)
    ]  # fmt: skip
    assert len(found[1].examples) == 5
    assert found[0].examples == (("x.mp4", "/archive/x.mp4", "timeout: too long"),)


@pytest.mark.parametrize("rows", [[], [video("a", "failed", ("unreadable",), n_segments=0)]])
def test_nothing_labelled(rows: list[dict]) -> None:
    text = text_of(html_of(videos_table(rows)))
    assert "Nothing was labelled." in text
    assert ("There was nothing to label." in text) == (not rows)


def test_a_list_that_is_too_long_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "MOST_ROWS", 2)
    page = html_of(videos_table([video(name) for name in "abcd"]), pages=("d",))
    assert "The list holds 2; 2 more are in the table videos/." in page
    assert "a.mp4" in page and "report/d.html" in page and "b.mp4" not in page


def test_short_names_leave_folders_out() -> None:
    rows = [video("a", "failed", ("cut",), error="cut: /archive/a.mp4", n_segments=0)]
    assert "/archive" in html_of(videos_table(rows))
    assert "/archive" not in html_of(videos_table(rows), names=Names(short=True))


def test_models_are_known_by_their_id_and_say_how_right_they_are(tmp_path: Path) -> None:
    ids = [json.loads(Path(bundle_uri(name), "metrics.json").read_text())["model_id"]
           for name in ("voice", "face")]  # fmt: skip
    voice, face, gone = cards([*ids, "0" * 16], [str(tmp_path / "gone")])
    assert (voice.name, face.name, gone.name) == ("voice", "face", "model 0000000000000000")
    assert "no commercial use" in voice.terms
    assert voice.figure.startswith("right about 65% of 1,440 clips of people whom it had not met")
    assert any("26.2%, not far above chance" in text for text in voice.figures)
    assert any("Not for decisions about people" in text for text in face.limits)
    assert not any("|" in text for text in face.figures)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_browser_filters_and_sorts(tmp_path: Path) -> None:
    rows = [
        video(f"v{n:03d}", emotion="sad", sad=1 - n / 1000, happy=n / 1000, duration_s=float(n))
        for n in range(120)
    ]
    nothing = dict.fromkeys(f"share_{label}" for label in EMOTIONS)
    rows += [video("x", "failed", ("unreadable",), duration_s=None) | nothing, video("e", uri=EVIL)]
    (tmp_path / "report.html").write_text(html_of(videos_table(rows), ("v007",)))

    def names() -> list[str]:
        items = "[...document.querySelectorAll('#videos li')]"
        return browser.run(f"{items}.map((li) => li.querySelector('a, span span').textContent)")

    def shown() -> str:
        return browser.run("document.getElementById('shown').textContent")

    def choose(box: str, value: str) -> None:
        browser.run(
            f"(() => {{ const box = document.getElementById('{box}'); box.value = {value!r};"
            "box.dispatchEvent(new Event('input')); box.dispatchEvent(new Event('change')); })()"
        )

    with Browser(tmp_path / "profile") as browser:
        browser.open(tmp_path / "report.html")
        assert len(names()) == 50 and browser.run("document.querySelector('#videos img')") is None
        assert shown() == "1 to 50 of 122 of 122 videos"
        browser.run("document.getElementById('next').click()")
        assert len(names()) == 50
        choose("find", "V007")
        assert names() == ["v007.mp4"]
        choose("find", "v")
        browser.run("document.getElementById('paged').click()")
        assert names() == ["v007.mp4"]
        link = browser.run("document.querySelector('#videos a').getAttribute('href')")
        assert link == "report/v007.html"
        browser.run("document.getElementById('paged').click()")
        choose("find", "")
        choose("emotion", str(EMOTIONS.index("happy")))
        assert names()[:2] == ["v119.mp4", "v118.mp4"], "the largest share first"
        browser.run("document.querySelector('[data-key=length]').click()")
        browser.run("document.querySelector('[data-key=length]').click()")
        assert names()[:2] == ["v001.mp4", "v002.mp4"], "shortest first; v000 has nothing happy"
        choose("emotion", "")
        choose("status", "2")
        assert names() == ["x.mp4"]
        # a script that is not the page's own does not run, nor does a name
        browser.run("added = document.createElement('script'); added.text = 'pwned = 1'")
        browser.run("document.head.append(added)")
        assert browser.run("typeof pwned") == "undefined"
        for width in (360, 800, 1400):
            browser.resize(width, 900)
            assert browser.run("document.documentElement.scrollWidth") <= width
    assert len(browser.console) == 1 and "Content Security Policy" in browser.console[0]
