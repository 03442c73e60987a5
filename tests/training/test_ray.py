"""Training on Ray workers: the job, a killed worker, a stopped run."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._private import worker

from chaos.nodes import children, kill, title
from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.evaluation.answering import evaluate
from emotion_core.models.bundle import HISTORY, load_bundle
from emotion_core.recipes import RECIPES, load_recipe, with_training
from emotion_core.training import trainer
from emotion_core.training.loop import Training
from emotion_core.training.run import KIND, run_task
from emotion_core.training.snapshot import BEST, EpochRow, Snapshot
from emotion_core.training.task import Task, prepare
from emotion_core.training.trainer import CHECKPOINTS, last_checkpoint, train
from emotion_core.training.workers import Workers
from jobs.train import main
from tests.conftest import start_ray
from tests.support.jobs import run_here, run_job
from tests.support.s3 import S3Server
from tests.support.synthetic_features import SMALL, load_matching_features, rows, write_features

HEARD = with_training(replace(SMALL, video=None), epochs=4)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    given = rows(HEARD, modalities=("audio",))
    return write_features(tmp_path_factory.mktemp("features") / "f", given, HEARD)


# A user's recipe and network, in a file of their own. Worker 1 kills itself, once, as the third
# epoch begins (after six batches of the first two).
OWN = """
import os, signal, time
from pathlib import Path
from dataclasses import replace
import torch
from emotion_core.models.networks.timedist import TimeDistBLSTM
from tests.support.synthetic_features import SMALL
from emotion_core.recipes import with_training

class Mortal(TimeDistBLSTM):
    def __init__(self, audio, video, n_classes, mark="", **options):
        super().__init__(audio, video, n_classes, **options)
        self.mark, self.batches = Path(mark), 0
    def forward(self, batch):
        self.batches += self.training
        second = torch.distributed.is_initialized() and torch.distributed.get_rank() == 1
        if second and self.batches == 13 and not self.mark.exists():
            books = self.mark.parent / "out" / "checkpoints"
            until = time.monotonic() + 120
            while time.monotonic() < until and not any(
                "checkpoint_" in book.read_text()
                for book in books.glob("run-*/checkpoint_manager_snapshot.json")
            ):
                time.sleep(0.05)
            self.mark.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(batch)

RECIPE = with_training(
    replace(SMALL, name="mortal", video=None, network="mortal_recipe:Mortal",
            network_options={"hidden": 12, "fusion": 24, "dropout": 0, "fusion_dropout": 0,
                             "mark": MARK}), epochs=4)
"""


def test_a_killed_worker_costs_no_more_than_the_last_epochs(
    ray_local: None, place: str, tmp_path: Path
) -> None:
    mark = tmp_path / "killed"
    (tmp_path / "mortal_recipe.py").write_text(OWN.replace("MARK", repr(str(mark)), 1))
    recipe = load_recipe(str(tmp_path / "mortal_recipe.py"))
    task = prepare(place, recipe, "elte", seed=0)
    out = str(tmp_path / "out")
    storage.start_output(out, KIND, task.settings)
    shown: list[EpochRow] = []

    outcome = run_task(task, out, Workers(2), shown.append)

    assert mark.exists(), "a worker was killed"
    assert [row.epoch for row in outcome.history] == [0, 1, 2, 3]
    assert [row.epoch for row in shown] == [0, 1, 2, 3], "each epoch is shown once"
    # the first epoch is that of the first start, not done again: the worker dies once Ray has taken
    # note of its checkpoint; whether the second one is depends on that too
    assert outcome.history[0].time < mark.stat().st_mtime < outcome.history[2].time
    assert {row.workers for row in outcome.history} == {2}
    assert storage.exists(storage.join(out, CHECKPOINTS)), "until the run's record is written"
    assert storage.exists(storage.join(out, "tensorboard", "events.out.tfevents.0.training"))
    # and what came of it is what one undisturbed worker gives (there is no dropout here)
    undisturbed = stopped_after(4, task)
    for mine, theirs in zip(outcome.history, undisturbed.history, strict=True):
        assert mine.loss == pytest.approx(theirs.loss, rel=2e-3)
    assert load_bundle(out, trust_code=True).model_id == outcome.model_id


def test_a_training_whose_claim_is_lost_publishes_nothing(
    ray_local: None, place: str, tmp_path: Path
) -> None:
    task = prepare(place, HEARD, "elte", seed=0)
    out = str(tmp_path / "out")
    storage.start_output(out, KIND, task.settings)

    def check() -> None:
        raise StorageError("another job took over")

    with pytest.raises(StorageError, match="another job took over"):
        run_task(task, out, Workers(1), lambda row: pytest.fail("shown"), check=check)
    assert {name for name in os.listdir(out) if name != CHECKPOINTS} == {"settings.json"}


def stopped_after(epochs: int, task: Task) -> Snapshot:
    """The state of a run that got so far."""
    states: list[Snapshot] = []
    Training(task.plan, task.sides["train"], task.sides["validation"]).run(states.append)
    return Snapshot.from_files(states[epochs - 1].to_files())


def put(out: str, run: str, name: str, files: dict[str, bytes]) -> None:
    for file, data in files.items():
        storage.write_bytes(storage.join(out, CHECKPOINTS, run, name, file), data)


def test_a_stopped_run_goes_on_from_its_last_whole_checkpoint(
    ray_local: None, place: str, tmp_path: Path
) -> None:
    task = prepare(place, HEARD, "elte", seed=0)
    out = str(tmp_path / "out")
    storage.start_output(out, KIND, task.settings)
    first, second, third = (stopped_after(n, task) for n in (1, 2, 3))
    put(out, "run-0000", "checkpoint_a", first.to_files())
    put(out, "run-0000", "checkpoint_b", second.to_files())
    half = third.to_files()
    put(out, "run-0000", "checkpoint_c", {**half, BEST: half[BEST][:100]})  # killed while writing
    found = last_checkpoint(out)
    assert found is not None and found.history == second.history

    shown: list[EpochRow] = []
    outcome = run_task(task, out, Workers(1), shown.append)

    assert shown[:2] == list(second.history), "the earlier epochs are shown as they were"
    assert outcome.history[:2] == second.history
    assert [row.epoch for row in outcome.history] == [0, 1, 2, 3]
    assert outcome.history[2].loss == pytest.approx(third.history[2].loss, rel=1e-4)

    # cut before its record was written, it only writes
    assert storage.exists(storage.join(out, CHECKPOINTS))
    main(features=place, out=out, recipe="tests.training.test_ray:HEARD", split="elte", seed=0)
    again = storage.read_json(storage.join(out, HISTORY))
    assert [row["time"] for row in again] == [row.time for row in outcome.history]
    assert storage.exists(storage.join(out, "run.json"))
    assert not storage.exists(storage.join(out, CHECKPOINTS))


def test_without_what_leads_the_workers_it_ends_with_one_line(
    ray_local: None, place: str, tmp_path: Path
) -> None:
    """As when a cluster's head is gone: the same command goes on from the last checkpoint."""
    task = prepare(place, with_training(HEARD, epochs=500), "elte", seed=0)
    out = str(tmp_path / "out")
    storage.start_output(out, KIND, task.settings)
    node: Any = worker._global_node
    (raylet,) = node.all_processes["raylet"]

    def kill_leader(row: EpochRow) -> None:
        for pid in children(raylet.process.pid):
            if "ray::TrainController" in title(pid):
                kill(pid)

    try:
        with pytest.raises(StorageError, match=r"^[^\n]*out: Ray lost workers[^\n]*$"):
            run_task(task, out, Workers(1), kill_leader)
    finally:  # nobody frees the place of its worker: another training would wait for it for ever
        ray.shutdown()
        start_ray(cpus=2)


def test_a_run_that_was_stopped_before_its_bundle(place: str, tmp_path: Path) -> None:
    """All epochs are done: no worker is started (Ray is not even there)."""
    task = prepare(place, HEARD, "elte", seed=0)
    out = str(tmp_path / "out")
    put(out, "run-0000", "checkpoint_a", stopped_after(4, task).to_files())
    outcome = run_task(task, out, Workers(1), lambda _: None)
    assert len(outcome.history) == 4
    assert load_bundle(out).info.modalities == ("audio",)


@pytest.mark.parametrize("cluster", [False, True])
def test_a_training_starts_no_actor_that_has_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, cluster: bool
) -> None:
    monkeypatch.setattr(trainer, "joined", lambda: cluster)
    made = trainer._Trainer(lambda: None)._create_default_callbacks()
    kinds = {type(each).__name__ for each in made}
    assert "BackendSetupCallback" in kinds and "DatasetsCallback" not in kinds
    assert ("PlacementGroupCleanerCallback" in kinds) == cluster


def test_too_few_clips_for_the_workers(place: str, tmp_path: Path) -> None:
    task = prepare(place, HEARD, "elte", seed=0)
    few = task.sides["train"].select(task.sides["train"].labels == 3)
    with pytest.raises(UsageError, match="17 training clips cannot be shared by 18"):
        train(task.plan, few, few, str(tmp_path), Workers(18), lambda _: None)


# --- the job -------------------------------------------------------------------------------------


def test_the_job(place: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from tests.support.synthetic_features import SMALL\n"
        "RECIPE = replace(SMALL, name='mine', video=None, split='elte')\n"
    )
    out = tmp_path / "model"
    arguments = ["--recipe", tmp_path / "mine.py", "--features", place, "--num-workers", 2,
                 "--epochs", 3, "--lr", 0.02, "--option", "hidden=10", "--out", out]  # fmt: skip
    done = run_job("train", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    said = " ".join(done.stdout.split())
    for words in ("136", "next: python jobs/evaluate.py", "2 worker(s) on CPU", "valid. loss"):
        assert words in said
    heard = prepare(place, replace(HEARD, name="mine"), "elte", 0).sides["train"].audio
    assert heard is not None
    mean, longest = heard.lengths.mean(), heard.lengths.max()
    assert f"sound: {mean:.1f} frames on average in training, {longest} in the longest clip" in said
    assert f"a clip is padded to {longest}" in said
    record = json.loads((out / "run.json").read_text())
    assert record["counts"] == {
        "inputs": 192, "ok": 192, "degraded": 0, "failed": 0,
        "train_clips": 136, "validation_clips": 40, "test_clips": 16,
    }  # fmt: skip
    assert all((out / name).exists() for name in record["files"])
    history = json.loads((out / "history.json").read_text())
    assert [row["epoch"] for row in history] == [0, 1, 2]
    assert history[-1]["workers"] == 2
    model = load_bundle(str(out))
    assert model.recipe.training.epochs == 3 and model.recipe.training.lr == 0.02
    assert model.recipe.network_options == {**SMALL.network_options, "hidden": 10}
    assert model.info.modalities == ("audio",) and len(model.info.speakers) == 22
    assert (out / "samples.png").stat().st_size > 5000
    # what the network learned is in the bundle
    metrics = json.loads((out / "metrics.json").read_text())
    found = load_matching_features(model, place)
    sides = prepare(place, model.recipe, "elte", 0).sides
    assert evaluate(model, sides["validation"]).figures.uar == pytest.approx(metrics["uar"])
    assert evaluate(model, found).figures.n == 192

    again = run_here("train", *arguments)
    assert again.returncode == 0 and "finished already" in again.stdout
    other = run_here("train", *arguments, "--seed", 5)
    assert other.returncode == 2 and "seed 0" in other.stderr and "--overwrite" in other.stderr


def test_model_and_checkpoints_in_a_bucket(s3_env: S3Server, place: str) -> None:
    folder = s3_env.bucket("models")
    arguments = ["--recipe", "tests.training.test_ray:HEARD", "--features", place,
                 "--out", "s3://models/one", "--epochs", 1]  # fmt: skip
    done = run_job("train", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert load_bundle("s3://models/one").recipe.training.epochs == 1
    kept = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert kept == ["README.md", "confusion_validation.png", "events.out.tfevents.0.training",
                    "history.json", "learning.png", "metrics.json", "model.safetensors",
                    "recipe.json", "run.json", "samples.png", "settings.json"]  # fmt: skip
    again = run_here("train", *arguments)
    assert again.returncode == 0 and "finished already" in again.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"recipe": "blstm"}, "no recipe 'blstm': choose one of"),
        ({"recipe": "timedist-blstm"}, "audio n_mfcc=6, this recipe needs 24"),
        ({"recipe": "tests.training.test_ray:HEARD", "split": "thirds"}, "no split 'thirds'"),
        ({"recipe": "tests.training.test_ray:HEARD", "lr": 0.0}, "--lr 0.0: a number above 0"),
        ({"features": None}, "--features and --out are needed"),
    ],
)
def test_wrong_usage(place: str, tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        main(**{"features": place, "out": str(tmp_path / "m"), **arguments})
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["hidden"], "--option hidden: write KEY=VALUE"),
        (["hiden=12"], "does not take its options: .*hiden"),
        (["dropout=1.5"], "does not take its options: dropout probability"),
        (['training.phases=["audio"]'], "phases audio: .* is trained as a whole"),
    ],
)
def test_wrong_options(place: str, tmp_path: Path, options: list[str], words: str) -> None:
    recipe = "tests.training.test_ray:HEARD"
    with pytest.raises(UsageError, match=words):
        main(features=place, out=str(tmp_path / "m"), recipe=recipe, option=options)
    assert not (tmp_path / "m").exists()


def test_the_recipes_are_listed() -> None:
    done = run_here("train", "--list-recipes", COLUMNS="250")
    assert done.returncode == 0
    header, *blocks = re.split("[┡├]", done.stdout)
    assert all(word in header for word in ("source", "labels", "protocol", "published"))
    assert len(blocks) == len(RECIPES)
    for block, (name, recipe) in zip(blocks, RECIPES.items(), strict=True):
        words = (f" {name} ", recipe.source, recipe.label_set, recipe.split)
        assert all(word in block for word in (*words, recipe.published or "no figure"))
