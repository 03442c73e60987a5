"""Parts are whole or not there, and the table they make up holds every clip once."""

import pyarrow as pa
import pytest

from emotion_core import storage
from emotion_core.storage import commits


def table(*ids: str, status: str = "ok") -> pa.Table:
    return pa.table({"clip_id": list(ids), "status": [status] * len(ids)})


def write(folder: str, *ids: str, status: str = "ok") -> str:
    return commits.write_part(
        folder, commits.part_name(ids), table(*ids, status=status), {"detector": "x"}
    )


def ids_in(folder: str) -> list[str]:
    rows = commits.committed(folder, ["clip_id"])
    return [] if rows is None else sorted(rows["clip_id"].to_pylist())


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "features")


def test_nothing_there_yet(folder):
    assert commits.parts(folder) == []
    assert commits.committed(folder) is None
    assert commits.drop_stale(folder, pa.array(["a"])) == 0
    assert commits.drop_failed(folder) == 0


def test_work_repeated_by_ray_is_written_once(folder):
    write(folder, "a", "b")
    write(folder, "b", "a")
    assert ids_in(folder) == ["a", "b"]
    assert len(commits.parts(folder)) == 1


def test_rows_of_clips_that_are_gone_are_dropped_and_the_others_kept(folder):
    write(folder, "a", "b")
    write(folder, "c")
    write(folder, "d")
    assert commits.drop_stale(folder, pa.chunked_array([["a", "d"]])) == 2
    assert ids_in(folder) == ["a", "d"]
    assert len(commits.parts(folder)) == 2


def test_a_rewritten_part_keeps_its_metadata(folder):
    write(folder, "a", "b")
    commits.drop_stale(folder, pa.array(["a"]))
    (part,) = commits.parts(folder)
    assert storage.read_parquet(part).schema.metadata[b"detector"] == b"x"


def test_killed_between_rewriting_and_removing_a_part_nothing_counts_twice(folder, monkeypatch):
    write(folder, "a", "b")

    def killed(uri):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(storage, "remove", killed)
        with pytest.raises(KeyboardInterrupt):
            commits.drop_stale(folder, pa.array(["a"]))
    commits.drop_stale(folder, pa.array(["a"]))
    assert ids_in(folder) == ["a"]


def test_failed_rows_can_be_forgotten(folder):
    write(folder, "a", status="ok")
    write(folder, "b", "c", status="failed")
    assert commits.drop_failed(folder) == 2
    assert ids_in(folder) == ["a"]
