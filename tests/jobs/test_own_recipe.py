"""A recipe file of the user's own, network included, through all four jobs."""

import os
from pathlib import Path

import duckdb
import numpy as np
import pytest
import soundfile

from emotion_core.models.bundle import BundleInfo, save_bundle
from emotion_core.models.networks import build_network
from emotion_core.recipes import load_recipe
from emotion_core.recipes.emotions import LABEL_SETS
from tests.support.jobs import ROOT, run_here, run_job

EXAMPLE = ROOT / "examples" / "own_recipe.py"
WITH_EXAMPLE = os.pathsep.join((str(ROOT), str(EXAMPLE.parent)))


def sing(path: Path, pitch: float) -> None:
    times = np.arange(12_000) / 16_000
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * times), 16_000)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    sing(tmp_path / "videos" / "a.wav", 440)
    return tmp_path / "videos"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """What training the example gives, untrained."""
    recipe = load_recipe(str(EXAMPLE))
    labels = LABEL_SETS[recipe.label_set]
    made = {"audio_backend": "librosa", "detector": None, "decoder": "auto"}
    info = BundleInfo(recipe, labels, made, 100, ("audio",), "elte", 0)
    save_bundle(str(tmp_path / "model"), info, build_network(recipe).state_dict(), {}, [], "")
    return tmp_path / "model"


@pytest.mark.parametrize("job", ["label", "evaluate"])
def test_a_network_of_one_s_own_needs_the_user_s_word(
    model: Path, videos: Path, tmp_path: Path, job: str
) -> None:
    given = ("--videos", videos) if job == "label" else ("--features", tmp_path)
    done = run_here(job, *given, "--model", model, "--out", tmp_path / "o")

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    for word in (str(model), "'own_recipe:MeanAndSpread'", "--trust-code"):
        assert word in line
    assert not (tmp_path / "o").exists()


@pytest.mark.slow
def test_the_example_goes_through_all_four_jobs(videos: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for speaker in range(1, 25):
        for emotion in range(1, 9):
            name = f"03-01-{emotion:02d}-01-01-01-{speaker:02d}.wav"
            sing(corpus / name, 150 * emotion + speaker)

    def job(name: str, *arguments: object, **env: str) -> str:
        done = run_job(name, *arguments, **env)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    places = {name: tmp_path / name for name in ("features", "model", "evaluation", "labels")}
    features, model = ("--features", places["features"]), ("--model", places["model"])
    job("preprocess", "--recipe", EXAMPLE, "--corpus", f"ravdess={corpus}",
        "--out", places["features"])  # fmt: skip
    train = ("--recipe", EXAMPLE, *features, "--out", places["model"], "--epochs", 1)
    assert "--trust-code" in job("train", *train), "what is said comes next"
    assert "finished already" in job("train", *train)
    job("evaluate", *model, *features, "--out", places["evaluation"], "--trust-code",
        PYTHONPATH=WITH_EXAMPLE)  # fmt: skip
    job("label", "--any-sound", "--videos", videos, *model, "--out", places["labels"],
        "--trust-code", PYTHONPATH=WITH_EXAMPLE)  # fmt: skip

    rows = duckdb.sql(f"SELECT status FROM '{places['labels']}/videos/*.parquet'").fetchall()
    assert rows == [("ok",)]
