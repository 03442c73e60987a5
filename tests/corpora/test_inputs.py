"""Inputs of every kind: whatever they are called and however they are named."""

import io
import os
import sys
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import manifest_table
from emotion_core.corpora.inputs import Wanted, collect
from emotion_core.corpora.lists import read_list
from emotion_core.errors import UsageError
from tests.support.s3 import S3Server

NAMES = ("plain.mp4", "a b#1 100%.mkv", "[x]?*.mov", "ü/猫.wav", "one/same.mp4", "two/same.mp4")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for name in NAMES:
        put(folder / name)
    put(folder / "notes.md")
    put(folder / ".hidden.mp4")
    return folder


def put(path: Path, data: bytes = b"data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def uris(*inputs: object, **wanted: object) -> list[str]:
    return [clip.uri for clip in collect([str(i) for i in inputs], Wanted(**wanted)).clips]


def below(folder: Path, *inputs: object, **wanted: object) -> list[str]:
    return [os.path.relpath(uri, folder) for uri in uris(*inputs, **wanted)]


# --- what an input may be ------------------------------------------------------------------------


def test_a_folder_is_everything_below_it_that_may_be_media(archive: Path) -> None:
    found = collect([str(archive)])
    assert [os.path.relpath(c.uri, archive) for c in found.clips] == sorted(NAMES)
    assert [Path(other).name for other in found.others] == ["notes.md"]
    assert len({clip.clip_id for clip in found.clips}) == len(NAMES)


def test_inputs_mix_and_each_file_is_one_clip(archive: Path, tmp_path: Path) -> None:
    put(tmp_path / "list.txt", f"{archive}/plain.mp4\n".encode())
    mixed = (archive, archive / "plain.mp4", archive / "*.mp4", tmp_path / "list.txt")
    assert below(archive, *mixed) == sorted(NAMES)


def test_a_file_that_is_named_is_taken_whatever_its_name(archive: Path) -> None:
    assert below(archive, archive / "notes.md") == ["notes.md"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.mp4", ["plain.mp4"]),
        ("**/*.mp4", ["one/same.mp4", "plain.mp4", "two/same.mp4"]),
        ("*/same.*", ["one/same.mp4", "two/same.mp4"]),
        ("t?o", ["two/same.mp4"]),  # a folder that matches counts as a folder
        ("[ot]*", ["one/same.mp4", "two/same.mp4"]),
        ("**", sorted(NAMES)),
        ("[x]?*.mov", ["[x]?*.mov"]),  # it is there literally: no pattern
    ],
)
def test_patterns(archive: Path, pattern: str, expected: list[str]) -> None:
    assert below(archive, archive / pattern) == expected


def test_a_relative_pattern_works_where_the_folder_has_wildcards_in_its_name(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = put(archive / "[ab]*" / "x.mp4")
    put(archive / "a" / "y.mp4")
    monkeypatch.chdir(odd.parent)
    assert uris("*.mp4") == [str(odd)]


def test_an_archive_file_is_its_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("in/x.mp4", b"1")
        packed.writestr("in/readme.md", b"1")
    assert uris(tmp_path / "a.zip") == [f"zip://in/x.mp4::{tmp_path}/a.zip"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("missing.mp4", "missing.mp4: no such file"),
        ("empty", "no media files in .*/empty: looked for .*mp4"),
        ("empty/*.mp4", "empty/.*mp4: no media file matches"),
        ("empty.txt", "empty.txt: the list is empty"),
        ("missing.csv", "missing.csv: no such file"),
        ("broken.parquet", "broken.parquet: not a readable Parquet file"),
        ("numbers.parquet", "numbers.parquet: .*int64.*name the column uri"),
    ],
)
def test_an_input_that_holds_nothing_is_wrong_usage(
    archive: Path, tmp_path: Path, given: str, told: str
) -> None:
    put(tmp_path / "empty" / "readme.md")
    put(tmp_path / "empty.txt", b"\n\n")
    put(tmp_path / "broken.parquet")
    pq.write_table(pa.table({"n": [1]}), tmp_path / "numbers.parquet")
    with pytest.raises(UsageError, match=told) as raised:
        collect([str(archive), str(tmp_path / given)])
    assert "\n" not in str(raised.value)


# --- lists ---------------------------------------------------------------------------------------


def test_a_list_may_name_files_folders_and_what_is_gone(archive: Path, tmp_path: Path) -> None:
    lines = [f"{archive}/one", f"{archive}/notes.md", "", f"{archive}/gone.mp4", f"{archive}/one"]
    put(tmp_path / "list.txt", "\r\n".join(lines).encode())
    found = collect([str(tmp_path / "list.txt")])
    assert [(Path(c.uri).name, c.size, c.version == storage.GONE) for c in found.clips] == [
        ("gone.mp4", 0, True),
        ("notes.md", 4, False),
        ("same.mp4", 4, False),
    ]


def test_relative_entries_mean_the_lists_folder_first(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere / "plain.mp4")
    put(elsewhere / "only here.mp4")
    put(archive / "list.txt", b"plain.mp4\nonly here.mp4\nnowhere.mp4\n")
    monkeypatch.chdir(elsewhere)
    assert read_list(str(archive / "list.txt")) == [
        f"{archive}/plain.mp4",
        f"{elsewhere}/only here.mp4",
        f"{elsewhere}/nowhere.mp4",
    ]


def test_standard_input_is_a_list(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b"one/same.mp4\nplain.mp4\n")

    monkeypatch.setattr(sys, "stdin", Stdin)
    monkeypatch.chdir(archive)
    assert below(archive, "-") == ["one/same.mp4", "plain.mp4"]


def test_names_between_nul_characters_may_hold_line_breaks(tmp_path: Path) -> None:
    odd = put(tmp_path / "two\nlines.mp4")
    put(tmp_path / "list.txt", f"{odd}\0".encode())
    assert uris(tmp_path / "list.txt") == [str(odd)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,Path\n1,a.mp4\n2,b.mp4\n", ["a.mp4", "b.mp4"]),
        ("url,uri\nx,a.mp4\n", ["a.mp4"]),  # uri before path before url
        ("video,label\na.mp4,1\n", ["a.mp4"]),  # a heading that names nothing
        ("a.mp4,1\nb.mp4,2\n", ["a.mp4", "b.mp4"]),  # no heading at all
        ('\ufeffuri\n"with, comma.mp4"\n\n', ["with, comma.mp4"]),
    ],
)
def test_csv(tmp_path: Path, text: str, expected: list[str]) -> None:
    put(tmp_path / "list.csv", text.encode())
    for name in expected:
        put(tmp_path / name)
    assert [Path(uri).name for uri in read_list(str(tmp_path / "list.csv"))] == expected


@pytest.mark.parametrize("column", ["uri", "URL", "anything"])
def test_parquet(tmp_path: Path, column: str) -> None:
    table = pa.table({column: ["a.mp4", None, "s3://bucket/b c.mp4"], "n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "list.parquet")
    found = read_list(str(tmp_path / "list.parquet"))
    assert [uri.rsplit("/", 1)[-1] for uri in found] == ["a.mp4", "b c.mp4"]


def test_a_name_that_is_not_utf8_survives_every_way_in_and_out(tmp_path: Path) -> None:
    """In Arrow and JSON it is file://, percent-encoded; the bytes come back exactly."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9 #1%.mp4"
    with open(raw, "wb") as file:
        file.write(b"data")
    uri = "file://" + str(tmp_path) + "/caf%E9%20%231%25.mp4"
    put(tmp_path / "raw.txt", raw + b"\n")
    put(tmp_path / "raw.csv", b"uri\n" + raw + b"\n")
    put(tmp_path / "encoded.txt", uri.encode())
    pq.write_table(pa.table({"uri": [raw]}), tmp_path / "raw.parquet")
    pq.write_table(pa.table({"uri": [uri]}), tmp_path / "encoded.parquet")
    lists = ("raw.txt", "raw.csv", "encoded.txt", "raw.parquet", "encoded.parquet")
    for given in (tmp_path, os.fsdecode(raw), *(tmp_path / name for name in lists)):
        (clip,) = collect([str(given)]).clips
        assert (clip.uri, clip.size) == (uri, 4), given
    table = manifest_table(collect([str(tmp_path)]).clips)
    pq.write_table(table, tmp_path / "manifest.parquet")
    (clip,) = collect([str(tmp_path / "manifest.parquet")]).clips
    with storage.local_copy(clip.uri) as path:
        assert os.fsencode(path) == raw


# --- which of them -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"include": ("*.mp4",)}, ["one/same.mp4", "plain.mp4", "two/same.mp4"]),
        ({"include": ("one/*", "*.wav")}, ["one/same.mp4", "ü/猫.wav"]),
        ({"exclude": ("same.mp4",)}, ["[x]?*.mov", "a b#1 100%.mkv", "plain.mp4", "ü/猫.wav"]),
        ({"include": ("*.mp4",), "exclude": ("two/*",)}, ["one/same.mp4", "plain.mp4"]),
        ({"limit": 2}, ["[x]?*.mov", "a b#1 100%.mkv"]),
        ({"include": ("*.MP4", "*.wav")}, ["ü/猫.wav"]),
    ],
)
def test_wanted(archive: Path, wanted: dict, expected: list[str]) -> None:
    assert below(archive, archive, **wanted) == expected


def test_a_choice_that_leaves_nothing_is_wrong_usage(archive: Path) -> None:
    with pytest.raises(UsageError, match="--include and --exclude leave nothing of 6 files"):
        uris(archive, include=("*.avi",))


# --- object stores -------------------------------------------------------------------------------


def test_buckets_lists_and_patterns(s3_env: S3Server, tmp_path: Path) -> None:
    s3_env.bucket("videos")
    keys = ("a/x#1 %.mp4", "a/deep/y.mp4", "b/z.mp4", "b/notes.md", "b/[1]*.mp4")
    s3_env.upload("videos", dict.fromkeys(keys, b"12345"))
    s3_env.upload("videos", {"lists/l.txt": b"../b/z.mp4\na.mp4\n", "lists/a.mp4": b"1"})

    def found(*inputs: str) -> list[str]:
        return [uri.removeprefix("s3://videos/") for uri in uris(*inputs)]

    assert found("s3://videos/a") == ["a/deep/y.mp4", "a/x#1 %.mp4"]
    assert found("s3://videos/*/*.mp4") == ["a/x#1 %.mp4", "b/[1]*.mp4", "b/z.mp4", "lists/a.mp4"]
    assert found("s3://videos/**/y.mp4", "s3://videos/b/z*") == ["a/deep/y.mp4", "b/z.mp4"]
    assert found("s3://videos/[b]") == ["b/[1]*.mp4", "b/z.mp4"]
    assert found("s3://videos/b/[1]*.mp4") == ["b/[1]*.mp4"]

    listed = [f"s3://videos/{key}" for key in (*keys[:3], "a/gone.mp4", "b")]
    put(tmp_path / "list.txt", "\n".join(listed).encode())
    clips = collect([str(tmp_path / "list.txt")]).clips
    assert [clip.uri for clip in clips if clip.version == storage.GONE] == [
        "s3://videos/a/gone.mp4"
    ]
    assert len(clips) == 5
    # the same object is the same clip, however it was found
    whole = {clip.uri: clip.clip_id for clip in collect(["s3://videos"]).clips}
    for clip in clips:
        assert clip.version == storage.GONE or whole[clip.uri] == clip.clip_id
    assert "s3://videos/lists/a.mp4" in uris("s3://videos/lists/l.txt")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3://videos/*.mp4", "no media file matches"),
        ("s3://nowhere/*.mp4", "no such bucket"),
        ("s3://*/x.mp4", "name the bucket"),
        ("s3://videos/empty", "no such file or folder"),
    ],
)
def test_what_a_bucket_does_not_hold(s3_env: S3Server, given: str, told: str) -> None:
    s3_env.bucket("videos")
    with pytest.raises(UsageError, match=told):
        collect([given])


def test_wrong_keys_are_no_missing_files(
    s3_env: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    s3_env.bucket("videos")
    put(tmp_path / "list.txt", b"s3://videos/a.mp4\ns3://videos/b.mp4\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UsageError, match="access refused"):
        collect([str(tmp_path / "list.txt")])
