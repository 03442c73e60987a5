"""Labelling without a model of one's own: the shipped ones, on clips of people and of none."""

from pathlib import Path

import numpy as np
import pytest

from emotion_core.storage.parts import read_parts
from tests.support.jobs import run_here
from tests.support.labelling import LABELS

pytestmark = pytest.mark.usefixtures("ray_one")


def segments_of(out: Path) -> list[dict]:
    found = read_parts(str(out / "segments"))
    assert found is not None
    return found.to_pylist()


def test_videos_are_labelled_without_a_model(demo: Path, tmp_path: Path) -> None:
    wild = demo / "wild"
    words = ("--videos", wild / "holiday clip #2.mp4", "--videos", wild / "voice memo.m4a")
    done = run_here("label", *words, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "model voice: CC BY-NC-SA 4.0" in done.stderr + done.stdout
    assert "model face: research only" in done.stderr + done.stdout
    found = {tuple(row["modalities"]) for row in segments_of(tmp_path / "out")}
    assert found == {("audio", "face"), ("audio",)}
    alone = run_here("label", *words, "--model", "voice", "--out", tmp_path / "voice")
    assert alone.returncode == 0 and "model face" not in alone.stderr + alone.stdout
    assert all(row["modalities"] == ["audio"] for row in segments_of(tmp_path / "voice"))


@pytest.mark.slow
def test_real_clips_of_actors(corpora: Path, tmp_path: Path) -> None:
    """Five clips of RAVDESS and CREMA-D: no two faces or voices are answered alike."""
    done = run_here("label", "--videos", corpora / "clips" / "labelled", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = segments_of(tmp_path / "out")
    assert len({row["uri"] for row in rows}) == 5
    answers = {
        kind: np.array([[row[f"{kind}_p_{label}"] for label in LABELS] for row in rows], float)
        for kind in ("face", "audio")
    }
    for kind, given in answers.items():
        there = given[~np.isnan(given).any(axis=1)]
        assert len(there) >= 4, kind  # one of the five is silent
        assert there.std(axis=0).max() > 0.05, "not one answer for all"
