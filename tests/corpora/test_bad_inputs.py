"""One bad input is one bad row: the others are done, and nobody's labels go."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.clips.work import ClipWork, outcome_columns
from emotion_core.corpora import scan
from emotion_core.corpora.inputs import Collection, collect
from emotion_core.corpora.lists import read_list
from emotion_core.errors import ClipError, UsageError
from emotion_core.preprocessing.decode import DecodeStep
from emotion_core.recipes.specs import AudioSpec
from emotion_core.storage.published import Published
from tests.support.s3 import S3Server


def versions(found: Collection) -> dict[str, str]:
    """The names of the clips that cannot be read, and why; the rest is only counted."""
    bad = ("gone", "unreadable")
    return {clip.uri: clip.version for clip in found.clips if clip.version in bad}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.mp4").write_bytes(b"data")
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "damaged.zip").write_bytes(b"no archive")
    return tmp_path


def test_a_folder_with_what_cannot_be_read(folder: Path) -> None:
    found = collect([str(folder)])
    assert len(found.clips) == 3
    assert versions(found) == dict.fromkeys(
        (f"{folder}/loop.mp4", f"{folder}/pipe.mp4"), "unreadable"
    )


@pytest.mark.parametrize(
    ("entry", "version"),
    [
        ("{}/pipe.mp4", "unreadable"),
        ("/dev/zero", "unreadable"),
        ("{}/loop.mp4", "unreadable"),
        ("{}/damaged.zip", "unreadable"),
        ("zip://x.mp4::{}/good.mp4", "unreadable"),
        ("zip://x.mp4::{}/pipe.mp4", "unreadable"),
        ("zip://x.mp4::{}/none.zip", "gone"),
        ("zip://x.mp4", "unreadable"),
        ("foo://x/y.mp4", "unreadable"),
        ("s3://", "unreadable"),
        ("{}" + "/x" * 3000 + ".mp4", "unreadable"),
        ("C:\\x.mp4", "gone"),
        ("http://127.0.0.1:1/x.mp4", "gone"),
    ],
)
def test_an_entry_of_a_list_that_cannot_be_read(folder: Path, entry: str, version: str) -> None:
    lines = [f"{folder}/good.mp4", entry.format(folder)]
    (folder / "list.txt").write_text("\n".join(lines))
    found = collect([str(folder / "list.txt")])
    assert len(found.clips) == 2
    assert list(versions(found).values()) == [version]


def test_a_nul_in_a_list(folder: Path) -> None:
    (folder / "list.csv").write_text(f"uri\n{folder}/good.mp4\n{folder}/nul\0.mp4\n")
    try:
        found = collect([str(folder / "list.csv")])
    except UsageError as error:  # Python's csv refuses it in some versions
        assert "list.csv" in str(error)
    else:
        assert list(versions(found).values()) == ["unreadable"]


def test_inputs_beside_one_that_cannot_be_read(folder: Path) -> None:
    named = [str(folder / name) for name in ("pipe.mp4", "damaged.zip", "good.mp4")]
    found = collect(named)
    assert versions(found) == {
        str(folder / name): "unreadable" for name in ("damaged.zip", "pipe.mp4")
    }
    assert len(found.clips) == 3


def test_each_of_them_gets_its_row_and_says_why(folder: Path) -> None:
    lines = (f"{folder}/pipe.mp4", f"{folder}/damaged.zip", "foo://x/y.mp4", f"{folder}/none.mp4")
    (folder / "list.txt").write_text("\n".join(lines))
    clips = collect([str(folder / "list.txt")]).clips
    rows = manifest_table(clips).to_pylist()
    step = DecodeStep(AudioSpec(kind="mfcc"), None, "auto", 60.0)
    done = step([ClipWork(row) for row in rows])
    step.decoder.close()
    told = {work.clip["uri"]: outcome_columns(work) for work in done}
    assert [told[uri]["reasons"] for uri in lines] == [["unreadable"]] * 3 + [["gone"]]
    assert "not a file" in told[lines[0]]["error"]
    assert "not a ZIP file" in told[lines[1]]["error"]
    assert "foo" in told[lines[2]]["error"]


# --- folders -------------------------------------------------------------------------------------


def test_folders_that_link_to_each_other_are_listed_once(tmp_path: Path) -> None:
    for i in range(7):
        (tmp_path / f"d{i}").mkdir()
        (tmp_path / f"d{i}/v.mp4").write_bytes(b"x")
    for i in range(7):
        for j in range(7):
            if i != j:
                (tmp_path / f"d{i}/to{j}").symlink_to(f"../d{j}")
    uris = [info.uri for info in storage.list_files(str(tmp_path))]
    assert uris == [f"{tmp_path}/d{i}/v.mp4" for i in range(7)]  # 13,699 on the old code


def test_a_folder_that_only_a_link_names_is_listed_through_it(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    (tmp_path / "apart").mkdir()
    (tmp_path / "apart/v.mp4").write_bytes(b"x")
    for name in ("b", "a"):
        (tmp_path / "near" / name).symlink_to(tmp_path / "apart")
    uris = [info.uri for info in storage.list_files(str(tmp_path / "near"))]
    assert uris == [f"{tmp_path}/near/a/v.mp4"]


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder with one that may not be entered, for a user who is not root."""
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    place.chmod(0o755)
    (place / "closed").mkdir()
    for name in ("closed/a.mp4", "closed/b.mp4", "good.mp4"):
        (place / name).write_bytes(b"data")
    (place / "closed").chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield place
    finally:
        os.seteuid(user)
        (place / "closed").chmod(0o755)


def test_a_folder_without_access_is_a_row(closed: Path) -> None:
    found = collect([str(closed)])
    assert versions(found) == {f"{closed}/closed/": "unreadable"}
    assert len(found.clips) == 2
    with (
        pytest.raises(ClipError, match="unreadable: .*closed/: permission denied"),
        storage.local_copy(f"{closed}/closed/"),
    ):
        pass


def test_a_corpus_is_wanted_whole(closed: Path) -> None:
    with pytest.raises(UsageError, match="closed/: no access to this folder of the corpus"):
        scan("folder", str(closed))


# --- what is unreadable keeps its rows -----------------------------------------------------------


def table_of(manifest: pa.Table) -> pa.Table:
    rows = manifest.select(["clip_id", "uri", "member"])
    status = pa.array(["ok"] * len(rows))
    reasons = pa.array([[]] * len(rows), pa.list_(pa.string()))
    return rows.append_column("status", status).append_column("reasons", reasons)


def filled(out: Path, inputs: list[str], prune: bool = False) -> tuple[list[str], int]:
    """What is published of these inputs, and how many were worked on."""
    table = Published(str(out), "videos")

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        table.write(table_of(pending), None, changed)

    done = table.fill(manifest_table(collect(inputs).clips), work, prune=prune)
    rows = table.rows(["uri", "clip_id"])
    assert rows is not None
    manifest = pq.read_table(out / "manifest.parquet")
    assert sorted(manifest["clip_id"].to_pylist()) == sorted(rows["clip_id"].to_pylist())
    return sorted(Path(uri).name for uri in rows["uri"].to_pylist()), done


def test_a_file_that_cannot_be_read_any_more_keeps_its_row(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (folder / "list.txt").write_text(f"{folder}/good.mp4\n{folder}/other.mp4")
    (folder / "other.mp4").write_bytes(b"data")
    assert filled(out, [str(folder / "list.txt")]) == (["good.mp4", "other.mp4"], 2)
    (folder / "good.mp4").unlink()
    os.mkfifo(folder / "good.mp4")
    assert filled(out, [str(folder / "list.txt")]) == (["good.mp4", "other.mp4"], 0)
    (folder / "good.mp4").unlink()  # that it is gone is known: its row says so from now on
    assert filled(out, [str(folder / "list.txt")]) == (["good.mp4", "other.mp4"], 1)


@pytest.mark.parametrize("prune", [False, True])
def test_a_folder_that_cannot_be_entered_any_more_keeps_its_rows(closed: Path, prune: bool) -> None:
    user, out = os.geteuid(), closed / "out"
    os.seteuid(0 if os.getuid() == 0 else user)
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    (closed / "closed").chmod(0o755)
    os.seteuid(user)
    names = ["a.mp4", "b.mp4", "good.mp4"]
    assert filled(out, [str(closed / n) for n in ("closed", "good.mp4")]) == (names, 3)
    os.seteuid(0 if os.getuid() == 0 else user)
    (closed / "closed").chmod(0)
    os.seteuid(user)
    found, done = filled(out, [str(closed / n) for n in ("closed", "good.mp4")], prune)
    assert (found, done) == ([*names[:2], "closed", "good.mp4"], 1)


# --- object stores -------------------------------------------------------------------------------


def test_odd_keys_are_inputs_too(s3_env: S3Server) -> None:
    s3_env.bucket("videos")
    keys = ("d/a.mp4", "d/a.mp4.mp4", "d/.hidden/z.mp4", "d/ok.mp4")
    s3_env.upload("videos", dict.fromkeys(keys, b"1"))
    found = collect(["s3://videos/d"])
    assert [clip.uri for clip in found.clips] == [
        f"s3://videos/d/{n}" for n in ("a.mp4", "a.mp4.mp4", "ok.mp4")
    ]


def test_a_list_in_parquet_is_read_by_its_one_column(tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    table = pa.table({"uri": ["/a.mp4"], "faces": [b"x" * (1 << 20)]})
    pq.write_table(table, path, compression="none")
    whole = path.read_bytes()
    at = whole.index(b"x" * 1000)
    # the other column's pages are destroyed: who reads them notices
    path.write_bytes(whole[: at - 8] + b"\0" * 8 + whole[at:])
    assert read_list(str(path)) == ["/a.mp4"]
