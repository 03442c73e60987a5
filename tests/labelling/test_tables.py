"""Tables that appear whole: nothing is lost, doubled or seen half, wherever a job is killed."""

import os
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
from emotion_core.labelling import merging
from emotion_core.labelling import tables as label_tables
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
        for start in (0.0, 2.0)
    )
    outcome = outcome or Outcome()
    kept = () if outcome.status == "failed" else segments
    return ClipWork(row, outcome=outcome, segments=kept, duration_s=6.0)


def write(tables: LabelTables, rows: pa.Table, **outcomes: Outcome) -> None:
    """A part for every clip, as a job's workers write them."""
    for row in rows.to_pylist():
        tables.write([work(row, outcomes.get(Path(row["uri"]).stem))])


def held(out: Path) -> tuple[Rows, Rows]:
    """What a reader sees who knows nothing but the two folders."""
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


def run(tables: LabelTables, wanted: pa.Table, retry: bool = False) -> list[str]:
    """What ``pipeline.label.label`` does, without the work; the names of what was to be done."""
    pending = tables.pending(wanted, retry)
    tables.clear_up(wanted, pending)
    write(tables, pending)
    tables.publish(wanted)
    return sorted(Path(uri).stem for uri in pending["uri"].to_pylist())


def test_nothing_is_seen_before_all_is_done(tables, tmp_path):
    wanted = manifest(a="1", b="1")
    write(tables, wanted.slice(0, 1))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["parts"]
    assert run(tables, wanted) == ["b"]
    assert held(tmp_path / "out") == expected(a="1", b="1")
    assert not (tmp_path / "out" / "parts").exists()


def test_one_file_each_that_says_what_it_is(tables, tmp_path):
    run(tables, manifest(a="1", b="1", c="1"))
    assert tables.files() == [
        "videos/videos-0000-of-0001.parquet", "segments/segments-0000-of-0001.parquet"
    ]  # fmt: skip
    for name in tables.files():
        metadata = pq.read_schema(tmp_path / "out" / name).metadata
        assert metadata[b"schema_version"] == str(LABELS_SCHEMA_VERSION).encode()
        assert metadata[b"model_id"] == b"0123456789abcdef"
        assert metadata[b"labels"].decode().split(",") == list(LABELS)


def test_an_archive_that_changes(tables, tmp_path):
    run(tables, manifest(a="1", b="1", c="1"))
    assert run(tables, manifest(a="1", b="2", d="1")) == ["b", "d"]
    assert held(tmp_path / "out") == expected(a="1", b="2", d="1")
    assert run(tables, manifest(a="1", b="2", d="1")) == []
    assert run(tables, manifest(b="2")) == []  # two left
    assert held(tmp_path / "out") == expected(b="2")
    assert run(tables, manifest(a="1", b="2")) == ["a"]  # and one is back
    assert held(tmp_path / "out") == expected(a="1", b="2")


def test_with_nothing_to_do_nothing_is_written(tables, tmp_path):
    wanted = manifest(a="1", b="1")
    run(tables, wanted)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.parquet")}
    assert run(tables, wanted) == []
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.parquet")} == before


def test_failed_and_unfinished_videos_can_be_tried_again(tables, tmp_path):
    wanted = manifest(a="1", b="1", c="1", d="1")
    outcomes = {
        "b": Outcome().fail("decode", "unreadable", "unreadable: x"),
        "c": Outcome().degrade("decode", "timeout", "stops at 2 s"),
        "d": Outcome().degrade("decode", "no_audio", "no sound stream"),
    }
    write(tables, wanted, **outcomes)
    tables.publish(wanted)
    assert run(tables, wanted) == []
    assert run(tables, wanted, retry=True) == ["b", "c"]
    videos, _ = held(tmp_path / "out")
    assert [status for _, _, status in videos] == ["ok", "ok", "ok", "degraded"]
    assert run(tables, wanted, retry=True) == []


def test_a_retry_that_was_killed_does_not_begin_again(tables):
    wanted = manifest(a="1", b="1")
    broken = Outcome().fail("decode", "unreadable", "unreadable: x")
    write(tables, wanted, a=broken, b=broken)
    tables.publish(wanted)
    tables.clear_up(wanted, tables.pending(wanted, True))
    write(tables, wanted.slice(0, 1))  # a is done when the job is killed
    assert run(tables, wanted, retry=True) == ["b"]
    assert {row["status"] for row in tables.videos().to_pylist()} == {"ok"}


def test_segments_without_the_proof_that_they_are_whole_are_dropped(tables, tmp_path):
    wanted = manifest(a="1", b="1")
    write(tables, wanted)
    proof = sorted((tmp_path / "out/parts/videos").iterdir())[0]
    (gone,) = pq.read_table(proof)["uri"].to_pylist()
    proof.unlink()  # as if killed between the two writes
    assert run(tables, wanted) == [Path(gone).stem]
    assert held(tmp_path / "out") == expected(a="1", b="1")


def test_what_a_kill_left_in_the_middle_of_a_file_goes(tables, tmp_path):
    wanted = manifest(a="1")
    run(tables, wanted)
    left = [tmp_path / "out" / name / ".0123.part" for name in ("videos", "segments")]
    for file in left:
        file.write_bytes(b"half a table")
    (tmp_path / "out" / "videos" / ".keep").touch()  # a user's own
    assert run(tables, wanted) == []
    assert not any(file.exists() for file in left)
    assert (tmp_path / "out" / "videos" / ".keep").exists()


def test_no_video_has_a_segment(tables, tmp_path):
    wanted = manifest(a="1")
    write(tables, wanted, a=Outcome().fail("decode", "unreadable", "unreadable: x"))
    tables.publish(wanted)
    assert held(tmp_path / "out") == ([("/a/a.mp4", "1", "failed")], [])
    assert tables.segments().num_rows == 0


class Killed(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches SIGKILL."""


def test_killed_at_every_step_and_repeated_it_ends_the_same(tmp_path, monkeypatch):
    """A second run on an archive that changed, killed before each change of a file in turn."""
    before, wanted = manifest(a="1", b="1", c="1"), manifest(a="1", b="2", d="1", e="1")
    final = expected(a="1", b="2", d="1", e="1")
    for limit in range(100):
        out = tmp_path / f"out{limit}"
        tables = LabelTables(str(out), LABELS, "m")
        run(tables, before)
        left = [limit]
        replace_file, remove = os.replace, storage.remove

        def step(left: list[int] = left) -> None:
            if not left[0]:
                raise Killed
            left[0] -= 1

        def replaced(*places: str, step=step, real=replace_file) -> None:
            step()
            real(*places)

        def removed(uri: str, step=step, real=remove) -> None:
            _, path = storage.filesystem(uri)
            for file in sorted(Path(path).rglob("*.parquet")):  # a folder goes file by file
                step()
                file.unlink()
            step()
            real(uri)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", replaced)
            patch.setattr(storage, "remove", removed)
            try:
                run(tables, wanted)
                finished = True
            except Killed:
                finished = False
        # whoever reads now sees each video once, with all segments of one version of it
        videos, segments = held(out)
        assert len({uri for uri, *_ in videos}) == len(videos) >= 3
        assert len({(uri, start) for uri, start, _ in segments}) == len(segments) >= 6
        if finished:
            assert limit > 10
            assert held(out) == final
            return
        done_before = set(tables.pending(wanted)["uri"].to_pylist())
        again = run(tables, wanted)
        assert {f"/a/{name}.mp4" for name in again} == done_before
        assert held(out) == final, f"killed at step {limit}"
        assert not (out / "parts").exists()
    pytest.fail("it never finished")


def test_a_large_archive_is_several_files_and_a_video_stays_in_its_own(
    tables, tmp_path, monkeypatch
):
    monkeypatch.setattr(label_tables, "VIDEOS_PER_FILE", 4)
    names = {f"v{number}": "1" for number in range(10)}
    run(tables, manifest(**names))
    assert len(tables.files()) == 6
    assert held(tmp_path / "out") == expected(**names)

    def place(name: str) -> str:
        files = (tmp_path / "out" / "videos").iterdir()
        return next(
            f.name for f in files if f"/a/{name}.mp4" in pq.read_table(f)["uri"].to_pylist()
        )

    before = place("v3")
    changed = {**names, "v3": "2"}
    assert run(tables, manifest(**changed)) == ["v3"]
    assert place("v3") == before
    assert held(tmp_path / "out") == expected(**changed)
    # shrunk to one file, the others go
    run(tables, manifest(v1="1"))
    assert len(tables.files()) == 2
    assert held(tmp_path / "out") == expected(v1="1")


def test_a_reader_who_asks_for_one_video_is_told_where_not_to_look(tables, tmp_path, monkeypatch):
    """Each row group holds URIs from all over the alphabet, and a filter that tells them apart."""
    monkeypatch.setattr(merging, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(merging, "_LEAST_ROWS", 2)
    run(tables, manifest(**{f"v{number}": "1" for number in range(20)}))
    (segments,) = (tmp_path / "out" / "segments").iterdir()
    assert pq.ParquetFile(segments).num_row_groups == 20
    row = duckdb.sql(f"select clip_id from '{segments}' where uri = '/a/v3.mp4'").fetchall()[0]
    for column, value in (("uri", "/a/v3.mp4"), ("clip_id", row[0])):
        passed_over = duckdb.sql(
            "select bloom_filter_excludes, count(*) "
            f"from parquet_bloom_probe('{segments}', '{column}', '{value}') group by all"
        ).fetchall()
        assert dict(passed_over)[True] >= 17, column


def test_segments_of_some_videos_and_columns(tables):
    wanted = manifest(a="1", b="1")
    run(tables, wanted)
    (clip_id,) = wanted.filter(pc.equal(wanted["uri"], "/a/b.mp4"))["clip_id"].to_pylist()
    found = tables.segments([clip_id], ["uri", "start_s"])
    assert found.to_pylist() == [{"uri": "/a/b.mp4", "start_s": s} for s in (0.0, 2.0)]
    assert len(tables.segments()) == 4


def test_rows_are_sorted_so_that_readers_can_skip(tables):
    run(tables, manifest(c="1", a="1", b="1"))
    rows = tables.segments(columns=["uri", "start_s"]).to_pylist()
    assert rows == sorted(rows, key=lambda row: (row["uri"], row["start_s"]))
