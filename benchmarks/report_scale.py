"""How large the report's pages are, how long they take to write, and to open in Chromium.

python -m benchmarks.report_scale --out FOLDER

Rows are made up and written by the tables' own writer: a session of two people, and an archive of
many short videos of which some failed. Opening is from the call for the page to the end of its
script, in a browser that is running.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from emotion_core import cli, storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Outcome, Segment
from emotion_core.labelling.report.finished import open_finished
from emotion_core.labelling.report.write import write_report
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.tables import LabelTables
from emotion_core.recipes.emotions import LABEL_SETS
from tests.support.browser import BROWSER, Browser

LABELS = LABEL_SETS["emotions7"].labels
_HOP_S, _WINDOW_S = 2.0, 4.0
_PER_PART = 64
_SETTINGS = {
    "schema_version": LABELS_SCHEMA_VERSION, "model_id": "m", "min_confidence": 0.0,
    "models": ["601dbd3040146232", "b87c56cf0eb33170"],
}  # fmt: skip


def answers(windows: int, rng: np.random.Generator) -> np.ndarray:
    """Probabilities that wander as those of the models do, float32 (windows, labels)."""
    steps = rng.normal(0, 0.8, (windows, len(LABELS)))
    logits = np.zeros(len(LABELS))
    walk = [logits := 0.85 * logits + step for step in steps]
    weights = np.exp(np.array(walk) + [1.0, 0.3, 0.4, 0, 0, 0, 0])
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def session(minutes: float, people: int, rng: np.random.Generator) -> tuple[Segment, ...]:
    """Windows of a video in which everybody is in view, but for every fifth minute with one."""
    windows = int(minutes * 60 / _HOP_S)
    said = [answers(windows, rng) for _ in range(people + 1)]
    return tuple(
        segment
        for n in range(windows)
        for segment in _window(n * _HOP_S, [each[n] for each in said])
    )


def _window(start_s: float, said: list[np.ndarray]) -> Iterator[Segment]:
    end_s = start_s + _WINDOW_S
    *faces, voice = said
    if len(faces) == 1 or (start_s // 60) % 5 == 4:
        both = (faces[0] + voice) / 2
        yield Segment(start_s, end_s, 0, (0.1, 0.1, 0.3, 0.5), 0.9, start_s, both,
                      ("audio", "face"), voice, faces[0])  # fmt: skip
        return
    for track, face in enumerate(faces):
        yield Segment(start_s, end_s, track, (0.1, 0.1, 0.3, 0.5), 0.9, start_s, face, ("face",),
                      None, face)  # fmt: skip
    yield Segment(start_s, end_s, None, None, None, None, voice, ("audio",), voice, None)


def works(places: list[str], minutes: float, people: int, seed: int) -> Iterator[ClipWork]:
    """Labelled videos; with many of them some fail, or miss their sound."""
    rng = np.random.default_rng(seed)
    rows = manifest_table([Clip(place, 5_000_000, "v") for place in places]).to_pylist()
    for number, row in enumerate(rows):
        work = ClipWork(row)
        if number % 20 == 19:
            yield work.with_(outcome=Outcome().fail("decode", "unreadable", "unreadable: no media"))
            continue
        outcome = (
            Outcome().degrade("audio", "no_audio", "no_audio") if number % 7 == 6 else Outcome()
        )
        yield work.with_(
            outcome=outcome, segments=session(minutes, people, rng), duration_s=60 * minutes,
            n_tracks=people, notes=("several_people",) if people > 1 else (),
        )  # fmt: skip


def labels(out: Path, places: list[str], minutes: float, people: int) -> None:
    """The output of a job that labelled these videos."""
    mark = {"made_by": "emotion-core", "kind": "labels", "settings": _SETTINGS}
    storage.write_json(str(out / "settings.json"), mark)
    tables, part = LabelTables(str(out), LABELS, "m"), []
    for work in works(places, minutes, people, 1):
        part.append(work)
        if len(part) == _PER_PART:
            tables.write(part)
            part = []
    if part:
        tables.write(part)


def report(out: Path) -> tuple[float, int]:
    """Seconds that writing takes, and pages."""
    start = time.monotonic()
    found = open_finished(str(out))
    pages = write_report(str(out), found.tables, found.videos, found.facts)
    return time.monotonic() - start, pages


def opening_s(page: Path) -> float:
    """Seconds to open a page, the slowest of three: the first one finds the browser cold."""
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        return max(_once(browser, page) for _ in range(3))


def _once(browser: Browser, page: Path) -> float:
    start = time.monotonic()
    browser.open(page)
    assert browser.run("document.readyState") == "complete" and not browser.console
    return time.monotonic() - start


def main(
    out: Annotated[Path, typer.Option(help="A new folder.")],
    videos: Annotated[int, typer.Option(help="Videos of the archive.")] = 10_000,
    minutes: Annotated[float, typer.Option(help="Length of the session.")] = 50.0,
) -> None:
    """Make both, write their reports, and print the table."""
    session_, archive = out / "session", out / "archive"
    labels(session_, ["/videos/session.mp4"], minutes, 2)
    places = [f"/archive/year {n % 40:02d}/interview {n:06d}.mp4" for n in range(videos)]
    labels(archive, places, 1.0, 1)
    table = Table("page", "size", "written in", "opens in")
    for folder, name in ((session_, f"{minutes:g} minutes, two people"), (archive, "archive")):
        seconds, pages = report(folder)
        page = next((folder / "report").glob("*.html"))
        for each, told in ((folder / "report.html", "summary"), (page, "a video's page")):
            opened = f"{opening_s(each):.2f} s" if BROWSER else "no Chromium"
            whole = f"{seconds:.1f} s, {pages} pages" if told == "summary" else ""
            table.add_row(f"{name}: {told}", f"{each.stat().st_size / 1000:,.0f} kB", whole, opened)
    cli.console.print(table)


if __name__ == "__main__":
    typer.run(main)
