"""The report of labels that are there: jobs/report.py, from tables to pages and faces."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.clips.work import ClipWork, Outcome, Segment
from emotion_core.corpora.inputs import collect
from emotion_core.labelling.report import write
from emotion_core.labelling.report.thumbnails import SIDE
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.tables import LabelTables
from tests.support.jobs import run_here
from tests.support.labelling import LABELS

MAGENTA = (200, 0, 200)
# where the face is, and where it was seen less well
BEST, WORSE = ((0.7, 0.4, 0.8, 0.6), 0.9), ((0.0, 0.0, 0.1, 0.1), 0.5)


def still(path: Path) -> None:
    """A picture that is one colour but for a square."""
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[80:120, 280:320] = MAGENTA
    Image.fromarray(pixels).save(path)


def work(row: dict) -> ClipWork:
    if "broken" in row["uri"]:
        return ClipWork(row, outcome=Outcome().fail("decode", "unreadable", "unreadable: x"))
    answer = np.full(7, 0.05, np.float32)
    answer[1] = 0.7
    seen = [
        Segment(0.0, 0.0, 0, box, score, 0.0, answer, ("face",), None, answer)
        for box, score in (WORSE, BEST)
    ]
    return ClipWork(row, segments=tuple(seen), n_tracks=1, duration_s=0.0)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Labels of three pictures and of a file that is none, in two files of each table."""
    folder, out = tmp_path / "pictures", tmp_path / "labels"
    folder.mkdir()
    for name in ("a #1.png", "b.png", "gone.png"):
        still(folder / name)
    (folder / "broken.png").write_bytes(b"nothing")
    settings = {"schema_version": LABELS_SCHEMA_VERSION, "model_id": "m", "models": ["m"],
                "min_confidence": 0.0}  # fmt: skip
    with storage.hold_output(str(out), "labels", settings, say=print):
        works = [work(row) for row in manifest_table(collect([str(folder)]).clips).to_pylist()]
        tables = LabelTables(str(out), LABELS, "m")
        tables.write(works[:2])
        tables.write(works[2:])
    (folder / "gone.png").unlink()
    return out


def pages(out: Path) -> dict[str, str]:
    """The pages of videos by the names in their titles."""
    texts = [path.read_text() for path in (out / "report").glob("*")]
    return {re.findall("<title>(.*)</title>", text)[0]: text for text in texts}


def test_a_report_links_every_page_and_shows_faces_where_they_were_seen_best(labels: Path) -> None:
    done = run_here("report", "--labels", labels)
    assert done.returncode == 0, done.stderr
    assert "3 of 4 videos have a page of their own" in done.stdout
    summary = (labels / "report.html").read_text()
    links = re.findall(r'href="([^"]*)"', summary)
    assert len(links) == 3 and all((labels / link).is_file() for link in links)
    found = pages(labels)
    assert found.keys() == {"a #1.png", "b.png", "gone.png"}
    assert "<img" not in found["gone.png"]
    (face,) = re.findall('<img src="data:image/jpeg;base64,([^"]*)"', found["a #1.png"])
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(face)))).astype(int)
    assert picture.shape == (SIDE, SIDE, 3)
    assert np.abs(picture[SIDE // 2, SIDE // 2] - MAGENTA).max() < 12
    assert picture[2, 2].max() < 40  # the margin around it


def test_no_face_stays_and_no_page_of_an_earlier_report(labels: Path) -> None:
    assert run_here("report", "--labels", labels).returncode == 0
    again = ("--no-faces", "--short-names", "--videos", "a*", "--videos", "b.*")
    done = run_here("report", "--labels", labels, *again)
    assert done.returncode == 0, done.stderr
    found = pages(labels)
    assert found.keys() == {"a #1.png", "b.png"}
    whole = (labels / "report.html").read_text() + "".join(found.values())
    assert "<img" not in whole and "base64" not in whole and str(labels.parent) not in whole
    assert "2 of 3 in which something was labelled have a page of their own" in whole


def test_of_many_videos_those_with_most_to_see_have_pages(
    labels: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(write, "MOST_PAGES", 1)
    for _ in range(2):  # another folder may be written again
        done = run_here("report", "--labels", labels, "--out", tmp_path / "shown")
        assert done.returncode == 0, done.stderr
    assert len(pages(tmp_path / "shown")) == 1 and not (labels / "report.html").exists()
    assert "1 of 3 in which something" in (tmp_path / "shown" / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--labels", "{labels}", "--videos", "z*"), "--videos z*: no video of these labels is"),
        (("--labels", "{labels}", "--videos", "broken*"), "nothing was labelled in these videos"),
        (("--labels", "{labels}/videos"), "holds no labels: give the --out of jobs/label.py"),
        (("--labels", "{labels}", "--out", "{labels}/report"), "lies in the labels"),
    ],
)
def test_a_mistake_is_one_line(labels: Path, words: tuple[str, ...], told: str) -> None:
    done = run_here("report", *(word.format(labels=labels) for word in words))
    assert done.returncode == 2
    assert told in done.stderr and len(done.stderr.splitlines()) == 1
