"""All folds of a protocol: several trainings at once, resumed, and their mean and deviation."""

import json
import os
import signal
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from emotion_core import storage
from emotion_core.corpora.splits import expand
from emotion_core.errors import UsageError
from emotion_core.evaluation.folds import FOLDS, find_folds
from emotion_core.models.bundle import load_bundle
from emotion_core.models.dataset import load_features
from emotion_core.models.networks import Batch
from emotion_core.models.networks.timedist import TimeDistBLSTM
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.folds import (
    Folds,
    folder_of,
    in_threads,
    prepare_folds,
    run_folds,
)
from emotion_core.training.show import folds_outcome_table, folds_remarks, folds_sides_table
from emotion_core.training.snapshot import EpochRow
from emotion_core.training.task import divide
from emotion_core.training.workers import Workers
from jobs.evaluate import main as evaluate
from jobs.train import main as train
from tests.support.jobs import command, environment, run_here
from tests.support.synthetic_features import SMALL, rows, write_features

HEARD = with_training(replace(SMALL, name="heard", video=None), epochs=3)
THREE = ("01", "02", "03")
NAMES = ["loso:ravdess/01", "loso:ravdess/02", "loso:ravdess/03"]


class Meeting(TimeDistBLSTM):
    """Goes on when a second process trains one like it: alone it waits in vain."""

    def __init__(self, audio: Any, video: Any, n_classes: int, meet: str = "", **options: Any):
        super().__init__(audio, video, n_classes, **options)
        self.meet = Path(meet)

    def forward(self, batch: Batch) -> torch.Tensor:
        (self.meet / str(os.getpid())).touch()
        given_up = time.monotonic() + 240
        while self.training and len(list(self.meet.iterdir())) < 2:
            assert time.monotonic() < given_up, "no other fold trains"
            time.sleep(0.05)
        return super().forward(batch)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three speakers: ``loso:all`` has three folds."""
    given = rows(HEARD, modalities=("audio",), speakers=THREE)
    return write_features(tmp_path_factory.mktemp("features") / "f", given, HEARD)


def loso(place: str, recipe: Recipe = HEARD) -> Folds:
    found = load_features(place, recipe)
    return prepare_folds(found, recipe, "loso:all", expand("loso:all", found.clips), seed=0)


def test_folders_are_names_of_files() -> None:
    assert folder_of("luna5:0") == "luna5-0"
    assert folder_of("loso:ravdess/05") == "loso-ravdess-05"
    assert folder_of("luna5:1+savee4:0") == "luna5-1-savee4-0"


def test_every_name_once_and_no_more_than_so_many_at_a_time() -> None:
    lock, met = threading.Lock(), threading.Barrier(2, timeout=60)
    begun: list[str] = []
    running, most = 0, 0

    def work(name: str) -> None:
        nonlocal running, most
        with lock:
            begun.append(name)
            running += 1
            most = max(most, running)
        met.wait()  # ends only if there are two at a time
        with lock:
            running -= 1

    in_threads(["a", "b", "c", "d"], 2, work)
    assert sorted(begun) == ["a", "b", "c", "d"] and most == 2


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (UsageError("no room"), UsageError, "fold b: no room"),
        (OSError("disk"), RuntimeError, "the training of fold b failed"),
    ],
)
def test_after_a_failure_no_other_is_begun(
    error: Exception, kind: type[Exception], words: str
) -> None:
    begun = []

    def work(name: str) -> None:
        begun.append(name)
        if name == "b":
            raise error

    with pytest.raises(kind, match=words) as caught:
        in_threads(["a", "b", "c"], 1, work)
    assert begun == ["a", "b"] and caught.value.__cause__ is error


def test_all_folds_are_checked_before_one_trains(place: str) -> None:
    found = load_features(place, HEARD)
    with pytest.raises(UsageError, match="luna5:1: no clip on the validation side"):
        prepare_folds(found, HEARD, "luna5:all", expand("luna5:all"), seed=0)
    shares = with_training(HEARD, corpus_shares={"savee": 0.5})
    with pytest.raises(UsageError, match="no training clip is of savee, they are of ravdess"):
        loso(place, shares)


def test_clips_that_a_teacher_brings_count_in_the_shares(tmp_path: Path) -> None:
    """They are of no side of the protocol, but learned from."""
    given = rows(HEARD, modalities=("audio",))
    brought = [{**row, "corpus": "other", "clip_id": f"o-{row['clip_id']}"} for row in given[:40]]
    found = load_features(write_features(tmp_path / "f", [*given, *brought], HEARD), HEARD)
    recipe = with_training(HEARD, corpus_shares={"ravdess": 0.8})
    teacher: Any = SimpleNamespace(fold=lambda name: None)
    names = expand("emobox6:all")
    prepare_folds(found, recipe, "emobox6:all", names, seed=0, teacher=teacher)
    with pytest.raises(UsageError, match="ravdess 0.8: they must add up to 1, nothing else"):
        prepare_folds(found, recipe, "emobox6:all", names, seed=0)
    only = with_training(HEARD, corpus_shares={"ravdess": 1.0})
    with pytest.raises(UsageError, match="ravdess 1: they must .* leave some for other"):
        prepare_folds(found, only, "emobox6:all", names, seed=0, teacher=teacher)


def test_a_refit_learns_from_validation_clips_whose_corpus_has_no_share(tmp_path: Path) -> None:
    given = rows(HEARD, modalities=("audio",), speakers=THREE)
    for row in given:
        row["corpus"] = "other" if row["speaker"] == "02" else "ravdess"
    found = load_features(write_features(tmp_path / "f", given, HEARD), HEARD)
    side_of = {"01": "train", "02": "validation", "03": "test"}
    sides = np.array([side_of[name] for name in found.clips["speaker"].to_pylist()])
    recipe = with_training(HEARD, corpus_shares={"ravdess": 1.0})
    divide(found, recipe, "loso:03", 0, sides)
    with pytest.raises(UsageError, match="must add up to 1, and leave some for other"):
        divide(found, recipe, "loso:03", 0, sides, refit=True)


def text_of(table: Any) -> str:
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_what_is_shown_of_folds(place: str) -> None:
    folds = loso(place)
    line = next(
        row for row in text_of(folds_sides_table(folds)).splitlines() if "ravdess/02" in row
    )
    assert line.count("8 (1)") == 3, "clips (speakers) of each side"
    assert not any("warning" in remark for remark in folds_remarks(folds))
    found = load_features(place, HEARD)
    drawn = prepare_folds(found, HEARD, "random", ["random"], seed=0)
    assert any("3 speakers both train" in remark for remark in folds_remarks(drawn))


def test_all_folds_train_at_the_same_time(ray_local: None, place: str, tmp_path: Path) -> None:
    out, met = str(tmp_path / "out"), tmp_path / "met"
    met.mkdir()
    options = {**HEARD.network_options, "meet": str(met)}
    folds = loso(
        place, replace(HEARD, network="tests.training.test_folds:Meeting", network_options=options)
    )
    shown: list[tuple[str, EpochRow]] = []
    said: list[tuple[str, str]] = []

    def run() -> dict[str, Any]:
        return run_folds(folds, out, Workers(1), 2, lambda *row: shown.append(row),
                         lambda *words: said.append(words), {"seed": 0})  # fmt: skip

    summary = run()

    assert [fold["split"] for fold in summary["folds"]] == NAMES
    assert sorted((name, row.epoch) for name, row in shown) == [
        (name, epoch) for name in NAMES for epoch in range(3)
    ]
    assert all(row.workers == 1 for _, row in shown) and len(list(met.iterdir())) >= 3
    # each is an ordinary bundle of its own fold
    for fold in summary["folds"]:
        folder = Path(out, fold["folder"])
        bundle = load_bundle(str(folder), trust_code=True)
        assert bundle.info.split == fold["split"] and bundle.model_id == fold["model_id"]
        tested = folds.features.select(folds.assigned[fold["split"]] == "test").speakers
        assert not set(tested) & set(bundle.info.speakers) and len(tested) == 1
        record = json.loads((folder / "run.json").read_text())
        assert record["arguments"] == {"seed": 0, "split": fold["split"], "out": str(folder)}
        assert record["counts"]["inputs"] == 24
        metrics = json.loads((folder / "metrics.json").read_text())
        assert fold["validation"]["uar"] == metrics["uar"]
        assert (folder / "samples.png").exists()
    for figure in ("war", "uar", "macro_f1"):
        values = [fold["validation"][figure] for fold in summary["folds"]]
        assert summary["mean"][figure] == pytest.approx(np.mean(values))
        assert summary["std"][figure] == pytest.approx(np.std(values, ddof=1))
    assert json.loads(Path(out, FOLDS).read_text()) == storage.writing.plain(summary)
    shows = text_of(folds_outcome_table(summary))
    assert f"{summary['mean']['uar']:.1%}" in shows and f"{summary['std']['uar']:.1%}" in shows
    split, found = find_folds([out])
    assert split == "loso:all" and [fold.name for fold in found] == NAMES

    # once more: nothing is trained
    shown.clear(), said.clear()
    assert run() == summary
    assert not shown and [words for _, words in said] == ["finished already"] * 3


@pytest.mark.slow
def test_a_killed_job_goes_on_with_its_folds(ray_local: None, place: str, tmp_path: Path) -> None:
    out, evaluation = tmp_path / "out", str(tmp_path / "e")
    arguments = ["--recipe", "tests.training.test_folds:HEARD", "--features", place, "--out", out,
                 "--split", "loso:all", "--epochs", 25, "--patience", 25]  # fmt: skip
    running = subprocess.Popen(command("train", *arguments), env=environment(), text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    assert running.stdout is not None
    seen = []
    for line in running.stdout:
        seen.append(line)
        if line.startswith("loso:ravdess/") and line.split()[1] == "6":
            running.send_signal(signal.SIGKILL)
            break
    running.stdout.close()
    assert running.wait() == -signal.SIGKILL, "".join(seen)
    killed, stopped = time.time(), line.split()[0]
    assert not (out / FOLDS).exists() and not (out / folder_of(stopped) / "recipe.json").exists()
    with pytest.raises(UsageError, match="not all trained: repeat the command"):
        evaluate([str(out)], [place], evaluation)

    done = run_here("train", *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 fold(s) at a time, 1 worker(s) on CPU each" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(stopped)]
    assert [words[1] for words in lines[:25]] == [str(epoch) for epoch in range(1, 26)]
    history = json.loads((out / folder_of(stopped) / "history.json").read_text())
    assert [row["epoch"] for row in history] == list(range(25))
    before = [row for row in history if row["time"] < killed]
    assert len(before) >= 4, "the epochs that were done are not done again"
    record = json.loads((out / "run.json").read_text())
    assert record["counts"]["folds"] == 3 and record["counts"]["inputs"] == 24
    assert all((out / name).exists() for name in record["files"])

    # finished: nothing is done, Ray is not even started
    written = (out / FOLDS).stat().st_mtime_ns
    again: dict[str, Any] = {"recipe": "tests.training.test_folds:HEARD", "split": "loso:all"}
    assert train(features=place, out=str(out), epochs=25, patience=25, **again) == 0
    assert (out / FOLDS).stat().st_mtime_ns == written
    with pytest.raises(UsageError, match="holds the folds of a model made with other settings"):
        train(features=place, out=str(out), **again)
    with pytest.raises(UsageError, match="holds the folds of a model, not a model"):
        train(features=place, out=str(out), recipe=again["recipe"], split=NAMES[0])

    assert evaluate([str(out)], [place], evaluation) == 0
    metrics = json.loads(Path(evaluation, "metrics.json").read_text())
    assert [(fold["split"], fold["n"]) for fold in metrics["folds"]] == [(n, 8) for n in NAMES]
    assert metrics["speakers"] == ["ravdess/01", "ravdess/02", "ravdess/03"]
