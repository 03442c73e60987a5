"""docs/api.md: its examples run, and what it names is there, described and tested."""

import inspect
import re
import shutil
from pathlib import Path

import pytest

from tests.docs.test_design import resolve
from tests.labelling.people.test_people import ARCHIVE, written
from tests.support.documents import fences
from tests.support.jobs import ROOT

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
NAMES = re.findall(r"^::: ([\w.]+)$", TEXT, re.MULTILINE)
LABELLED, ASKED, READ = (block for language, block in fences(TEXT) if language == "python")


def test_every_name_is_there_and_described() -> None:
    assert len(set(NAMES)) == len(NAMES) > 30
    for name in NAMES:
        described = inspect.getdoc(resolve(name)) or ""
        assert described, name
        # the site would take the second of them for a type
        assert re.findall(r"^ +\w+(?:, \w+)+:.*", described, re.MULTILINE) == [], name


def test_what_is_called_says_what_goes_in_and_what_goes_wrong() -> None:
    for name in NAMES:
        called = resolve(name)
        if inspect.isfunction(called):
            described = inspect.getdoc(called) or ""
            assert "Args:" in described or "Raises:" in described, name


@pytest.fixture
def here(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copyfile(demo / "wild" / "holiday clip #2.mp4", tmp_path / "session.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_video_is_labelled(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exec(LABELLED, names := {})  # type: ignore[var-annotated]
    assert names["done"].outcome.status == "ok" and len(names["done"].segments) == 1
    assert "('audio', 'face')" in capsys.readouterr().out


def test_a_model_is_asked(here: Path) -> None:
    exec(ASKED, names := {})  # type: ignore[var-annotated]
    assert names["answer"].shape == (7,) and names["answer"].sum() == pytest.approx(1, abs=1e-5)


def test_labels_are_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(str(here / "out" / "labels"), ARCHIVE)  # type: ignore[arg-type]
    exec(READ, names := {})  # type: ignore[var-annotated]
    assert names["vtt"].startswith("WEBVTT")
    assert "person 1 [(0.0, 'happy')]" in capsys.readouterr().out
