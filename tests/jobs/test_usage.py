"""Wrong usage ends in one line that names the input and the way out, and exit code 2."""

from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from tests.support.jobs import run_here, run_job


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A folder with one file whose name is a RAVDESS name; nobody gets to open it here."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "03-01-01-01-01-01-01.wav").write_bytes(b"RIFF")
    return folder


def one_line(done, *words: str) -> None:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]


def test_unknown_recipe(clip, tmp_path):
    done = run_job(
        "preprocess", "--corpus", f"ravdess={clip}", "--recipe", "blstm", "--out", tmp_path / "o"
    )
    one_line(done, "'blstm'", "timedist-blstm")


def test_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    corpus = f"ravdess={tmp_path / 'empty'}"
    one_line(run_here("preprocess", "--corpus", corpus, "--out", tmp_path / "o"), "empty")


def test_unreadable_uri(tmp_path):
    corpus = f"savee={tmp_path / 'nowhere'}"
    one_line(run_here("preprocess", "--corpus", corpus, "--out", tmp_path / "o"), "nowhere")


def test_unknown_corpus(clip, tmp_path):
    done = run_here("preprocess", "--corpus", f"crema={clip}", "--out", tmp_path / "o")
    one_line(done, "crema", "ravdess")


@pytest.mark.parametrize(
    ("option", "value", "way_out"),
    [
        ("--decoder", "ffmpeg", "pyav"),
        ("--audio-backend", "essentia", "librosa"),
        ("--detector", "mtcnn", "centerface"),
        ("--modality", "smell", "audio-visual"),
    ],
)
def test_unknown_words(clip, tmp_path, option, value, way_out):
    corpus = f"ravdess={clip}"
    done = run_here("preprocess", "--corpus", corpus, "--out", tmp_path / "o", option, value)
    one_line(done, value, way_out)


def test_an_address_that_takes_jobs_and_runs_none(clip, tmp_path):
    arguments = ("--corpus", f"ravdess={clip}", "--out", tmp_path / "o")
    done = run_here("preprocess", *arguments, RAY_ADDRESS="http://127.0.0.1:8265")
    one_line(done, "RAY_ADDRESS=http://127.0.0.1:8265", "ray job submit", "unset RAY_ADDRESS")


def test_an_out_that_holds_something_else_is_not_touched(clip, tmp_path):
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("precious")
    done = run_here("preprocess", "--corpus", f"ravdess={clip}", "--out", out, "--overwrite")
    one_line(done, "thesis", "--out")
    assert (out / "chapter1.tex").read_text() == "precious"
    assert [path.name for path in out.iterdir()] == ["chapter1.tex"]


def test_a_model_that_is_none(tmp_path):
    done = run_here("label", "--videos", tmp_path, "--model", tmp_path, "--out", tmp_path / "o")
    one_line(done, str(tmp_path))


def test_features_that_are_none(tmp_path):
    one_line(
        run_here("train", "--features", tmp_path / "nothing", "--out", tmp_path / "o"), "nothing"
    )


def test_a_missing_and_an_unknown_option_are_one_line_too(tmp_path):
    one_line(run_here("preprocess", "--out", tmp_path), "--corpus", "--help")
    one_line(run_here("label", "--colour", "red"), "--colour")


@pytest.mark.parametrize("job", ["label", "preprocess"])
def test_a_twentieth_of_the_inputs_may_fail_unasked(job):
    main = import_module(f"jobs.{job}").main
    assert signature(main).parameters["max_failed"].default == 0.05


def test_help_teaches_and_is_quick_to_import():
    done = run_job("preprocess", "--help", COLUMNS="120")
    assert done.returncode == 0
    assert "Example:" in done.stdout and "--corpus" in done.stdout
