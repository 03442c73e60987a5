"""Local files, archives, atomic writes, and what a job's --out folder promises."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.errors import ClipError, StorageError, UsageError
from emotion_core.storage import outputs

HARD_NAMES = ("a b#1%20.mp4", "[x]*?.mp4", "c::d.mp4", "~/ü 猫.mp4", "s3:/k.mp4", "file:x.mp4")
NOT_UTF8 = os.fsdecode(b"caf\xe9 100%.mp4")


def put(folder: Path, name: str, data: bytes = b"data") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


# --- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HARD_NAMES)
def test_a_plain_path_is_literal(tmp_path: Path, name: str) -> None:
    uri = storage.join(str(tmp_path), name)
    storage.write_bytes(uri, name.encode())
    assert (tmp_path / name).read_bytes() == name.encode()
    (info,) = storage.list_files(str(tmp_path))
    assert info.uri == str(tmp_path / name)
    assert storage.read_bytes(info.uri) == name.encode()
    assert storage.list_files(info.uri) == [info]
    with storage.local_copy(info.uri) as path:
        assert path == tmp_path / name


def test_a_name_that_is_not_utf8_gets_a_file_uri(tmp_path: Path) -> None:
    path = put(tmp_path, NOT_UTF8, b"12345")
    (info,) = storage.list_files(str(tmp_path), frozenset({".mp4"}))
    assert info.uri == f"file://{tmp_path}/caf%E9%20100%25.mp4"
    pa.array([info.uri])  # Parquet can hold it
    assert storage.read_bytes(info.uri) == b"12345"
    with storage.local_copy(info.uri) as copy:
        assert copy == path
    assert storage.exists(info.uri)
    assert storage.list_files(info.uri) == [info]
    assert storage.join(f"file://{tmp_path}", NOT_UTF8) == info.uri
    assert storage.join(str(tmp_path), NOT_UTF8) == info.uri
    assert len(Clip(info.uri, 5, "1").clip_id) == 32
    storage.remove(info.uri)
    assert not path.exists()


def test_a_plain_percent_is_not_decoded_and_a_file_uri_is(tmp_path: Path) -> None:
    put(tmp_path, "a%20b", b"plain")
    put(tmp_path, "a b", b"decoded")
    assert storage.read_bytes(f"{tmp_path}/a%20b") == b"plain"
    assert storage.read_bytes(f"file://{tmp_path}/a%20b") == b"decoded"
    assert storage.read_bytes(f"file://localhost{tmp_path}/a%20b") == b"decoded"


def test_relative_paths_are_listed_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "in/x.wav")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("y.wav", b"y")
    monkeypatch.chdir(tmp_path)
    assert [i.uri for i in storage.list_files("in")] == [f"{tmp_path}/in/x.wav"]
    assert [i.uri for i in storage.list_files("z.zip")] == [f"zip://y.wav::{tmp_path}/z.zip"]
    assert [i.uri for i in storage.list_files("zip://::z.zip")] == [
        f"zip://y.wav::{tmp_path}/z.zip"
    ]


def test_join() -> None:
    assert storage.join("out/rs", "features", "part-1.parquet") == "out/rs/features/part-1.parquet"
    assert storage.join("out/", "/a/") == "out/a"
    assert storage.join("s3://b/p/", "a#b") == "s3://b/p/a#b"
    assert storage.join("zip://x::/z.zip", "y%::z") == "zip://x/y%25%3A%3Az::/z.zip"
    assert storage.join("out") == "out"


# --- listing -----------------------------------------------------------------------------------


def test_listing_is_recursive_sorted_and_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.WAV", "b/1.wav", "a/x.txt", "top.mp4", ".hidden.wav", ".git/x.wav"):
        put(tmp_path, name)
    names = [os.path.relpath(i.uri, tmp_path) for i in storage.list_files(str(tmp_path))]
    assert names == ["a/x.txt", "b/1.wav", "b/2.WAV", "top.mp4"]
    wav = storage.list_files(str(tmp_path), frozenset({".wav"}))
    assert [os.path.relpath(i.uri, tmp_path) for i in wav] == ["b/1.wav", "b/2.WAV"]


def test_below_a_hidden_folder_that_is_named_everything_counts(tmp_path: Path) -> None:
    put(tmp_path, ".cache/x.wav")
    assert len(storage.list_files(str(tmp_path / ".cache"))) == 1


def test_size_and_version_follow_the_file(tmp_path: Path) -> None:
    path = put(tmp_path, "x.wav", b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    (info,) = storage.list_files(str(tmp_path))
    assert (info.size, info.version) == (5, "1700000000123456789")
    os.utime(path, ns=(1, 1_700_000_000_123_456_790))
    assert storage.list_files(str(tmp_path))[0].version == "1700000000123456790"


def test_links_are_followed_loops_end_and_broken_ones_are_accounted_for(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    put(root, "a/x.wav")
    put(elsewhere, "y.wav")
    (root / "a/up").symlink_to(root)
    (root / "linked").symlink_to(elsewhere)
    (root / "broken.wav").symlink_to(root / "nothing")
    os.mkfifo(root / "pipe.wav")
    found = {os.path.relpath(i.uri, root): i.version for i in storage.list_files(str(root))}
    assert set(found) == {"a/x.wav", "linked/y.wav", "broken.wav", "pipe.wav"}
    assert (found["broken.wav"], found["pipe.wav"]) == ("gone", "unreadable")


@pytest.mark.parametrize("uri", ["none", "file:///none/at/all", "zip://x::none.zip"])
def test_what_is_not_there_is_said_in_one_line(uri: str) -> None:
    with pytest.raises(UsageError, match=r"none.*: no such file or folder"):
        storage.list_files(uri)
    with pytest.raises(UsageError, match=r"none.*: no such file or folder"):
        storage.read_bytes(uri)


@pytest.mark.parametrize(
    ("uri", "told"), [("foo://x/y", "foo"), ("gs://x/y", "gcsfs"), ("zip://x", "MEMBER::ARCHIVE")]
)
def test_unknown_schemes_are_wrong_usage(uri: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        storage.list_files(uri)


def test_other_filesystems_work_through_fsspec() -> None:
    storage.write_bytes("memory://box/in/x y#.wav", b"12345")
    storage.write_bytes("memory://box/in/.hidden.wav", b"1")
    (info,) = storage.list_files("memory://box", frozenset({".wav"}))
    assert (info.uri, info.size) == ("memory:///box/in/x y#.wav", 5)
    assert storage.read_bytes(info.uri, 1, 3) == b"23"
    with storage.local_copy(info.uri) as path:
        assert (path.read_bytes(), path.suffix) == (b"12345", ".wav")
    storage.remove("memory://box")
    assert not storage.exists("memory://box/in/x y#.wav")


# --- reading -----------------------------------------------------------------------------------


def test_ranges(tmp_path: Path) -> None:
    uri = str(put(tmp_path, "x.csv", b"0123456789"))
    assert storage.read_bytes(uri, 2, 5) == b"234"
    assert storage.read_bytes(uri, 8) == b"89"
    assert storage.read_bytes(uri, end=2) == b"01"


def test_local_copy_of_a_part(tmp_path: Path) -> None:
    uri = str(put(tmp_path, "x.csv", b"0123456789"))
    with storage.local_copy(uri, "bytes=2-5") as path:
        assert (path.read_bytes(), path.suffix) == (b"234", ".csv")
    assert not path.exists()
    for wrong in ("bytes=8-12", "lines=1-2"):
        with pytest.raises(ClipError) as raised, storage.local_copy(uri, wrong):
            pass
        assert raised.value.stage == "fetch"


@pytest.mark.parametrize("uri", ["/none/x.mp4", "zip://x::/none.zip", "memory://none/x.mp4"])
def test_local_copy_of_nothing_is_the_clips_trouble(uri: str) -> None:
    with pytest.raises(ClipError, match="no such file") as raised, storage.local_copy(uri):
        pass
    assert raised.value.stage == "fetch"


def test_local_copy_leaves_the_callers_errors_alone_and_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    storage.write_bytes("memory://box/x.mp4", b"1")
    with pytest.raises(KeyError), storage.local_copy("memory://box/x.mp4"):
        assert list(tmp_path.iterdir())
        raise KeyError
    assert not list(tmp_path.iterdir())


# --- archives ----------------------------------------------------------------------------------


def archive_of(path: Path, members: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return str(path)


def test_an_archive_is_listed_and_read_without_unpacking(tmp_path: Path) -> None:
    members = {"train/happy/1.jpg": b"one", "train/a::b%41.jpg": b"two", "read.me": b"x"}
    uri = archive_of(tmp_path / "z.zip", {**members, "__MACOSX/._1.jpg": b"no", "empty/": b""})
    found = storage.list_files(uri, frozenset({".jpg"}))
    assert [i.uri for i in found] == [
        f"zip://train/a%3A%3Ab%2541.jpg::{uri}",
        f"zip://train/happy/1.jpg::{uri}",
    ]
    assert [storage.read_bytes(i.uri) for i in found] == [b"two", b"one"]
    assert storage.read_bytes(found[1].uri, 1, 2) == b"n"
    assert storage.path_of(found[0].uri) == "train/a::b%41.jpg"
    with storage.local_copy(found[1].uri) as path:
        assert (path.read_bytes(), path.suffix) == (b"one", ".jpg")
    assert [i.uri for i in storage.list_files(f"zip://train/happy::{uri}")] == [found[1].uri]
    assert storage.list_files(found[1].uri) == [found[1]]
    assert storage.exists(found[1].uri)
    assert not storage.exists(f"zip://train/sad::{uri}")


def test_a_members_version_follows_content_and_archive(tmp_path: Path) -> None:
    uri = archive_of(tmp_path / "z.zip", {"1.jpg": b"one", "2.jpg": b"two"})
    os.utime(uri, ns=(5, 5))
    old = storage.list_files(uri)
    assert old[0].version.startswith("5-") and old[0].version != old[1].version
    archive_of(tmp_path / "z.zip", {"1.jpg": b"new"})
    os.utime(uri, ns=(6, 6))
    assert storage.list_files(uri)[0].version.startswith("6-")
    assert storage.read_bytes(old[0].uri) == b"new"  # and not what was open before
    with pytest.raises(ClipError, match="no such file"), storage.local_copy(old[1].uri):
        pass


def test_a_damaged_archive(tmp_path: Path) -> None:
    uri = str(put(tmp_path, "z.zip", b"no archive"))
    with pytest.raises(UsageError, match=r"z\.zip: not a ZIP file"):
        storage.list_files(uri)
    with pytest.raises(ClipError, match="not a ZIP file"), storage.local_copy(f"zip://x::{uri}"):
        pass


def test_archives_are_only_read(tmp_path: Path) -> None:
    uri = archive_of(tmp_path / "z.zip", {"x": b"1"})
    for write in (lambda u: storage.write_bytes(u, b""), storage.remove):
        with pytest.raises(UsageError, match="only read"):
            write(f"zip://x::{uri}")


# --- writing -----------------------------------------------------------------------------------


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "deep/er/x.parquet"
    with storage.open_write(str(target)) as file:
        file.write(b"half")
        assert not target.exists()
        assert storage.list_files(str(tmp_path)) == []
        file.write(b" and whole")
    assert target.read_bytes() == b"half and whole"
    assert os.listdir(target.parent) == ["x.parquet"]


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = put(tmp_path, "x.json", b"old")
    with pytest.raises(KeyError), storage.open_write(str(target)) as file:
        file.write(b"new, but not all of it")
        raise KeyError
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match=r"x.parquet: no space left"):
        storage.write_parquet(str(tmp_path / "x.parquet"), pa.table({"a": [1]}))
    assert os.listdir(tmp_path) == []


def test_a_failed_upload_leaves_nothing() -> None:
    with pytest.raises(KeyError), storage.open_write("memory://box/half") as file:
        file.write(b"half")
        raise KeyError
    assert not storage.exists("memory://box/half")


def test_a_full_disk_before_an_upload_is_told_in_one_line() -> None:
    with (
        pytest.raises(StorageError, match="no space left.*memory://box/full lies there.*TMPDIR"),
        storage.open_write("memory://box/full"),
    ):
        raise OSError(28, "No space left on device")
    assert not storage.exists("memory://box/full")


def test_remove(tmp_path: Path) -> None:
    put(tmp_path, "a/b/x")
    put(tmp_path, "a2/[x]*")
    put(tmp_path, "a2/keep")
    (tmp_path / "link").symlink_to(tmp_path / "a2")
    storage.remove(str(tmp_path / "a"))
    storage.remove(str(tmp_path / "a2/[x]*"))
    storage.remove(str(tmp_path / "link"))
    storage.remove(str(tmp_path / "never"))
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")) == ["a2", "a2/keep"]


@dataclass(frozen=True)
class Point:
    x: float
    names: tuple[str, ...]


def test_json_takes_what_jobs_hold(tmp_path: Path) -> None:
    uri = str(tmp_path / "x.json")
    storage.write_json(
        uri,
        {
            "point": Point(1.5, ("a", "ü")),
            "numpy": np.float32(0.5),
            "array": np.arange(2),
            "nan": [float("nan"), np.inf],
            "path": Path("a"),
            "name": NOT_UTF8,
            "set": {"b", "a"},
            1: True,
        },
    )
    text = Path(uri).read_text()
    assert "ü" in text and text.endswith("}\n")
    json.loads(text, parse_constant=pytest.fail)
    assert storage.read_json(uri) == {
        "point": {"x": 1.5, "names": ["a", "ü"]},
        "numpy": 0.5,
        "array": [0, 1],
        "nan": [None, None],
        "path": "a",
        "name": NOT_UTF8,
        "set": ["a", "b"],
        "1": True,
    }


def test_json_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.json: not a JSON file"):
        storage.read_json(str(put(tmp_path, "x.json", b"{")))


# --- Parquet -----------------------------------------------------------------------------------


def test_parquet_round_trip(tmp_path: Path) -> None:
    one = pa.table({"a": [1, 2], "b": ["x", None]})
    storage.write_parquet(f"{tmp_path}/t/2.parquet", one, {"kind": "features"})
    storage.write_parquet(f"{tmp_path}/t/10.parquet", pa.table({"a": [3], "b": ["y"]}))
    put(tmp_path, "t/.half.parquet", b"half")
    put(tmp_path, "t/run.json", b"{}")
    whole = storage.read_parquet(f"{tmp_path}/t/2.parquet")
    assert whole.equals(one)
    assert whole.schema.metadata[b"kind"] == b"features"
    folder = storage.read_parquet(f"{tmp_path}/t", columns=["b", "a"])
    assert folder.to_pydict() == {"b": ["y", "x", None], "a": [3, 1, 2]}
    listed = storage.read_parquet([f"{tmp_path}/t/2.parquet", f"{tmp_path}/t/10.parquet"], ["a"])
    assert listed.to_pydict() == {"a": [1, 2, 3]}


def test_parquet_keeps_the_metadata_that_a_table_had(tmp_path: Path) -> None:
    table = pa.table({"a": [1]}).replace_schema_metadata({"old": "1", "kind": "0"})
    storage.write_parquet(f"{tmp_path}/x.parquet", table, {"kind": "labels"})
    metadata = storage.read_parquet(f"{tmp_path}/x.parquet").schema.metadata
    assert metadata == {b"old": b"1", b"kind": b"labels"}


def test_parquet_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Parquet file there"):
        storage.read_parquet(str(tmp_path))
    storage.write_parquet(f"{tmp_path}/a.parquet", pa.table({"a": [1]}))
    with pytest.raises(UsageError, match=r"a\.parquet: no column b, c"):
        storage.read_parquet(f"{tmp_path}/a.parquet", ["a", "c", "b"])
    storage.write_parquet(f"{tmp_path}/b.parquet", pa.table({"a": ["text"]}))
    with pytest.raises(UsageError, match="different columns"):
        storage.read_parquet(str(tmp_path))
    put(tmp_path, "b.parquet", b"PAR1 cut short")
    with pytest.raises(UsageError, match=r"b\.parquet: not a readable Parquet file"):
        storage.read_parquet(str(tmp_path))


# --- a job's folder ----------------------------------------------------------------------------

SETTINGS = {"recipe": "timedist-blstm", "audio": {"n_mfcc": 24}, "sides": (1, 2)}


def test_an_output_is_claimed_and_may_be_resumed(tmp_path: Path) -> None:
    out = str(tmp_path / "out/rs")
    storage.start_output(out, "features", SETTINGS)
    claim = storage.read_json(f"{out}/settings.json")
    assert claim["kind"] == "features"
    assert claim["settings"] == {**SETTINGS, "sides": [1, 2]}
    put(Path(out), "part-1.parquet")
    storage.start_output(out, "features", SETTINGS)
    assert storage.exists(f"{out}/part-1.parquet")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    out = str(tmp_path)
    storage.start_output(out, "features", SETTINGS)
    with pytest.raises(UsageError) as raised:
        storage.start_output(out, "features", {**SETTINGS, "recipe": "fer-cnn"})
    assert str(raised.value) == (
        f"{out} holds features made with other settings (recipe timedist-blstm): choose another "
        "--out or pass --overwrite"
    )
    with pytest.raises(UsageError, match="holds features, not a model"):
        storage.start_output(out, "a model", SETTINGS)
    with pytest.raises(UsageError, match=r"other settings \(audio\)"):
        storage.start_output(out, "features", {**SETTINGS, "audio": {"n_mfcc": 20}})


def test_overwrite_takes_what_says_that_a_result_is_there_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in between, nobody takes what is left for a finished result."""
    out = tmp_path / "out"
    storage.start_output(str(out), "labels", {})
    names = ("manifest.parquet", "run.json", "segments/part-1.parquet", "videos/part-1.parquet")
    for name in names:
        put(out, name)
    gone: list[str] = []
    monkeypatch.setattr(outputs, "remove", lambda uri: gone.append(uri.removeprefix(f"{out}/")))
    storage.start_output(str(out), "labels", {}, overwrite=True)
    assert gone == [names[1], names[3], names[0], names[2], "settings.json"]


def test_overwrite_removes_what_the_earlier_job_wrote(tmp_path: Path) -> None:
    out = tmp_path / "out"
    storage.start_output(str(out), "features", SETTINGS)
    for name in ("features/part-1.parquet", "features/.1.unfinished", "run.json"):
        put(out, name)
    put(out, "luna5-0/run.json")
    storage.write_json(f"{out}/luna5-0/settings.json", storage.read_json(f"{out}/settings.json"))
    put(out, "checkpoints/run-0000/checkpoint_1/model.pt")
    assert storage.start_output(str(out), "labels", {"model": "m"}, overwrite=True) == []
    assert os.listdir(out) == ["settings.json"]
    assert storage.read_json(str(out / "settings.json"))["kind"] == "labels"


FOREIGN = ("notes.txt", "features/mine.parquet", "features/sub/part-1.parquet", "figure.png",
           "other/run.json", ".cache/x")  # fmt: skip


@pytest.mark.parametrize("place", ["disk", "s3"])
def test_overwrite_leaves_what_no_job_made(
    place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    out = str(tmp_path / "out")
    if place == "s3":
        request.getfixturevalue("s3_env").bucket("made")
        out = "s3://made/out"
    storage.start_output(out, "features", SETTINGS)
    for name in (*FOREIGN, "features/part-1.parquet", "run.json"):
        storage.write_bytes(f"{out}/{name}", b"x")
    said: list[str] = []
    with storage.hold_output(out, "labels", {}, overwrite=True, say=said.append):
        pass
    assert any(f"5 files that no job made stay, such as {out}/f" in line for line in said)
    for name in FOREIGN:
        assert storage.read_bytes(f"{out}/{name}") == b"x"
    assert not storage.exists(f"{out}/features/part-1.parquet")
    assert not storage.exists(f"{out}/run.json")


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["holiday.jpg", "settings.json"])
def test_a_folder_of_something_else_is_never_touched(
    tmp_path: Path, name: str, overwrite: bool
) -> None:
    put(tmp_path, name, b'{"editor.fontSize": 12}')
    with pytest.raises(UsageError, match="is not empty and was not made by this job"):
        storage.start_output(str(tmp_path), "features", SETTINGS, overwrite)
    assert os.listdir(tmp_path) == [name]


def test_a_job_that_starts_there_right_now_is_a_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever another job puts there after the first look, it is not somebody else's folder."""
    out = str(tmp_path)
    look = outputs.list_files

    def looked(folder: str) -> list[storage.FileInfo]:
        monkeypatch.setattr(outputs, "list_files", look)
        storage.start_output(out, "features", SETTINGS)
        return look(folder)

    monkeypatch.setattr(outputs, "list_files", looked)
    assert storage.check_output(out, "features", SETTINGS)


def test_out_may_be_an_empty_folder_but_not_a_file(tmp_path: Path) -> None:
    put(tmp_path, "empty/.DS_Store")
    storage.start_output(str(tmp_path / "empty"), "features", SETTINGS)
    file = str(put(tmp_path, "file"))
    for out in (file, file + "/below"):
        with pytest.raises(UsageError, match="file"):
            storage.start_output(out, "features", SETTINGS)


def record(**counts: int) -> storage.RunRecord:
    return storage.RunRecord(
        job="preprocess",
        arguments={"out": "x", "corpus": ("a", "b")},
        counts=counts,
        seconds=1.5,
        started=storage.utc_now(),
        files=["features/0.parquet"],
    )


def test_a_run_record_adds_up(tmp_path: Path) -> None:
    storage.write_run_record(str(tmp_path), record(inputs=6, ok=3, degraded=2, failed=1))
    written = storage.read_json(str(tmp_path / "run.json"))
    assert written["counts"] == {"inputs": 6, "ok": 3, "degraded": 2, "failed": 1}
    assert written["arguments"] == {"out": "x", "corpus": ["a", "b"]}
    assert written["versions"]["python"].startswith(f"3.{sys.version_info.minor}")
    assert {"ray", "torch", "pyarrow"} <= set(written["versions"])
    assert written["started"].endswith("+00:00")
    with pytest.raises(ValueError, match="inputs 7, ok 3, degraded 2, failed 1"):
        record(inputs=7, ok=3, degraded=2, failed=1)
    assert record(epochs=3).counts == {"epochs": 3}


def test_versions_are_told_without_importing_anything_heavy() -> None:
    code = (
        "import sys, emotion_core.storage as s; s.package_versions(); "
        "print(sorted({'ray', 'torch', 's3fs', 'botocore', 'librosa'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_killed_writers_left_can_be_removed(tmp_path: Path) -> None:
    storage.write_bytes(str(tmp_path / "whole"), b"1")
    with pytest.raises(KeyboardInterrupt), storage.open_write(str(tmp_path / "new")) as file:
        (unfinished,) = tmp_path.glob(".*")
        kept = tmp_path / f".other{unfinished.name}"  # a killed process removes nothing
        kept.write_bytes(b"half")
        file.write(b"2")
        raise KeyboardInterrupt
    assert storage.remove_unfinished(str(tmp_path)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]
    assert storage.remove_unfinished(str(tmp_path / "not there")) == 0
    assert storage.remove_unfinished("s3://bucket/folder") == 0


def test_what_cannot_be_removed_is_said_in_one_line() -> None:
    with pytest.raises(StorageError, match="/proc/version: "):
        storage.remove("/proc/version")
