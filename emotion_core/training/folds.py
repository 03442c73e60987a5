"""Every fold of a protocol: trainings of their own, several at once, and what they come to."""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emotion_core import storage
from emotion_core.corpora.splits import assign_split
from emotion_core.errors import StorageError, UsageError
from emotion_core.evaluation.folds import FOLDS
from emotion_core.evaluation.metrics import SHARES, STD_OF, mean_and_std
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes import recipe_to_json
from emotion_core.recipes.specs import Recipe
from emotion_core.training.plan import times_drawn
from emotion_core.training.refit import require_refit
from emotion_core.training.run import KIND, finished, run_record, run_task, status_counts, tidy
from emotion_core.training.snapshot import EpochRow
from emotion_core.training.start import Start
from emotion_core.training.task import Task, divide
from emotion_core.training.teacher import Teacher
from emotion_core.training.validation import collapsed
from emotion_core.training.workers import Workers

# called with the fold and one of its epochs; with the fold and a line about it
ShowEpoch = Callable[[str, EpochRow], None]
Say = Callable[[str, str], None]

_LOOK_S = 0.5


@dataclass(frozen=True)
class Folds:
    """The trainings of all folds, on features that are read once.

    Attributes:
        features: all clips.
        recipe: of every fold.
        split: the protocol, as ``--split`` takes it (``luna5:all``).
        seed: of every training.
        assigned: fold (``luna5:0``) -> the side of each clip, str (clips,).
        refit: see ``Task``.
        teacher: whose answers are learned beside the labels.
        start: the model whose weights every fold begins with.
    """

    features: FeatureSet
    recipe: Recipe
    split: str
    seed: int
    assigned: Mapping[str, np.ndarray]
    refit: bool = False
    teacher: Teacher | None = None
    start: Start | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The folds, in order."""
        return tuple(self.assigned)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result: equal settings go on with the same folds."""
        return {
            "recipe": recipe_to_json(self.recipe),
            "features": self.features.fingerprint,
            "split": self.split,
            "seed": self.seed,
            **({"refit": True} if self.refit else {}),
            **({"teacher": self.teacher.settings} if self.teacher else {}),
            **({"start": self.start.model_id} if self.start else {}),
        }

    def task(self, name: str) -> Task:
        """The training of one fold."""
        sides = self.assigned[name]
        return divide(
            self.features, self.recipe, name, self.seed, sides, self.refit, self.teacher,
            start=self.start,
        )  # fmt: skip


def prepare_folds(
    features: FeatureSet,
    recipe: Recipe,
    split: str,
    names: Sequence[str],
    seed: int,
    refit: bool = False,
    teacher: Teacher | None = None,
    start: Start | None = None,
) -> Folds:
    """All folds, each of them checked against the clips before the first one trains.

    Args:
        features: all clips.
        recipe: what to train.
        split: the protocol.
        names: its folds (``corpora.splits.expand``).
        seed: of every training.
        refit: see ``Task``.
        teacher, start: see ``Folds``.

    Raises:
        UsageError: a side of a fold is without clips, or none of its training clips is of a corpus
            that has a share, there is nothing to refit, or the teacher has other folds, or the
            model begun with knows a test side.
    """
    if refit:
        require_refit(recipe, features)  # each fold has a validation side, or is refused below
    assigned = {name: assign_split(name, features.clips, seed) for name in names}
    if shares := recipe.training.corpus_shares:
        for sides in assigned.values():
            # a teacher brings clips that the protocol says nothing of
            learned = (sides == "train") | ((sides == "") & (teacher is not None))
            times_drawn(features.select(learned).clips, shares)
    if teacher is not None:
        for name in names:
            teacher.fold(name)
    if start is not None:
        for sides in assigned.values():
            start.check(features.select(sides == "test"))
    return Folds(features, recipe, split, seed, assigned, refit, teacher, start)


def folder_of(fold: str) -> str:
    """The folder of a fold's bundle: ``luna5:0`` -> ``luna5-0``."""
    return "".join(sign if sign.isalnum() or sign in "._-" else "-" for sign in fold)


def run_folds(
    folds: Folds,
    out: str,
    workers: Workers,
    at_once: int,
    show: ShowEpoch,
    say: Say,
    arguments: Mapping[str, Any],
    check: storage.Check = storage.unclaimed,
) -> dict[str, Any]:
    """Train every fold that is not finished, each to a bundle of its own under ``out``.

    A thread of this process drives each training that runs: Ray Train does the work in workers of
    its own, and this process writes the bundles, as it does for a single training.

    Args:
        folds: what to train.
        out: URI of the folder of folders; it is held. So is each fold's own, while it trains.
        workers: of each fold.
        at_once: how many folds train at the same time.
        show, say: called from any thread, one at a time.
        arguments: of the job, for the folds' run records.
        check: of the claim on ``out``.

    Returns:
        What ``folds.json`` holds, which is written when all are done.

    Raises:
        UsageError, StorageError, RuntimeError: a fold failed. No other is begun then, those under
            way are ended; a repeated call goes on with what is left.
    """
    lock = threading.Lock()

    def one(name: str) -> None:
        place = storage.join(out, folder_of(name))
        task = folds.task(name)
        # the claim on ``out`` has told already what the store can do
        with storage.hold_output(place, KIND, task.settings, say=lambda words: None) as claim:

            def both() -> None:
                check()
                claim.check()

            if finished(place, folds.recipe) is not None:
                tidy(place)
                with lock:
                    say(name, "finished already")
                return
            clock = storage.Clock()
            outcome = run_task(task, place, workers, lambda row: show(name, row), lock, both)
            told = {**arguments, "split": name, "out": place}
            both()
            storage.write_run_record(place, run_record(task, outcome, told, clock))
            tidy(place)
            with lock:
                say(name, f"finished, the weights are those of epoch {outcome.best.epoch + 1}")
                best, classes = outcome.best, len(folds.features.label_set.labels)
                for line in collapsed(best.audio_uar, best.face_uar, classes):
                    say(name, f"warning: {line}")

    in_threads(folds.names, at_once, one)
    check()
    summary = summarise(folds, out)
    storage.write_json(storage.join(out, FOLDS), summary)
    return summary


def in_threads(names: Sequence[str], at_once: int, work: Callable[[str], None]) -> None:
    """Call ``work`` with every name, ``at_once`` at the same time, in order.

    Raises:
        UsageError, StorageError: as the first ``work`` that failed.
        RuntimeError: from the first error; no further name is begun.
    """
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for name in names:
        waiting.put(name)
    failed: list[tuple[str, BaseException]] = []

    def take() -> None:
        while not failed:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                work(name)
            except BaseException as error:  # handed to the caller's thread
                failed.append((name, error))

    # daemons: a person who stops the command need not wait for trainings to end
    threads = [threading.Thread(target=take, name=f"fold-{n}", daemon=True) for n in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            # not for ever: Ctrl-C may reach another thread first, and is only seen between waits
            thread.join(timeout=_LOOK_S)
    if failed:
        name, error = failed[0]
        if isinstance(error, UsageError):
            raise UsageError(f"fold {name}: {error}") from error
        if isinstance(error, StorageError):
            raise StorageError(f"fold {name}: {error}") from error
        raise RuntimeError(f"the training of fold {name} failed") from error


def summarise(folds: Folds, out: str) -> dict[str, Any]:
    """What the folds' bundles say: ``folds.json``.

    ``mean`` and ``std`` are of the validation figures; ``std_of`` says which deviation it is. Both
    are null where a fold has no validation side.
    """
    rows = []
    for name in folds.names:
        folder = folder_of(name)
        metrics = storage.read_json(storage.join(out, folder, "metrics.json"))
        known = {key: metrics[key] for key in ("n", *SHARES) if key in metrics}
        rows.append(
            {
                "split": name,
                "folder": folder,
                "model_id": metrics["model_id"],
                "validation": known or None,
                **{key: metrics["training"][key] for key in ("epochs", "best_epoch", "seconds")},
            }
        )
    measured = [row["validation"] for row in rows]
    mean, std = mean_and_std(measured) if all(measured) else (None, None)
    return {
        "split": folds.split,
        "recipe": folds.recipe.name,
        "seed": folds.seed,
        "folds": rows,
        "mean": mean,
        "std": std,
        "std_of": STD_OF,
    }


def folds_record(
    folds: Folds, summary: Mapping[str, Any], arguments: Mapping[str, Any], clock: storage.Clock
) -> storage.RunRecord:
    """What ``run.json`` beside ``folds.json`` says; it makes all folds a finished whole."""
    left_out = folds.features.left_out
    return storage.RunRecord(
        job="train",
        arguments=arguments,
        counts={
            **status_counts(len(folds.features), left_out),
            "folds": len(summary["folds"]),
        },
        seconds=clock.seconds,
        started=clock.started,
        files=(FOLDS, *(f"{fold['folder']}/run.json" for fold in summary["folds"])),
        extra={
            "model_id": {fold["split"]: fold["model_id"] for fold in summary["folds"]},
            "left_out": left_out,
        },
    )
