"""Passwords and signatures in addresses: refused in one line that does not repeat them."""

import http.server
import io
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Outcome
from emotion_core.corpora.inputs import collect
from emotion_core.corpora.lists import read_list
from emotion_core.errors import UsageError
from emotion_core.recipes import load_recipe
from emotion_core.storage.uris import explain
from tests.support.jobs import run_here
from tests.support.labelling import step, untrained

PASSWORD = "https://ann:S3CR3T@127.0.0.1:1/a.mp4"
SIGNED = "https://127.0.0.1:1/a.mp4?X-Amz-Expires=60&X-Amz-Signature=S3CR3T"


def lines(place: Path) -> dict[str, list[str]]:
    """A command line of each job, whose places do not exist."""
    videos, model, features, out = (f"{place}/{n}" for n in ("v", "m", "f", "o"))
    return {
        "label": ["--videos", videos, "--model", model, "--out", out],
        "preprocess": ["--corpus", f"ravdess={videos}", "--out", out],
        "train": ["--features", features, "--out", out],
        "evaluate": ["--model", model, "--features", features, "--out", out],
    }


@pytest.mark.parametrize("address", [PASSWORD, SIGNED], ids=["password", "signature"])
@pytest.mark.parametrize(
    ("job", "option"),
    [
        ("label", "--videos"), ("label", "--model"), ("label", "--out"), ("label", "--compact-to"),
        ("preprocess", "--corpus"), ("preprocess", "--out"), ("train", "--features"),
        ("train", "--out"), ("train", "--option"), ("evaluate", "--model"),
        ("evaluate", "--features"), ("evaluate", "--out"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("joined", [False, True], ids=["apart", "joined"])
def test_an_address_with_a_secret_is_refused_wherever_it_is_given(
    tmp_path: Path, job: str, option: str, address: str, joined: bool
) -> None:
    value = {"--corpus": "ravdess=", "--option": "pretrained="}.get(option, "") + address
    given = [f"{option}={value}"] if joined else [option, value]

    done = run_here(job, *lines(tmp_path)[job], *given)

    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {option}: an address with a password or a signature in it")
    assert "S3CR3T" not in line and "127.0.0.1" in line and "environment" in line
    assert list(tmp_path.iterdir()) == [], "nothing was written"


@pytest.mark.parametrize("address", [PASSWORD, SIGNED], ids=["password", "signature"])
def test_a_list_is_named_with_the_line(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text(f"one.mp4\n\n{address}\n")
    (tmp_path / "a.csv").write_text(f'name,uri\n"x\ny",one.mp4\nz,"{address}"\n')
    pq.write_table(pa.table({"uri": ["one.mp4", None, address]}), tmp_path / "a.parquet")
    for name, line in (("a.txt", 3), ("a.csv", 4), ("a.parquet", 3)):
        with pytest.raises(UsageError, match=f"{name}, line {line}: an address") as raised:
            collect([str(tmp_path / name)])
        assert "S3CR3T" not in str(raised.value)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"\0a\0{address}".encode())))
    with pytest.raises(UsageError, match="standard input, line 3: an address"):
        read_list("-")


def test_a_recipe_s_pretrained_weights_are_no_exception(tmp_path: Path) -> None:
    (tmp_path / "with_secret.py").write_text(
        "from dataclasses import replace\nfrom emotion_core.recipes import load_recipe\n"
        "RECIPE = replace(load_recipe('alexnet-visual'), name='own', "
        f"network_options={{'pretrained': {SIGNED!r}}})\n"
    )
    with pytest.raises(UsageError, match="pretrained of recipe .*: an address") as raised:
        load_recipe(str(tmp_path / "with_secret.py"))
    assert "S3CR3T" not in str(raised.value)


class Signing(http.server.BaseHTTPRequestHandler):
    """Sends everybody on to a signed address, where nothing is to be had; so do real archives."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        if not self.path.startswith("/signed"):
            self.send_response(302)
            self.send_header("Location", "/signed.mp4?X-Amz-Signature=S3CR3T")
        else:
            self.send_response(200 if self.command == "HEAD" else 403)
        self.send_header("Content-Length", "0" if self.command == "GET" else "9")
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def signing() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Signing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_server_s_signed_address_is_in_no_row(signing: str, tmp_path: Path) -> None:
    uri = f"{signing}/a.mp4"
    row = manifest_table([Clip(uri, 10, "1")]).to_pylist()[0]
    with pytest.raises(Exception, match="S3CR3T"), storage.open_read(uri) as file:
        file.read()  # it is in what the library says

    (done,) = step(untrained(tmp_path / "m"))([ClipWork(row)])

    assert done.outcome.status == "failed" and done.outcome.error is not None
    assert "***" in done.outcome.error and "S3CR3T" not in str(done)


def test_what_a_library_says_goes_nowhere_unread(tmp_path: Path) -> None:
    error = OSError(f"403, message='Forbidden', url='{SIGNED}'")
    assert "S3CR3T" not in explain("s3://bucket/a.mp4", error)
    assert "S3CR3T" not in str(Outcome().fail_with(error, "fetch"))
    assert "S3CR3T" not in str(Outcome().degrade("fetch", "cut", f"cut: {PASSWORD}"))
    record = storage.RunRecord("label", {"videos": [PASSWORD], "x": {"y": SIGNED}}, {}, 0, "", [])
    storage.write_run_record(str(tmp_path), record)
    written = (tmp_path / "run.json").read_text()
    assert "S3CR3T" not in written and json.loads(written)["arguments"]["videos"]


def test_a_fault_of_the_job_is_told_without(capsys: pytest.CaptureFixture[str]) -> None:
    from emotion_core import cli

    def broken() -> None:
        raise RuntimeError(f"cannot read {SIGNED}")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["broken.py"])
        cli.run(broken)
    said = capsys.readouterr().err
    assert end.value.code == 1 and "Traceback" in said and "RuntimeError: cannot read" in said
    assert "S3CR3T" not in said
