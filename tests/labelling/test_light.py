"""What the job's own process imports to label with the models that come with the package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import ROOT, environment

_LABELS = """
import sys
from emotion_core import cli
from jobs.label import main
try:
    cli.run(main)
finally:
    print(sorted({"torch", "onnxruntime", "librosa", "scipy.signal"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_the_job_itself_computes_nothing_and_imports_no_torch(demo: Path, tmp_path: Path) -> None:
    video = next((demo / "corpus").rglob("*.mp4"))
    words = ["--any-sound", "--videos", str(video), "--out", str(tmp_path / "labels")]
    done = subprocess.run(
        [sys.executable, "-c", _LABELS, *words], env=environment(), cwd=ROOT,
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of 1 inputs labelled" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
    assert os.path.exists(tmp_path / "labels" / "report.html")
