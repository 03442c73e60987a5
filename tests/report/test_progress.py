"""What a job says while it runs."""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout

import pytest
from rich.console import Console

from emotion_core.engine.run import Part, follow
from emotion_core.errors import StorageError
from emotion_core.report.progress import Tally, duration, progress


def test_a_tally_tells_media_speed_and_why_things_failed() -> None:
    now = [100.0]
    tally = Tally(lambda: now[0])
    assert tally.add(0.0, []) == ""
    now[0] = 110.0
    assert tally.add(90.0, []) == "1.5 min of media, 9x real time"
    now[0] = 120.0
    failures = ["unreadable", "timeout", "unreadable", "gone", "crash", "gone"]
    assert tally.add(7110.0, failures) == (
        "2 h of media, 360x real time, failed: unreadable 2, gone 2, timeout 1, others 1"
    )


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(7.5, "7.5 s"), (59, "59 s"), (90, "1.5 min"), (7200, "2 h"), (4e6, "1,111 h")],
)
def test_durations(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_a_log_gets_a_line_at_the_end_with_all_of_it() -> None:
    text = io.StringIO()
    console = Console(file=text, width=40)
    parts = [
        Part("a", {"ok": 2, "degraded": 0, "failed": 1}, 60.0, ("unreadable",)),
        Part("b", {"ok": 0, "degraded": 1, "failed": 0}, 60.0),
    ]
    follow(parts, 4, lambda total: progress(console, "label", total))
    (line,) = text.getvalue().splitlines()  # on one line, however narrow
    assert line.startswith("label: 4/4 after 0 s, 2 min of media, ")
    assert line.endswith("failed: unreadable 1")


def test_no_more_parts_are_asked_for_once_the_claim_is_lost() -> None:
    asked: list[str] = []

    def parts() -> Iterator[Part]:
        for name in ("a", "b", "c"):
            asked.append(name)
            yield Part(name, {"ok": 1, "degraded": 0, "failed": 0})

    def check() -> None:
        if asked == ["a", "b"]:
            raise StorageError("another job took over")

    with pytest.raises(StorageError, match="another job took over"):
        follow(parts(), 3, lambda total: progress(Console(file=io.StringIO()), "x", total), check)
    assert asked == ["a", "b"]


def test_a_log_says_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    from emotion_core.report import progress as module

    now = iter([0.0, 5.0, 30.0, 31.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    text = io.StringIO()
    with progress(Console(file=text, width=200), "label", 100) as advance:
        advance(10, "x")  # too soon for a line
        advance(10, "y")
        advance(5, "z")
    assert text.getvalue() == "label: 20/100 after 30 s, about 2 min left, y\n"


def test_a_terminal_gets_a_bar() -> None:
    text = io.StringIO()
    console = Console(file=text, width=160, force_terminal=True)
    with redirect_stdout(text), progress(console, "label", 2) as advance:
        advance(2, "1 h of media, 3x real time, failed: gone 1")
    assert "2/2" in text.getvalue() and "failed: gone 1" in text.getvalue()
