"""The two tables of labels: one row a video, its segments, what their files say, and a copy."""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Outcome, Segment
from emotion_core.errors import UsageError
from emotion_core.labelling import compact as compacting
from emotion_core.labelling.compact import compact
from emotion_core.labelling.schemas import LABELS_SCHEMA_VERSION
from emotion_core.labelling.tables import LabelTables
from tests.support.labelling import LABELS

Rows = list[tuple]


def manifest(**versions: str) -> pa.Table:
    """One clip a name; another version is another content."""
    return manifest_table([Clip(f"/a/{name}.mp4", 1, text) for name, text in versions.items()])


def work(row: dict, outcome: Outcome | None = None) -> ClipWork:
    """A labelled video whose two segments tell which version of it they come from."""
    answer = np.full(7, 0.1, np.float32)
    answer[0] = 0.4
    score = float(row["version"])
    segments = tuple(
        Segment(start, start + 4.0, 0, (0, 0, 1, 1), score, start, answer, ("face",), None, answer)
        for start in (2.0, 0.0)
    )
    outcome = outcome or Outcome()
    kept = () if outcome.status == "failed" else segments
    return ClipWork(row, outcome=outcome, segments=kept, duration_s=6.0)


def write(tables: LabelTables, rows: pa.Table, **outcomes: Outcome) -> None:
    """A part for every clip, as a job's workers write them."""
    for row in rows.to_pylist():
        tables.write([work(row, outcomes.get(Path(row["uri"]).stem))])


def held(out: Path) -> tuple[Rows, Rows]:
    """What a reader sees who knows nothing but the two globs."""
    videos, segments = (
        duckdb.sql(f"select * from '{out}/{name}/*.parquet'").arrow().read_all()
        for name in ("videos", "segments")
    )
    return (
        sorted(zip(*(videos[n].to_pylist() for n in ("uri", "version", "status")), strict=True)),
        sorted(zip(*(segments[n].to_pylist() for n in ("uri", "start_s", "face_score")),
                   strict=True)),
    )  # fmt: skip


def expected(**versions: str) -> tuple[Rows, Rows]:
    videos = [(f"/a/{name}.mp4", text, "ok") for name, text in versions.items()]
    return sorted(videos), sorted((uri, s, float(v)) for uri, v, _ in videos for s in (0.0, 2.0))


@pytest.fixture
def tables(tmp_path: Path) -> LabelTables:
    return LabelTables(str(tmp_path / "out"), LABELS, "0123456789abcdef")


@pytest.mark.parametrize(("least", "unsure"), [(0.0, False), (0.3, False), (0.5, True)])
def test_answers_below_the_least_confidence_are_marked_and_kept(
    tmp_path: Path, least: float, unsure: bool
) -> None:
    tables = LabelTables(str(tmp_path), LABELS, "0123456789abcdef", least)
    write(tables, manifest(a="1"))
    found = pq.read_table(tmp_path / "segments")
    assert found["unsure"].to_pylist() == [unsure] * 2
    assert found["emotion"].to_pylist() == [LABELS[0]] * 2
    assert found["confidence"].to_pylist() == pytest.approx([0.4] * 2)


def run(tables: LabelTables, wanted: pa.Table, prune: bool = False) -> list[str]:
    """What ``labelling.job.label`` does, without the work; the names of what was to be done."""
    done: list[str] = []

    def label(pending: pa.Table, changed: frozenset[str]) -> None:
        done.extend(Path(uri).stem for uri in pending["uri"].to_pylist())
        for row in pending.to_pylist():
            tables.write([work(row)], changed)

    tables.published.fill(wanted, label, prune=prune)
    return sorted(done)


def test_each_file_says_what_it_is(tables, tmp_path):
    run(tables, manifest(a="1", b="1"))
    files = [path for glob in tables.published.files() for path in (tmp_path / "out").glob(glob)]
    assert len(files) == 4
    for path in files:
        metadata = pq.read_schema(path).metadata
        assert metadata[b"schema_version"] == str(LABELS_SCHEMA_VERSION).encode()
        assert metadata[b"model_id"] == b"0123456789abcdef"
        assert metadata[b"labels"].decode().split(",") == list(LABELS)


def test_an_archive_that_changes(tables, tmp_path):
    run(tables, manifest(a="1", b="1", c="1"))
    assert run(tables, manifest(a="1", b="2", d="1"), prune=True) == ["b", "d"]
    assert held(tmp_path / "out") == expected(a="1", b="2", d="1")
    assert run(tables, manifest(b="2"), prune=True) == []
    assert held(tmp_path / "out") == expected(b="2")
    assert run(tables, manifest(a="1", b="2")) == ["a"]
    assert held(tmp_path / "out") == expected(a="1", b="2")
    for path in (tmp_path / "out").glob("*/*.parquet"):  # also where a file was written anew
        assert pq.read_schema(path).metadata[b"schema_version"]


def test_no_video_has_a_segment(tables, tmp_path):
    wanted = manifest(a="1")
    write(tables, wanted, a=Outcome().fail("decode", "unreadable", "unreadable: x"))
    assert held(tmp_path / "out") == ([("/a/a.mp4", "1", "failed")], [])
    assert run(tables, wanted) == []


def test_segments_are_read_video_by_video(tables):
    wanted = manifest(a="1", b="1", c="1")
    run(tables, wanted)
    ids = wanted.filter(pc.not_equal(wanted["uri"], "/a/a.mp4"))["clip_id"].to_pylist()
    found = dict(tables.by_video(ids))
    assert found.keys() == set(ids)
    for clip_id, rows in found.items():
        assert rows["start_s"].to_pylist() == [0.0, 2.0]
        assert set(rows["clip_id"].to_pylist()) == {clip_id}


def test_a_compact_copy_holds_the_same_in_few_files(tables, tmp_path, monkeypatch):
    monkeypatch.setattr(compacting, "VIDEOS_PER_FILE", 4)
    names = {f"v{number}": "1" for number in range(10)}
    run(tables, manifest(**names))
    files = compact(tables, str(tmp_path / "copy"))
    assert len(files) == 6 and all((tmp_path / "copy" / name).is_file() for name in files)
    assert held(tmp_path / "copy") == held(tmp_path / "out") == expected(**names)
    for name in files:
        assert pq.read_schema(tmp_path / "copy" / name).metadata[b"labels"]
        rows = pq.read_table(tmp_path / "copy" / name).to_pylist()
        keys = [(row["uri"], row.get("start_s", 0)) for row in rows]
        assert keys == sorted(keys)
    with pytest.raises(UsageError, match="choose a new folder"):
        compact(tables, str(tmp_path / "copy"))


@pytest.mark.parametrize("to", ["out", "out/videos", "out/changed", "", "out/../out"])
def test_a_copy_does_not_lie_in_its_original(tables, tmp_path, to):
    run(tables, manifest(a="1"))
    with pytest.raises(UsageError, match="--compact-to"):
        compact(tables, storage.absolute(str(tmp_path / to)))


def test_a_reader_who_asks_for_one_video_is_told_where_not_to_look(tables, tmp_path, monkeypatch):
    """Each row group holds URIs from all over the alphabet, and a filter that tells them apart."""
    monkeypatch.setattr(compacting, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(compacting, "_LEAST_ROWS", 2)
    run(tables, manifest(**{f"v{number}": "1" for number in range(20)}))
    compact(tables, str(tmp_path / "copy"))
    (segments,) = (tmp_path / "copy" / "segments").iterdir()
    assert pq.ParquetFile(segments).num_row_groups == 20
    row = duckdb.sql(f"select clip_id from '{segments}' where uri = '/a/v3.mp4'").fetchall()[0]
    for column, value in (("uri", "/a/v3.mp4"), ("clip_id", row[0])):
        passed_over = duckdb.sql(
            "select bloom_filter_excludes, count(*) "
            f"from parquet_bloom_probe('{segments}', '{column}', '{value}') group by all"
        ).fetchall()
        assert dict(passed_over)[True] >= 17, column
