"""Training on features that lie in mapped files: the same weights, in memory that stays flat."""

import gc
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from emotion_core import storage
from emotion_core.errors import StorageError
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.task import divide, prepare
from emotion_core.training.trainer import train
from emotion_core.training.workers import Workers
from tests.models.test_segments import SECONDS
from tests.support.jobs import ROOT, environment, run_here
from tests.support.large_features import write_large
from tests.support.synthetic_features import SMALL, rows, write_features

torch.set_num_threads(1)
SHORT = with_training(SMALL, epochs=2)


def in_memory(features: FeatureSet) -> FeatureSet:
    """The same set over arrays that are no files."""
    audio, pictures = features.audio, features.pictures
    assert audio is not None and pictures is not None
    return replace(
        features,
        audio=audio.over(np.array(audio.values)),
        pictures=pictures.over(np.array(pictures.data), np.array(pictures.spans.values)),
    )


def weights(found: FeatureSet, recipe: Recipe) -> dict[str, torch.Tensor]:
    task = divide(found, recipe, "elte", seed=3)
    state = Training(task.plan, task.sides["train"], task.sides["validation"]).run(lambda _: None)
    assert state is not None
    return state.last


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "recipe", [SHORT, with_training(SECONDS, epochs=2)], ids=["clips", "parts"]
)
def test_files_give_the_weights_that_memory_gives(tmp_path: Path, recipe: Recipe) -> None:
    found = load_features(write_features(tmp_path / "f", rows(recipe), recipe), recipe)
    same(weights(found, recipe), weights(in_memory(found), recipe))


def test_another_layout_of_parts_gives_the_same_weights(tmp_path: Path) -> None:
    given = rows()
    one = write_features(tmp_path / "one", given)
    two = write_features(tmp_path / "two", given[120:] + given[:120])
    same(weights(load_features(one, SHORT), SHORT), weights(load_features(two, SHORT), SHORT))


def test_what_is_sent_to_workers_is_small_and_comes_to_the_same(tmp_path: Path) -> None:
    found = load_features(write_features(tmp_path / "f", rows()), SHORT)
    sent = found.light()
    assert sent.audio is not None and sent.pictures is not None and sent.copy is None
    assert not len(sent.audio.values) and not len(sent.pictures.data)
    assert found.copy is not None
    there = sent.over(found.copy)
    for row in (0, 50, 191):
        np.testing.assert_array_equal(there.sample(row).audio, found.sample(row).audio)
        np.testing.assert_array_equal(there.sample(row).faces, found.sample(row).faces)


# --- memory --------------------------------------------------------------------------------------

# Run in a process of its own. What is looked at is memory that is nothing but this process's own:
# pages of mapped files are the system's to keep or to drop.
SCRIPT = """
import json, sys, threading
from pathlib import Path
import numpy as np
from emotion_core.models.dataset import load_features
from emotion_core.training.decoded import DecodedClips
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from tests.support.large_features import LARGE

def own_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

def watch():
    while not done.wait(0.01):
        peaks.append(own_mb())

peaks, done = [own_mb()], threading.Event()
watcher = threading.Thread(target=watch)
watcher.start()
found = load_features(sys.argv[1], LARGE)
# a validation side of one full batch, whatever there is: batches cost memory too
training = Training(TrainPlan(LARGE, 24), found, found.select(np.arange(64)))
training.samples = DecodedClips(training.train, most_bytes=1 << 20)  # full with the fewest clips
state = training.run(lambda state: None)
done.set()
watcher.join()
print(json.dumps([len(found), len(state.history), peaks[0], max(peaks)]))
"""


def measure(features: str) -> tuple[int, float]:
    """Clips that were trained on, and the highest memory of the process's own, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, features], env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    clips, epochs, before, peak = json.loads(done.stdout.splitlines()[-1])
    assert epochs == 2
    print(f"{clips} clips: {before:.0f} MB before, {peak:.0f} MB at most")
    return clips, peak


def size_mb(features: str) -> float:
    return sum(path.stat().st_size for path in Path(features, "features").iterdir()) / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_memory_does_not_grow_with_the_features(tmp_path: Path) -> None:
    small, large = (write_large(tmp_path / str(clips), clips) for clips in (150, 1200))
    (few, before), (many, after) = measure(small), measure(large)
    assert many == 8 * few
    growth = size_mb(large) - size_mb(small)
    assert growth > 150
    assert after - before < 0.2 * growth, (before, after, growth)


# --- folders -------------------------------------------------------------------------------------

LOAD = """
import sys
from emotion_core.models.dataset import load_features
from tests.training.test_memory import SHORT
found = load_features(sys.argv[1], SHORT)
print(found.copy.source.key, flush=True)
for line in sys.stdin:
    print(found.sample(0).audio.sum(), len(list(found.batches())), flush=True)
"""


def loading(features: str, scratch: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOAD, features],
        env=environment(PYTHONPATH=str(ROOT), TMPDIR=str(scratch)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline()


def copies(scratch: Path) -> list[str]:
    return [name for name in os.listdir(scratch) if name.startswith("emotion-core-columns-")]


def test_jobs_on_the_same_features_share_a_copy_and_survive_each_other(tmp_path: Path) -> None:
    features, scratch = write_features(tmp_path / "f", rows()), tmp_path / "scratch"
    scratch.mkdir()
    one, two, killed = (loading(features, scratch) for _ in range(3))
    answers = {ask(process) and ask(process) for process in (one, two, killed)}
    assert len(answers) == 1 and len(copies(scratch)) == 1
    killed.kill()
    killed.communicate()
    one.communicate()
    assert ask(two) in answers and len(copies(scratch)) == 1
    two.kill()  # and the last one is killed too
    two.communicate()
    assert len(copies(scratch)) == 1
    three = loading(features, scratch)
    assert (ask(three) and ask(three)) in answers
    three.communicate()
    assert three.returncode == 0 and not copies(scratch)


def test_a_job_leaves_no_copy_behind(ray_local: None, tmp_path: Path) -> None:
    recipe = tmp_path / "short_one.py"
    recipe.write_text("from tests.training.test_memory import SHORT as RECIPE\n")
    features = write_features(tmp_path / "f", rows())
    key = prepare(features, SHORT, "elte", 0).sides["train"].copy.source.key  # type: ignore[union-attr]
    words = ("--recipe", recipe, "--split", "elte", "--num-workers", 2)
    done = run_here("train", "--features", features, "--out", tmp_path / "m", *words)
    assert done.returncode == 0, done.stderr
    gc.collect()
    assert [name for name in copies(Path(tempfile.gettempdir())) if key in name] == []


@pytest.mark.slow
def test_a_machine_that_finds_other_features_ends_the_training_with_one_line(
    ray_local: None, tmp_path: Path
) -> None:
    features = write_features(tmp_path / "f", rows())
    task = prepare(features, SHORT, "elte", 0)
    copy = task.sides["train"].copy
    assert copy is not None
    copy.close()  # as if the workers were on another machine, which reads the features itself
    os.utime(next(Path(features, "features").iterdir()), ns=(1, 1))
    out = str(tmp_path / "out")
    with pytest.raises(StorageError, match=r"f/features: changed while .* where a worker trains"):
        train(task.plan, task.sides["train"], task.sides["validation"], out, Workers(1), print)
    assert storage.exists(out)
