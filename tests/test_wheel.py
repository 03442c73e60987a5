"""A wheel without a checkout: it labels with its models, or says how to get one."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_core.storage.parts import read_parts
from tests.support.jobs import environment
from tests.test_house import ROOT, tracked

pytestmark = pytest.mark.slow
SHIPPED = "emotion_core/models/shipped"


def run(*words: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], cwd=cwd, env=environment(**env),
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip


def installed(place: Path, weights: bool) -> tuple[Path, Path]:
    """A wheel of the files that git knows, and a folder into which it was installed."""
    source, target = place / "source", place / "installed"
    for path in tracked():
        name = str(path.relative_to(ROOT))
        needed = name in ("pyproject.toml", "LICENSE") or name.startswith("emotion_core/")
        if needed and (weights or path.suffix == ".py" or not name.startswith(SHIPPED)):
            copy = source / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    alone = ("--no-index", "--no-deps")
    made = run(*pip, "wheel", *alone, "--no-build-isolation", "-w", place, source, cwd=place)
    assert made.returncode == 0, made.stderr
    (wheel,) = place.glob("*.whl")
    done = run(*pip, "install", *alone, "--target", target, wheel, cwd=place)
    assert done.returncode == 0, done.stderr
    return wheel, target


def label(target: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The program of an installed wheel, in a folder that holds nothing."""
    program = target / "bin" / "emotion-core"
    return run(program, "label", *words, cwd=target.parent, PYTHONPATH=str(target))


def stated_mb() -> list[float]:
    """Sizes of both wheels, as the README has them."""
    text = (ROOT / "README.md").read_text()
    (found,) = re.findall(r"both models \(([\d.]+) MB; ([\d.]+) MB without them", text)
    return [float(each) for each in found]


def test_with_its_models_it_labels_a_real_clip(tmp_path: Path, corpora: Path) -> None:
    wheel, target = installed(tmp_path, weights=True)
    assert wheel.stat().st_size / 1e6 == pytest.approx(stated_mb()[0], abs=0.2)
    where = "import emotion_core; print(emotion_core.__file__)"
    found = run("-c", where, cwd=tmp_path, PYTHONPATH=str(target)).stdout.strip()
    assert found == os.path.realpath(target / "emotion_core" / "__init__.py")
    clip = corpora / "clips" / "labelled" / "01-01-07-02-02-01-01.mp4"
    done = label(target, "--videos", clip, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = read_parts(str(tmp_path / "out" / "segments"))
    assert rows is not None and rows["modalities"].to_pylist() == [["audio", "face"]]
    assert (tmp_path / "out" / "report.html").is_file()


def test_without_its_models_it_takes_others(tmp_path: Path, corpora: Path) -> None:
    wheel, target = installed(tmp_path, weights=False)
    assert wheel.stat().st_size / 1e6 == pytest.approx(stated_mb()[1], abs=0.2)
    clip = corpora / "clips" / "labelled" / "01-01-07-02-02-01-01.mp4"
    asked = ("--videos", clip, "--out", tmp_path / "out")
    refused = label(target, *asked)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert "comes without the model" in refused.stderr and "--model a bundle" in refused.stderr
    done = label(target, *asked, "--model", ROOT / SHIPPED / "voice")
    assert done.returncode == 0, done.stderr
    rows = read_parts(str(tmp_path / "out" / "segments"))
    assert rows is not None and rows["modalities"].to_pylist() == [["audio"]]
