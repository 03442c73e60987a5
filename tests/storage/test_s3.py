"""The same promises over HTTP, against a real S3 server that checks its keys."""

import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
import s3fs

from emotion_core import storage
from emotion_core.corpora import scan
from emotion_core.errors import StorageError, UsageError
from tests.support.s3 import S3Server, serve

KEYS = ("a b/x#1%20.mp4", "a b/c::d*[1]?.mp4", "ü/猫+&.mp4")


@pytest.fixture
def bucket(s3_env: S3Server) -> Path:
    return s3_env.bucket("clips")


def reconnect() -> None:
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_literal(bucket: Path, key: str) -> None:
    uri = f"s3://clips/{key}"
    storage.write_bytes(uri, b"hello")
    assert (bucket / key).read_bytes() == b"hello"
    (info,) = storage.list_files("s3://clips")
    assert (info.uri, info.size) == (uri, 5)
    assert info.version == "5d41402abc4b2a76b9719d911017c592"  # the ETag: MD5 of the content
    assert storage.list_files(uri) == [info]
    assert storage.read_bytes(uri) == b"hello"
    assert storage.read_bytes(uri, 1, 3) == b"el"
    with storage.local_copy(uri) as path:
        assert (path.read_bytes(), path.suffix) == (b"hello", ".mp4")
    assert not path.exists()
    with storage.local_copy(uri, "bytes=1-3") as path:
        assert path.read_bytes() == b"el"
    storage.remove(uri)
    assert not storage.exists(uri)


def test_listing(bucket: Path, s3_env: S3Server) -> None:
    keys = ("in/b/2.WAV", "in/a/1.wav", "in/x.txt", "in/.hidden/3.wav", "in2/4.wav")
    s3_env.upload("clips", dict.fromkeys(keys, b"1"))
    for uri in ("s3://clips/in", "s3://clips/in/"):
        found = [i.uri for i in storage.list_files(uri, frozenset({".wav"}))]
        assert found == ["s3://clips/in/a/1.wav", "s3://clips/in/b/2.WAV"]
    assert storage.exists("s3://clips/in/a")
    assert not storage.exists("s3://clips/i")
    with pytest.raises(UsageError, match=r"s3://clips/i: no such file or folder"):
        storage.list_files("s3://clips/i")


def test_a_listing_of_several_pages_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_env: S3Server
) -> None:
    (tmp_path / "buckets/many").mkdir(parents=True)
    for number in range(1005):  # a page holds 1,000
        (tmp_path / f"buckets/many/{number:04d}.wav").write_bytes(b"")
    with serve(tmp_path / "buckets") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        reconnect()
        found = storage.list_files("s3://many")
    assert [i.uri for i in found] == [f"s3://many/{number:04d}.wav" for number in range(1005)]


def test_an_empty_bucket_is_an_empty_folder(bucket: Path) -> None:
    assert storage.list_files("s3://clips") == []


def test_the_version_follows_the_content(bucket: Path) -> None:
    storage.write_bytes("s3://clips/x", b"one")
    before = storage.list_files("s3://clips")[0].version
    storage.write_bytes("s3://clips/x", b"two")
    assert storage.list_files("s3://clips")[0].version != before


def test_an_object_appears_only_when_it_is_complete(bucket: Path) -> None:
    with storage.open_write("s3://clips/x") as file:
        file.write(b"half")
        file.flush()
        assert storage.list_files("s3://clips") == []
    assert storage.read_bytes("s3://clips/x") == b"half"
    with pytest.raises(KeyError), storage.open_write("s3://clips/x") as file:
        file.write(b"a quarter")
        raise KeyError
    assert storage.read_bytes("s3://clips/x") == b"half"


def test_parquet_and_json(bucket: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    storage.write_parquet("s3://clips/t/1.parquet", table, {"kind": "features"})
    storage.write_parquet("s3://clips/t/2.parquet", table)
    assert storage.read_parquet("s3://clips/t", ["b"]).to_pydict() == {"b": ["x", "y"] * 2}
    storage.write_json("s3://clips/t/run.json", {"a": 1})
    assert storage.read_json("s3://clips/t/run.json") == {"a": 1}


def test_an_output_in_a_bucket(bucket: Path) -> None:
    out = "s3://clips/out/rs"
    storage.start_output(out, "features", {"recipe": "a"})
    storage.write_bytes(f"{out}/features/part-[1]*.parquet", b"1")
    storage.start_output(out, "features", {"recipe": "a"})
    with pytest.raises(UsageError, match=r"other settings \(recipe a\)"):
        storage.start_output(out, "features", {"recipe": "b"})
    storage.write_bytes("s3://clips/out/rs2/x", b"1")
    with pytest.raises(UsageError, match="not made by this job"):
        storage.start_output("s3://clips/out/rs2", "features", {"recipe": "b"}, overwrite=True)
    storage.start_output(out, "features", {"recipe": "b"}, overwrite=True)
    left = [i.uri for i in storage.list_files("s3://clips")]
    assert left == [f"{out}/settings.json", "s3://clips/out/rs2/x"]


def test_an_archive_in_a_bucket(bucket: Path, s3_env: S3Server, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "f.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fer2013/train/happy/Training_1.jpg", b"one")
        archive.writestr("fer2013/test/sad/PublicTest_2.jpg", b"two")
    s3_env.upload("clips", {"f.zip": tmp_path / "f.zip"})
    clips = scan("fer2013", "s3://clips/f.zip").clips
    assert [(c.emotion, c.subset) for c in clips] == [("sad", "PublicTest"), ("happy", "train")]
    assert clips[0].uri == "zip://fer2013/test/sad/PublicTest_2.jpg::s3://clips/f.zip"
    with storage.local_copy(clips[0].uri) as path:
        assert path.read_bytes() == b"two"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "access refused: check AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "wrong"}, "access refused: check AWS_ACCESS_KEY_ID"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "set both AWS_ACCESS_KEY_ID and AWS_SECRET"),
        ({"AWS_PROFILE": "nobody"}, "AWS_PROFILE"),
    ],
)
def test_wrong_keys_give_one_line(
    bucket: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    changed: dict[str, str | None],
    told: str,
) -> None:
    storage.write_bytes("s3://clips/x", b"1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    for name, value in changed.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(
            name, value
        )
    reconnect()
    for attempt in (storage.list_files, storage.exists, storage.read_bytes):
        with pytest.raises(UsageError, match=told) as raised:
            attempt("s3://clips/x")
        assert str(raised.value).startswith("s3://clips/x: ") and "\n" not in str(raised.value)
    with pytest.raises(UsageError, match=told):
        storage.start_output("s3://clips/out", "features", {})
    with pytest.raises(StorageError, match=told), storage.local_copy("s3://clips/x"):
        pass


def test_a_missing_bucket_gives_one_line(bucket: Path) -> None:
    for attempt in (storage.list_files, storage.exists, storage.read_bytes):
        with pytest.raises(UsageError, match=r"^s3://nowhere/x: no such bucket: check its name"):
            attempt("s3://nowhere/x")
    with pytest.raises(UsageError, match=r"no such bucket"):
        storage.start_output("s3://nowhere/out", "features", {})


def test_a_server_that_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3_env: S3Server
) -> None:
    folder = tmp_path / "buckets"
    (folder / "b").mkdir(parents=True)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # the default of five takes its seconds
    with serve(folder) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        reconnect()
        storage.write_bytes("s3://b/x", b"1")
        with storage.local_copy("s3://b/x") as path:
            assert path.read_bytes() == b"1"
    with pytest.raises(UsageError, match="cannot be reached: check AWS_ENDPOINT_URL"):
        storage.list_files("s3://b")
    with (
        pytest.raises(StorageError, match="s3://b/x: the server cannot be reached"),
        storage.local_copy("s3://b/x"),
    ):
        pass
    with pytest.raises(OSError, match=r"s3://b/y: the server cannot be reached"):
        storage.write_bytes("s3://b/y", b"1")
    assert sorted(os.listdir(folder / "b")) == ["x"]
