"""Corpora come whole, with the right sum, from a server that cuts, lies, refuses and is busy."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from emotion_core import storage
from emotion_core.corpora import scan
from emotion_core.errors import StorageError, UsageError
from emotion_core.fetching import command, partial, sources
from emotion_core.fetching.listings import Wanted, elsewhere, published, ravdess_names
from emotion_core.fetching.plan import Selection, select, selection
from emotion_core.fetching.sources import SOURCES, Checksum, Record
from emotion_core.fetching.transfer import fetch_file, refuse_without_room
from emotion_core.fetching.web import Patience
from tests.support.jobs import command as job_command
from tests.support.jobs import environment
from tests.support.s3 import AnyS3
from tests.support.web_server import Web, serve_web

MB = 1 << 20
CONTENT = random.Random(1).randbytes(5 * MB + 17)
MD5 = Checksum("md5", hashlib.md5(CONTENT).hexdigest())
AT_ONCE = Patience(wait=lambda seconds: None)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web() as server:
        server.files["/a.zip"] = CONTENT
        yield server


def wanted(web: Web, **other) -> Wanted:
    return replace(Wanted("a.zip", f"{web.url}/a.zip", len(CONTENT), MD5), **other)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_cut_connection_is_gone_on_with(web: Web, tmp_path: Path) -> None:
    web.cuts = [2 * MB, MB]
    seen: list[int] = []

    done = fetch_file(wanted(web), str(tmp_path), seen.append, AT_ONCE)

    assert (tmp_path / "a.zip").read_bytes() == CONTENT and names(tmp_path) == ["a.zip"]
    assert done.checked and done.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert sum(seen) == len(CONTENT)
    assert [asked[1] for asked in web.asked] == ["", f"bytes={2 * MB}-", f"bytes={3 * MB}-"]
    assert all(asked[2] for asked in web.asked[1:]), "only if it still is the same file"


def test_a_later_command_goes_on_unless_the_file_has_changed(web: Web, tmp_path: Path) -> None:
    once, unknown = Patience(tries=1), wanted(web, size=None, checksum=None)
    for changed in (False, True):
        web.files["/a.zip"], web.cuts = CONTENT, [2 * MB]
        with pytest.raises(StorageError, match=r"a\.zip: .*1 times"):
            fetch_file(unknown, str(tmp_path), lambda n: None, once)
        assert not (tmp_path / "a.zip").exists()
        now = CONTENT[::-1] if changed else CONTENT
        web.files["/a.zip"] = now
        done = fetch_file(unknown, str(tmp_path), lambda n: None, once)
        assert (tmp_path / "a.zip").read_bytes() == now and not done.checked
        assert web.asked[-1][1] == f"bytes={2 * MB}-"
        assert names(tmp_path) == ["a.zip"]
        (tmp_path / "a.zip").unlink()


def test_a_kill_after_the_last_step_leaves_nothing_behind(web: Web, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(CONTENT)
    (tmp_path / ".a.zip.partial.json").write_text(json.dumps({"checksum": MD5.value}))
    assert not fetch_file(wanted(web), str(tmp_path), lambda size: None, AT_ONCE).new
    assert names(tmp_path) == ["a.zip"]


def test_a_wrong_checksum_keeps_nothing(web: Web, tmp_path: Path) -> None:
    other = wanted(web, checksum=Checksum("md5", "0" * 32))
    with pytest.raises(UsageError, match=r"its MD5 is .*, published is 0+: not what") as error:
        fetch_file(other, str(tmp_path), lambda n: None, AT_ONCE)
    assert "\n" not in str(error.value) and names(tmp_path) == []
    # a first half that is wrong: it comes again as a whole, and is right then
    web.cuts = [2 * MB]
    with pytest.raises(StorageError):
        fetch_file(wanted(web), str(tmp_path), lambda n: None, Patience(tries=1))
    (tmp_path / ".a.zip.partial").write_bytes(bytes(2 * MB))
    fetch_file(wanted(web), str(tmp_path), lambda n: None, AT_ONCE)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert [asked[1] for asked in web.asked][-2:] == [f"bytes={2 * MB}-", ""]


def test_a_server_without_ranges_that_is_busy_or_has_no_such_file(web: Web, tmp_path: Path) -> None:
    waited: list[float] = []
    web.ranges, web.busy, web.cuts = False, 1, [MB]
    fetch_file(wanted(web), str(tmp_path), lambda n: None, Patience(wait=waited.append))
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert waited == [7.0, 1.0], "what it asked for, then our own"
    gone = wanted(web, name="b.zip", place=f"{web.url}/b.zip")
    with pytest.raises(UsageError, match=r"b\.zip: not there \(404\)"):
        fetch_file(gone, str(tmp_path), lambda n: None, AT_ONCE)
    assert len(web.asked) == 4, "what is not there is asked for once"


def test_straight_into_a_bucket_also_in_two_commands(
    web: Web, any_s3: AnyS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partial, "PIECE", 5 * MB)  # the least that S3 puts together
    content = random.Random(2).randbytes(12 * MB)
    web.files["/a.zip"], web.cuts = content, [7 * MB]
    file = Wanted(
        "a.zip", f"{web.url}/a.zip", len(content), Checksum("md5", hashlib.md5(content).hexdigest())
    )
    out = f"{any_s3.root}/my corpora"
    with pytest.raises(StorageError, match="times in a row"):
        fetch_file(file, out, lambda n: None, Patience(tries=1))
    assert not storage.exists(f"{out}/a.zip")

    fetch_file(file, out, lambda n: None, AT_ONCE)

    assert web.asked[-1][1] == f"bytes={5 * MB}-", "whole pieces are kept"
    assert storage.read_bytes(f"{out}/a.zip") == content
    client = any_s3.server.client()
    bucket = any_s3.root.removeprefix("s3://")
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == ["my corpora/a.zip"]
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_no_room_is_one_line_before_anything_is_fetched(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    with pytest.raises(StorageError, match=r"5\.2 MB to fetch, 1\.0 kB free"):
        refuse_without_room([wanted(web)], str(tmp_path))
    assert web.asked == []


# --- the command ---------------------------------------------------------------------------------


def archive(actor: str, first: str = "01", count: int = 60) -> bytes:
    """A ZIP file with that many speech clips of one actor, named as RAVDESS names them."""
    found = [
        f"{first}-01-{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor}"
        for emotion in range(1, 9)
        for intensity in ((1,) if emotion == 1 else (1, 2))
        for statement in (1, 2)
        for repetition in (1, 2)
    ]
    assert len(found) == 60
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in found[:count]:
            file.writestr(f"Actor_{actor}/{name}.mp4", name)
    return packed.getvalue()


@pytest.fixture
def zenodo(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """The server as Zenodo, with the videos of two actors."""
    files = []
    for actor, count in (("01", 60), ("02", 59)):
        name, content = f"Video_Speech_Actor_{actor}.zip", archive(actor, count=count)
        web.files[f"/files/{name}"] = content
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        files.append({"key": name, "size": len(content), "checksum": checksum})
    web.files["/record"] = json.dumps({"files": files}).encode()
    record = Record(f"{web.url}/record", "zenodo", web.url + "/files/{}")
    patched = {**SOURCES, "ravdess": replace(SOURCES["ravdess"], record=record)}
    monkeypatch.setattr(sources, "SOURCES", patched)
    return web


def fetch(corpus: str, out: Path, **options) -> int:
    given = {"accept_licence": True, "from_": None, "actors": None, "modality": None}
    options = {**given, "channel": "speech", "dry_run": False, **options}
    return command.main(corpus, str(out), **options)


def test_ravdess_is_fetched_as_its_record_says(
    zenodo: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fetch("ravdess", tmp_path / "dry", dry_run=True) == 0
    shown = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0" in shown and "e0196391" in shown
    assert "Video_Speech_Actor_02.zip" in shown and "published" in shown
    assert not (tmp_path / "dry").exists()

    out = tmp_path / "out"
    assert fetch("ravdess", out, actors="1", modality="audio-visual") == 0
    assert names(out) == ["Video_Speech_Actor_01.zip", "run.json", "settings.json"]
    assert len(scan("ravdess", str(out)).clips) == 60, "read within its archive, in the folder"

    asked = len(zenodo.asked)
    assert fetch("ravdess", out, actors="1-2", modality="audio-visual") == 3
    shown = capsys.readouterr().out
    assert "1 files fetched, 1 were there already" in shown
    assert "missing: speaker 02: 59 of 60 clips" in shown
    assert [path for path, _, _ in zenodo.asked[asked:]] == [
        "/record", "/files/Video_Speech_Actor_02.zip"
    ]  # fmt: skip
    record = json.loads((out / "run.json").read_text())
    assert record["job"] == "fetch" and record["extra"]["missing"]


def test_a_mirror_is_held_to_the_published_checksums(
    zenodo: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A web server with the same names, and a folder of archives that somebody has downloaded."""
    options = {"actors": "1", "modality": "audio-visual"}
    assert fetch("ravdess", tmp_path / "a", from_=f"{zenodo.url}/files/", **options) == 0
    mirror = tmp_path / "downloads"
    mirror.mkdir()
    content = zenodo.files["/files/Video_Speech_Actor_01.zip"]
    (mirror / "Video_Speech_Actor_01.zip").write_bytes(content[:-1] + b"x")
    with pytest.raises(UsageError, match="published is"):
        fetch("ravdess", tmp_path / "b", from_=str(mirror), **options)
    # a record that nobody can read any more is said, and known checksums stay
    zenodo.files["/record"] = b"<html>"
    assert fetch("ravdess", tmp_path / "c", from_=str(mirror), **options) in (0, 3)
    assert "no list of files" in capsys.readouterr().out


def test_a_killed_fetch_is_gone_on_with(zenodo: Web, tmp_path: Path) -> None:
    out, path = tmp_path / "out", "/files/a.zip"
    zenodo.files[path], zenodo.cuts, zenodo.hold = CONTENT, [0, 3 * MB], threading.Event()
    zenodo.cuts = [len(CONTENT), 3 * MB]  # the first only asks for the size
    words = ("savee", "--from", f"{zenodo.url}{path}", "--out", out, "--accept-licence")
    process = subprocess.Popen(
        job_command("fetch", *words),
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    kept = out / ".a.zip.partial"
    deadline = time.monotonic() + 60
    while not (kept.exists() and kept.stat().st_size == 3 * MB):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "a.zip").exists()

    with pytest.raises(UsageError):  # no SAVEE in there, but it has come
        fetch("savee", out, from_=f"{zenodo.url}{path}")

    assert (out / "a.zip").read_bytes() == CONTENT
    assert zenodo.asked[-1][1] == f"bytes={3 * MB}-"


def test_terms_are_asked_about(
    zenodo: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(UsageError, match="--accept-licence"):
        fetch("ravdess", tmp_path / "out", accept_licence=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.confirm", lambda question: False)
    with pytest.raises(UsageError, match="not accepted: nothing was fetched"):
        fetch("ravdess", tmp_path / "out", accept_licence=False)
    assert not (tmp_path / "out").exists()
    assert [path for path, _, _ in zenodo.asked] == ["/record", "/record"]


def test_what_is_behind_a_registration_is_verified(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for corpus in ("savee", "fer2013", "cremad"):
        with pytest.raises(UsageError, match=r"cannot simply be downloaded: http.*--from"):
            fetch(corpus, tmp_path / "out")
    supplied = tmp_path / "supplied"
    for speaker, numbers in (("DC", range(1, 16)), ("JE", range(1, 15))):
        (supplied / speaker).mkdir(parents=True)
        for number in numbers:
            (supplied / speaker / f"a{number:02d}.wav").write_bytes(b"RIFF")
    assert fetch("savee", tmp_path / "out", from_=str(supplied)) == 3
    shown = capsys.readouterr().out
    assert "missing: speaker JE: 14 of 120 clips" in shown
    assert len(scan("savee", str(tmp_path / "out")).clips) == 29
    assert fetch("savee", supplied, from_=str(supplied)) == 3, "only looked at"
    assert not (supplied / "run.json").exists()
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    (supplied / "JE" / "a15.wav").write_bytes(pointer)
    with pytest.raises(UsageError, match="git lfs pull"):
        fetch("savee", supplied, from_=str(supplied))


# --- lists of files ------------------------------------------------------------------------------


def test_a_dataverse_list_is_read_and_hostile_names_are_not(web: Web) -> None:
    digest = "d41d8cd98f00b204e9800998ecf8427e"
    file = {"id": 7, "filename": "OAF_back_angry.wav", "filesize": 0, "md5": digest}
    web.files["/list"] = json.dumps(
        {"data": [{"directoryLabel": "OAF angry", "dataFile": file}]}
    ).encode()
    record = Record(f"{web.url}/list", "dataverse", "http://host/{}")
    found = Wanted("OAF angry/OAF_back_angry.wav", "http://host/7", 0, Checksum("md5", digest))
    assert published(record) == [found]
    for name in ("../a.wav", "/a.wav", "b/../../a.wav", ".hidden", "a\\b", "c:a"):
        listed = {"files": [{"key": name, "size": 1, "checksum": f"md5:{digest}"}]}
        web.files["/list"] = json.dumps(listed).encode()
        with pytest.raises(UsageError, match="no list of files"):
            published(replace(record, form="zenodo"))


def test_names_of_a_mirror_stay_below_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="leads out of its folder"):
        elsewhere("https://host/%2e%2e%2fevil.zip", [], {})
    # a name that is not UTF-8 is one below the folder, too
    place = os.fsencode(tmp_path / "from" / "\udcff.wav")
    os.makedirs(os.path.dirname(place))
    Path(os.fsdecode(place)).write_bytes(b"x")
    (found,) = elsewhere(str(tmp_path / "from"), [], {})
    assert found.name == "\udcff.wav"
    # in a bucket, dots are part of a key like any other character
    key = storage.FileInfo("s3://b/c/../../evil.wav", 1, "v")
    monkeypatch.setattr(storage, "list_files", lambda *where: [key])
    with pytest.raises(UsageError, match="leads out of its folder"):
        elsewhere("s3://b", [], {})


def test_archives_are_chosen_by_modality_channel_and_actor() -> None:
    every = [Wanted(name, "") for name in ravdess_names()]
    assert len(every) == 49 and not [f for f in every if f.name == "Video_Song_Actor_18.zip"]

    def chosen(*options) -> list[str]:
        return [file.name for file in select(every, selection(*options))]

    assert chosen(None, "audio", "speech") == ["Audio_Speech_Actors_01-24.zip"]
    assert chosen("2,4-5", "video", "song") == [f"Video_Song_Actor_0{n}.zip" for n in (2, 4, 5)]
    assert len(chosen(None, None, "speech")) == 25 and len(chosen(None, None, "all")) == 49
    assert chosen("3", None, "speech") == ["Audio_Speech_Actors_01-24.zip",
                                           "Video_Speech_Actor_03.zip"]  # fmt: skip
    assert sum(Selection(channel="all").expected().values()) == 1440 + 1012
    for wrong in ("0", "25", "a", "3-1", ""):
        with pytest.raises(UsageError, match="1-4,7"):
            selection(wrong, None, "speech")


@pytest.mark.parametrize("name", SOURCES)
def test_a_complete_corpus_adds_up(name: str) -> None:
    source = SOURCES[name]
    assert not source.each or sum(source.each.values()) == source.clips
    assert bool(source.record) != bool(source.by_hand)
