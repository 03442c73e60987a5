"""Names that strangers chose: they end no job, are no markup, and do not drive the terminal."""

import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from rich.console import Console

from emotion_core import cli
from emotion_core.corpora.scanning import Scan
from emotion_core.evaluation.metrics import assess
from emotion_core.evaluation.pictures import evaluation_pictures
from emotion_core.evaluation.report import evaluation_tables
from emotion_core.preprocessing.command import _report_scans
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.report.progress import progress
from emotion_core.report.summary import show_counts, show_reasons
from emotion_core.training.show import folds_outcome_table
from tests.support.jobs import command, environment, run_here
from tests.support.labelling import untrained
from tests.support.small_recipes import small

DRIVES = "a\x1b[2J\x1b]0;pwned\x07b"  # clears the screen and names the window
SHOWN = "a\ufffd[2J\ufffd]0;pwned\ufffdb"
EVIL = (DRIVES, "[red]x", "notes[/b]", "caf\udce9", "[link=http://x]y")


def wave(path: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        soundfile.write(file, np.sin(np.arange(16_000) / 20), 16_000, format="WAV")


def test_a_label_job_with_such_names_gets_to_its_end(ray_address: None, tmp_path: Path) -> None:
    model = untrained(tmp_path / "m", ("audio",), small("audio-cnn1d"))
    folder = os.fsencode(tmp_path / "v")
    os.makedirs(os.path.join(folder, b"notes["))
    for name in (b"caf\xe9.wav", b"[red]x.wav", b"[/b].wav"):
        wave(os.path.join(folder, name))
    for name in (os.fsencode(f"{DRIVES}.mp4"), b"notes[/b].txt"):
        Path(os.fsdecode(os.path.join(folder, name))).write_bytes(b"nothing")
    out = tmp_path / "out[/b]"
    words = command(
        "label", "--any-sound", "--videos", tmp_path / "v", "--model", model, "--out", out,
        "--max-failed", 1,
    )  # fmt: skip
    given = [*map(os.fsencode, words), b"--videos", os.path.join(folder, b"caf\xe9.wav")]

    done = subprocess.run(
        given, env=environment(COLUMNS="200"), stdin=subprocess.DEVNULL, capture_output=True,
        timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr.decode()
    said = done.stdout.decode()
    assert "\x1b" not in said and "\x07" not in said
    assert f"{SHOWN}.mp4: unreadable" in said
    assert "1 files are not media, such as " in said and "notes[/b].txt\n" in said
    assert f"to look at: {out}/report.html\n" in said
    page = (out / "report.html").read_bytes().decode()
    assert "\x1b" not in page and "caf\ufffd.wav" in page and SHOWN in page
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts == {"inputs": 4, "ok": 3, "degraded": 0, "failed": 1}


@pytest.mark.parametrize("name", EVIL)
def test_a_mistake_that_names_such_a_file_is_one_line(tmp_path: Path, name: str) -> None:
    done = run_here("preprocess", "--corpus", f"folder={tmp_path / name}", "--out", tmp_path / "o")

    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("error: ")
    assert "\x1b" not in line and line.encode() and "no such file" in line


def shown(*things: object) -> str:
    text = io.StringIO()
    Console(file=text, width=200, force_terminal=True, color_system=None).print(*things, sep="\n")
    return text.getvalue()


@pytest.mark.parametrize("name", EVIL)
def test_tables_show_a_name_as_it_is(name: str) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=True, color_system=None)
    rows = pa.table(
        {
            "uri": [f"/v/{name}".replace("\udce9", "é")] * 2,
            "corpus": [name.replace("\udce9", "é"), "x"],
            "status": ["failed"] * 2,
            "reasons": [["unreadable"]] * 2,
            "error": [f"unreadable: {name}".replace("\udce9", "é")] * 2,
            "duration_s": [1.0] * 2,
        }
    )
    show_counts(console, f"Labels in {name}", rows, by="corpus")
    show_counts(console, f"Labels in {name}", rows)
    show_reasons(console, rows)
    said = text.getvalue()
    assert "\x1b" not in said and said.encode()
    assert said.count(f"Labels in {seen(name)}") == 2
    assert seen(name.replace("\udce9", "é")) in said


def seen(name: str) -> str:
    return name.replace(DRIVES, SHOWN).replace("\udce9", "\ufffd")


@pytest.mark.parametrize("name", EVIL)
def test_figures_show_a_name_as_it_is(name: str) -> None:
    labels = LABEL_SETS["emotions7"]
    answers = torch.eye(7).numpy().astype(np.float32)
    found = assess(answers, np.arange(7), labels, [f"c/{name}"] * 7, [str(n) for n in range(7)])
    fold = {"split": name, "n": 7, "model_id": "id", "war": 1.0, "uar": 1.0, "macro_f1": 1.0}
    mean = {"war": 1.0, "uar": 1.0, "macro_f1": 1.0}
    metrics = {"folds": [fold], "mean": mean, "std": mean}
    summary = {"recipe": name, "split": name, "folds": [{**fold, "validation": mean}]}
    said = shown(
        *evaluation_tables(found, metrics, name),
        folds_outcome_table({**summary, "mean": mean, "std": mean}),
        folds_outcome_table({**summary, "mean": None, "std": None}),
    )

    assert "\x1b" not in said and said.encode()
    assert said.count(seen(name)) >= 7


@pytest.mark.parametrize("name", [DRIVES, "caf\udce9", "x$\\frac$y"])
def test_pictures_show_a_name_as_it_is(name: str) -> None:
    answers, speakers = torch.eye(7).numpy().astype(np.float32), [f"c/{name}"] * 6 + ["c/1"]
    found = assess(
        answers, np.arange(7), LABEL_SETS["emotions7"], speakers, [str(n) for n in range(7)]
    )

    pictures = evaluation_pictures(found, name)

    assert "speakers.png" in pictures and all(png[:4] == b"\x89PNG" for png in pictures.values())
    assert evaluation_pictures(found, seen(name)) == pictures


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("name", EVIL)
def test_progress_shows_a_note_as_it_is(name: str, terminal: bool) -> None:
    text = io.StringIO()
    console = Console(file=text, width=200, force_terminal=terminal, color_system=None)
    with progress(console, "label", 1) as advance:
        advance(1, f"failed: {name}")

    assert f"failed: {seen(name)}" in text.getvalue()
    assert "\x1b]0;" not in text.getvalue() and text.getvalue().encode()


@pytest.mark.parametrize("name", EVIL)
def test_a_corpus_with_such_names_is_told_of(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    _report_scans([Scan([], [name])])

    said = capsys.readouterr().out
    assert f"for example {seen(name)}" in said and "\x1b" not in said


def test_a_name_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    """rich would show ``:label:`` as one."""
    cli.say("a:label:1.mp4")
    cli.console.print("b:smile:2.mp4")
    assert capsys.readouterr().out.split() == ["a:label:1.mp4", "b:smile:2.mp4"]
