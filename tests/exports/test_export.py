"""Exports are read back by the libraries of their formats, and hold what the labels say."""

import csv
import io
import json
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import praatio.textgrid
import pyarrow as pa
import pympi.Elan
import pysubs2
import pytest

from emotion_core import storage
from emotion_core.clips.work import Outcome, Segment
from emotion_core.errors import UsageError
from emotion_core.exports import labelled
from emotion_core.exports.command import Format, main
from emotion_core.exports.labelled import names_of, open_labels
from emotion_core.exports.spreadsheet import clock
from emotion_core.exports.timed import joined
from emotion_core.labelling.compact import compact
from emotion_core.labelling.tables import LabelTables
from tests.support.jobs import ROOT, run_here
from tests.support.made_labels import LABELS, WORKS, answer, segment, work, write_labels

ALL = tuple(Format)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_labels(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def exported(labels: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported")
    assert main(labels, str(out), list(ALL)) == 0
    return out


def names(labels: str) -> dict[str, str]:
    return {video.row["uri"]: video.name for video in open_labels(labels).videos()}


def test_names_are_short_and_never_the_same(labels: str) -> None:
    found = names(labels)
    assert len({name.casefold() for name in found.values()}) == len(WORKS)
    one, two = found["/archive/one/session.mp4"], found["/archive/two/Session.mov"]
    assert one.startswith("session-") and two.startswith("Session-"), "the same but for their case"
    assert found["/archive/broken.mp4"] == "broken"
    assert not any(sign in name for name in found.values() for sign in '\\/:*?"<>|')


def named(*uris: str) -> list[str]:
    ids = [f"{number:032x}" for number in range(len(uris))]
    return list(names_of(pa.table({"clip_id": ids, "uri": uris})).values())


def test_a_name_that_looks_like_another_s_way_out(labels: str) -> None:
    first = f"{0:032x}"
    found = named(
        "/a/s.mp4", "/b/s.mp4", f"/c/s-{first[:10]}.mp4", "/d/e\u0301.mp4", "/e/\u00c9.mp4"
    )
    assert len({unicodedata.normalize("NFC", name).casefold() for name in found}) == 5
    many = named(*(f"/{number}/clip.mp4" for number in range(300)))
    assert len(set(many)) == 300


def test_a_compact_copy_is_refused_and_not_exported_without_its_answers(
    labels: str, tmp_path: Path
) -> None:
    compact(LabelTables(labels, LABELS, "model"), str(tmp_path / "copy"))
    with pytest.raises(UsageError, match="not a copy of it that --compact-to made"):
        main(str(tmp_path / "copy"), str(tmp_path / "e"), [Format.csv])
    assert not (tmp_path / "e" / "segments.csv").exists()


def test_a_long_name_leaves_room_for_its_ending() -> None:
    for name in ("x" * 251, "é" * 120, "日" * 83):
        one, other = named(f"/a/{name}.mp4", f"/b/{name}.mp4")
        assert one != other and max(len(each.encode()) for each in (one, other)) < 240


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf"), "Excel knows UTF-8 by it"
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), delimiter=delimiter))


def test_two_tables_for_spreadsheets(labels: str, exported: Path) -> None:
    segments, videos = rows_of(exported / "segments.csv"), rows_of(exported / "videos.csv")
    assert len(videos) == len(WORKS) and len(segments) == 10
    broken = next(row for row in videos if row["video"] == "broken")
    assert (broken["status"], broken["reasons"], broken["share_happy"]) == (
        "failed", "unreadable", ""
    )  # fmt: skip
    name = names(labels)["/archive/one/session.mp4"]
    mine = [row for row in segments if row["video"] == name]
    assert [(row["who"], row["start"], row["end"], row["emotion"]) for row in mine] == [
        ("person 0", "0:00:00.0", "0:00:02.0", "happy"),
        ("person 0", "0:00:02.0", "0:00:04.0", "happy"),
        ("person 0", "0:00:04.0", "0:00:08.0", "sad"),
        ("person 1", "0:00:00.0", "0:00:04.0", "angry"),
        ("sound", "0:00:00.0", "0:00:02.0", "sad"),
        ("sound", "0:00:02.0", "0:00:06.0", "sad"),
    ]
    assert [row["speaking"] for row in mine] == ["-0.2500"] * 4 + [""] * 2
    assert {row["speech_s"] for row in videos} == {"5.500"}
    assert [row["unsure"] for row in mine] == ["no", "no", "no", "yes", "no", "no"]
    assert float(mine[1]["happy"]) == pytest.approx(0.6, abs=1e-3)
    assert not any("[" in value for row in videos for value in row.values()), "no lists"


def test_a_name_is_never_a_formula(exported: Path) -> None:
    cells = [value for row in rows_of(exported / "videos.csv") for value in row.values()]
    assert not any(cell.startswith(("=", "+", "@", "-")) for cell in cells)
    assert any(cell.startswith("'=") for cell in cells)
    assert any(cell.startswith("'-2+") for cell in cells)


def test_types_are_told_and_another_delimiter(labels: str, tmp_path: Path) -> None:
    main(labels, str(tmp_path), [Format.csv], delimiter=";")
    place = str(tmp_path / "segments.csv")
    found = duckdb.sql(f"select video, end_s, happy from read_csv('{place}', delim=';')").fetchall()
    assert len(found) == 10 and max(end_s for _, end_s, _ in found) == 8.0
    assert all(isinstance(happy, float) for _, _, happy in found)
    assert any("α" in name for name, _, _ in found)
    with pytest.raises(UsageError, match="one character"):
        main(labels, str(tmp_path / "no"), [Format.csv], delimiter=";;")


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R on this machine")
def test_r_reads_what_the_page_for_it_says(labels: str, tmp_path: Path) -> None:
    """The lines of docs/labelling.md, on these labels."""
    main(labels, str(tmp_path / "out" / "export"), [Format.csv])
    document = (ROOT / "docs" / "labelling.md").read_text()
    blocks = [part.split("```")[0] for part in document.split("```r\n")[1:]]
    code = '\ncat("---\\n")\n'.join([*blocks, "rowSums(shares)"])
    done = subprocess.run(
        ["Rscript", "-e", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    sums, _, statuses, whole = done.stdout.split("---\n")
    assert whole.split() == ["0", "1"], "the shares of the only minute add up to 1"
    assert {"ok", "failed"} <= set(statuses.split())
    assert (tmp_path / "Rplots.pdf").stat().st_size > 1000
    rows = [line.split() for line in sums.splitlines()[1:]]
    name = names(labels)["/archive/one/session.mp4"]
    found = {tuple(row[2:4] + row[4:]) for row in rows if row[1] == name}
    assert found == {
        ("person", "0", "happy", "4"), ("person", "0", "sad", "4"), ("sound", "sad", "6")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3723.25, "1:02:03.2")]
)
def test_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_subtitles(labels: str, exported: Path, kind: str) -> None:
    name = names(labels)["/archive/one/session.mp4"]
    found = pysubs2.load(str(exported / kind / f"{name}.{kind}"))
    assert sorted((line.start, line.end, line.plaintext) for line in found) == [
        (0, 4000, "person 0: happy (70%)"), (0, 4000, "person 1: angry? (40%)"),
        (0, 6000, "sound: sad (80%)"), (4000, 8000, "person 0: sad (80%)"),
    ]  # fmt: skip
    if kind == "vtt":
        assert (exported / kind / f"{name}.vtt").read_text().startswith("WEBVTT")


def test_elan(labels: str, exported: Path) -> None:
    name = names(labels)["/archive/one/session.mp4"]
    found = pympi.Elan.Eaf(str(exported / "eaf" / f"{name}.eaf"))
    assert set(found.get_tier_names()) == {
        *("person 0", "person 1", "sound"),
        *(f"{lane} confidence" for lane in ("person 0", "person 1", "sound")),
    }
    told = [each[:3] for each in found.get_annotation_data_for_tier("person 0")]
    assert told == [(0, 4000, "happy"), (4000, 8000, "sad")]
    assert found.get_annotation_data_for_tier("sound confidence")[0][2] == "0.80"
    assert found.get_linked_files()[0]["MEDIA_URL"] == "/archive/one/session.mp4"


def test_praat(labels: str, exported: Path) -> None:
    name = names(labels)["/archive/one/session.mp4"]
    path = exported / "textgrid" / f"{name}.TextGrid"
    found = praatio.textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert found.tierNames == ("person 0", "person 1", "sound") and found.maxTimestamp == 8.0
    tier = found.getTier("person 0").entries
    assert [(each.start, each.end, each.label) for each in tier] == [
        (0, 4, "happy"), (4, 8, "sad")
    ]  # fmt: skip


def test_label_studio(exported: Path) -> None:
    tasks = json.loads((exported / "labelstudio.json").read_text())
    assert len(tasks) == 5, "what failed has nothing to correct"
    task = next(each for each in tasks if each["data"]["video"] == "/archive/one/session.mp4")
    (prediction,) = task["predictions"]
    regions = prediction["result"]
    assert [(r["value"]["start"], r["value"]["end"], r["value"]["labels"]) for r in regions] == [
        (0, 4, ["happy"]), (4, 8, ["sad"]), (0, 4, ["angry"]), (0, 6, ["sad"])
    ]  # fmt: skip
    assert len({region["id"] for region in regions}) == 4
    view = ElementTree.parse(exported / "labelstudio.xml").getroot()
    known = {each.get("name") for each in view.iter() if each.get("name")}
    assert {regions[0]["from_name"], regions[0]["to_name"]} <= known
    assert [each.get("value") for each in view.iter("Label")] == list(LABELS)


def test_what_is_gone_is_not_drawn_and_the_rest_is_made(
    labels: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(labels, str(tmp_path / "e"), [Format.video, Format.csv]) == 0
    told = capsys.readouterr().out
    assert told.count("not drawn: ") == 4 and ": no such file" in told
    assert "0 videos drawn" in told, "and sound is none"
    assert len(rows_of(tmp_path / "e" / "videos.csv")) == len(WORKS)


def test_neighbours_that_say_the_same_are_one(labels: str) -> None:
    video = next(v for v in open_labels(labels).videos() if len(v.stretches) == 6)
    lane = video.lanes["person 0"]
    first, second = joined(lane)
    assert first.confidence == pytest.approx(0.7) and sum(first.probabilities) == pytest.approx(1)
    assert (first.start_s, first.end_s, second.end_s) == (0, 4, 8)
    assert joined([]) == []


def test_a_still_picture_is_a_row_and_no_time(tmp_path: Path) -> None:
    still = Segment(0, 0, 0, (0, 0, 1, 1), 0.9, 0.0, answer(0, 0.9), ("face",))
    tables = LabelTables(str(tmp_path / "l"), LABELS, "model")
    tables.write([work("/a/portrait.png", (still,)).with_(duration_s=0.0)])
    main(str(tmp_path / "l"), str(tmp_path / "e"), list(ALL))
    assert len(rows_of(tmp_path / "e" / "segments.csv")) == 1
    assert not any((tmp_path / "e" / kind).exists() for kind in ("textgrid", "srt", "eaf"))


def test_what_lasts_less_than_a_millisecond(tmp_path: Path) -> None:
    blink = replace(segment(0, 0, 0), end_s=0.0003)
    tables = LabelTables(str(tmp_path / "l"), LABELS, "model")
    tables.write([work("/a/blink.mp4", (blink, segment(1, 1, 1)))])
    main(str(tmp_path / "l"), str(tmp_path / "e"), [each for each in ALL if each != "video"])
    found = pympi.Elan.Eaf(str(tmp_path / "e" / "eaf" / "blink.eaf"))
    assert len(found.get_annotation_data_for_tier("person 1")) == 1


def test_hops_that_are_no_round_numbers(tmp_path: Path) -> None:
    """0.3 + 0.6 is more than 0.9: two intervals that Praat would not have."""
    segments = [segment(0.3, 0, 0), segment(0.9, 0, 1)]
    shown = [replace(each, end_s=each.start_s + 0.6) for each in segments]
    assert 0.3 + (0.9 - 0.3) > 0.9
    tables = LabelTables(str(tmp_path / "l"), LABELS, "model")
    tables.write([work("/a/tenths.mp4", tuple(shown))])
    main(str(tmp_path / "l"), str(tmp_path / "e"), [Format("textgrid")])
    assert (tmp_path / "e" / "textgrid" / "tenths.TextGrid").exists()


def test_labels_that_a_job_replaces_meanwhile(labels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its names were read before, from rows that are no more."""
    monkeypatch.setattr(labelled, "names_of", lambda rows: {})
    with pytest.raises(UsageError, match="changed while it was read: repeat the command"):
        list(open_labels(labels).videos())


def test_the_labels_are_never_exported_onto_themselves(labels: str) -> None:
    before = sorted(Path(labels).rglob("*"))
    for place in (labels, labels + "/"):
        with pytest.raises(UsageError, match="holds the labels themselves"):
            main(labels, place, [Format.csv], overwrite=True)
    assert sorted(Path(labels).rglob("*")) == before


def test_an_export_that_is_repeated_leaves_nothing_stale(tmp_path: Path) -> None:
    tables = LabelTables(str(tmp_path / "l"), LABELS, "model")
    tables.write([work("/a/s.mp4", (segment(0, 0, 0),))])
    for _ in range(2):
        main(str(tmp_path / "l"), str(tmp_path / "e"), [Format.srt])
    assert [path.name for path in (tmp_path / "e" / "srt").iterdir()] == ["s.srt"]
    tables.write([work("/b/s.mp4", (segment(0, 0, 0),))])
    main(str(tmp_path / "l"), str(tmp_path / "e"), [Format.srt])
    found = [path.name for path in (tmp_path / "e" / "srt").iterdir()]
    assert len(found) == 2 and "s.srt" not in found, "both have one name now"


def test_no_task_at_all_is_a_list_all_the_same(tmp_path: Path) -> None:
    tables = LabelTables(str(tmp_path / "l"), LABELS, "model")
    tables.write([work("/a/b.mp4", (), Outcome().fail("decode", "unreadable", "x"))])
    main(str(tmp_path / "l"), str(tmp_path / "e"), [Format.labelstudio])
    assert json.loads((tmp_path / "e" / "labelstudio.json").read_text()) == []


def test_the_job(labels: str, tmp_path: Path) -> None:
    words = ("--labels", labels, "--out", tmp_path / "e", "--format", "csv", "--format", "srt")
    done = run_here("export", *words)
    assert done.returncode == 0, done.stderr
    assert "is not finished" in done.stdout and "6 videos" in done.stdout
    record = storage.read_json(str(tmp_path / "e" / "run.json"))
    assert record["counts"] == {"inputs": 6, "ok": 5, "degraded": 0, "failed": 1}
    assert len(list((tmp_path / "e" / "srt").glob("*.srt"))) == 5
    other = run_here("export", *words, "--format", "vtt")
    assert other.returncode == 2, "another export lies there"
    again = run_here("export", *words, "--format", "vtt", "--overwrite")
    assert again.returncode == 0 and len(list((tmp_path / "e" / "vtt").iterdir())) == 5
    none = run_here("export", "--labels", tmp_path, "--out", tmp_path / "n", "--format", "csv")
    assert none.returncode == 2 and "holds no labels" in none.stderr


def test_a_library_that_is_missing_is_named(
    labels: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pysubs2", None)
    with pytest.raises(UsageError, match=r"needs pysubs2: pip install 'emotion-core\[exports\]'"):
        main(labels, str(tmp_path / "e"), [Format.srt])
