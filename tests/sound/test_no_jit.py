"""Our own paths call no function that numba compiles: such code has crashed (constraints.txt)."""

import subprocess
import sys
from pathlib import Path

from tests.support.jobs import environment
from tests.support.labelling import untrained
from tests.support.small_recipes import small

# In a process of its own: numba's decorators are replaced before librosa uses them, so that a
# function which would be compiled refuses to be called.
SCRIPT = """
import sys
from dataclasses import replace

import numba


def refuse(*arguments, **named):
    raise AssertionError("a compiled function was called")


def decorator(*arguments, **named):
    bare = len(arguments) == 1 and callable(arguments[0])
    return refuse if bare else lambda function: refuse


for name in ("jit", "njit", "vectorize", "guvectorize", "stencil"):
    setattr(numba, name, decorator)

import librosa
import numpy as np

from emotion_core.engine.adapter import Steps
from emotion_core.preprocessing.job import Preprocessing, declared_steps
from emotion_core.recipes import load_recipe
from tests.support.labelling import labelled, work_on


def preprocessed(path):
    recipe = load_recipe("timedist-blstm")
    recipe = replace(recipe, audio=replace(recipe.audio, kind="mfcc+logmel", trim_db=30.0))
    steps = Steps([step.on_cpu.factory for step in declared_steps(Preprocessing(recipe))])
    assert steps.trouble is None
    works = [work_on(path)]
    for step in steps.steps:
        works = step(works)
    (work,) = works
    return work.outcome.status, len(work.audio_features) > 20, len(work.faces.crops)


if __name__ == "__main__":
    model, clip = sys.argv[1:]
    print("preprocessed", *preprocessed(clip))
    print("labelled", labelled(model, path=clip).outcome.status)
    try:
        librosa.yin(np.zeros(8000, np.float32), fmin=60, fmax=700, sr=16000)
    except AssertionError as error:
        print("yin:", error)
"""


def test_preprocessing_and_labelling_call_nothing_that_numba_compiles(
    demo: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    model = untrained(tmp_path / "model", recipe=small("timedist-blstm"))
    clip = demo / "wild" / "holiday clip #2.mp4"
    done = subprocess.run(
        [sys.executable, str(script), str(model), str(clip)],
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "preprocessed ok True 6",
        "labelled ok",
        "yin: a compiled function was called",  # the trap is one
    ]
