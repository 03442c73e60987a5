"""From features to a model bundle: what ``jobs/train.py`` does, as one call."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from emotion_core import storage
from emotion_core.evaluation.answering import evaluate
from emotion_core.evaluation.metrics import Figures
from emotion_core.evaluation.plots import confusion_png, learning_png
from emotion_core.models.bundle import Bundle, BundleInfo, load_bundle, save_bundle
from emotion_core.models.networks import build_network
from emotion_core.models.temperature import fit_temperature
from emotion_core.recipes.specs import Recipe
from emotion_core.training.card import model_card
from emotion_core.training.events import NAME, event_file
from emotion_core.training.refit import FOLDER as REFIT
from emotion_core.training.refit import refit, renumbered
from emotion_core.training.samples import draw_samples, samples_png
from emotion_core.training.snapshot import EpochRow, Snapshot
from emotion_core.training.start import require_pretrained
from emotion_core.training.task import Task, padded_length
from emotion_core.training.trainer import remove_checkpoints, train
from emotion_core.training.workers import Workers

KIND = "a model"
LEARNING, CONFUSION, SAMPLES = "learning.png", "confusion_validation.png", "samples.png"
TENSORBOARD = "tensorboard"


def finished(out: str, recipe: Recipe) -> Bundle | None:
    """The bundle that an earlier run of ``recipe`` left at ``out``, None when it did not end."""
    if not storage.exists(storage.join(out, "run.json")):
        return None
    return load_bundle(out, own_network=recipe.network)


@dataclass(frozen=True)
class Outcome:
    """What a training came to.

    Attributes:
        model_id: of the bundle.
        history: the epochs.
        best: the epoch whose weights the bundle holds; with a refit, the one that was chosen.
        validation: figures on the validation side, None without one.
        parameters: number of weights.
        files: what was written, relative to ``out``.
    """

    model_id: str
    history: tuple[EpochRow, ...]
    best: EpochRow
    validation: Figures | None
    parameters: int
    files: tuple[str, ...]


def run_task(
    task: Task,
    out: str,
    workers: Workers,
    show: Callable[[EpochRow], None],
    one_at_a_time: AbstractContextManager[object] | None = None,
    check: storage.Check = storage.unclaimed,
) -> Outcome:
    """Train and write the bundle to ``out``; goes on from a stopped run's last checkpoint.

    The checkpoints stay, for whoever is cut before the run's record is written (``tidy``).

    ``out`` is held (``storage.hold_output``). While it runs, the history so far and the
    TensorBoard events are there after every epoch.

    Args:
        task: what to train, on what.
        out: URI of the bundle's folder.
        workers: how to spread the work.
        show: called with every epoch.
        one_at_a_time: a lock, for trainings in several threads of one process: held while files are
            written and while ``show`` runs, for neither pictures nor warnings are made for threads.
        check: the claim's. A claim that was lost shows at the next epoch; what Ray's workers have
            begun they end, in a folder of this start alone, and it is not published.

    Raises:
        UsageError: it would begin with the layers of an encoder that cannot be had.
        StorageError: it cannot be written, or another job writes there now.
    """
    if not task.plan.start:
        require_pretrained(task.plan.recipe)
    history: list[EpochRow] = []
    writing = one_at_a_time or nullcontext()

    def watch(row: EpochRow) -> None:
        history.append(row)
        with writing:
            check()
            storage.write_bytes(storage.join(out, TENSORBOARD, NAME), event_file(history))
            show(row)

    sides = task.sides
    state = train(task.plan, sides["train"], sides["validation"], out, workers, watch)
    check()
    again = None
    if task.refit:
        learned = sides["train"].with_clips_of(sides["validation"])
        task = replace(
            task, plan=replace(task.plan, frames=padded_length(learned, task.plan.recipe))
        )
        again = refit(task.plan, state, learned, out, workers, watch)
        check()
    with writing:
        return _write(task, out, state, again)


def tidy(out: str) -> None:
    """Drop what only an unfinished training goes on from; it is finished with its run's record."""
    remove_checkpoints(out)
    storage.remove(storage.join(out, REFIT))


def run_record(
    task: Task, outcome: Outcome, arguments: Mapping[str, Any], clock: storage.Clock
) -> storage.RunRecord:
    """What ``run.json`` of a bundle says; it makes the bundle a finished one."""
    used = sum(len(side) for side in task.sides.values())
    return storage.RunRecord(
        job="train",
        arguments=arguments,
        counts={
            **status_counts(used, task.left_out),
            **{f"{name}_clips": len(side) for name, side in task.sides.items()},
        },
        seconds=clock.seconds,
        started=clock.started,
        files=outcome.files,
        extra={"model_id": outcome.model_id, "left_out": task.left_out},
    )


def status_counts(used: int, left_out: Mapping[str, int]) -> dict[str, int]:
    """Clips by status: those trained on, and those left out (``FeatureSet.left_out``)."""
    failed = left_out["failed"]
    ok = used + sum(left_out.values()) - failed
    return {"inputs": ok + failed, "ok": ok, "degraded": 0, "failed": failed}


def _write(task: Task, out: str, state: Snapshot, again: Snapshot | None) -> Outcome:
    info = _info(task)
    network = build_network(info.recipe, download=False)
    network.load_state_dict(state.best)
    parameters = sum(weight.numel() for weight in network.parameters())
    validation = None
    if len(task.sides["validation"]):
        device = "cuda" if torch.cuda.is_available() else "cpu"
        bundle = Bundle(info, "", network.eval().to(device), device)
        answered = evaluate(bundle, task.sides["validation"])
        validation = answered.figures
        # of the network that did not learn from these clips, also where another one is kept
        info = replace(info, temperature=fit_temperature(answered.probabilities, answered.labels))
    elif task.measured is not None:
        info = replace(info, temperature=task.measured.temperature)
    refitted = () if again is None else renumbered(again.history, len(state.history))
    history = (*state.history, *refitted)
    rows = [asdict(row) for row in history]
    training = {
        "epochs": len(state.history),
        "best_epoch": state.best_row.epoch + 1,
        "refit_epochs": len(refitted),
        "seconds": round(sum(row.seconds for row in history), 1),
        "workers": max(row.workers for row in state.history),
        "phases": list(dict.fromkeys(row.phase for row in state.history if row.phase)),
        **_from_others(task),
    }
    title = f"{info.recipe.name}, {task.split}"
    shown = draw_samples(task.sides["train"], task.plan.seed)
    pictures = {
        LEARNING: learning_png(rows, title),
        SAMPLES: samples_png(shown, info.recipe.audio),
    }
    if validation is not None:
        pictures[CONFUSION] = confusion_png(validation, f"{title}: validation side")
    metrics = {
        "side": "validation",
        **(validation.to_json() if validation else {}),
        "training": training,
        "folds": task.measured.to_json() if task.measured else None,
        "temperature": info.temperature,
        "parameters": parameters,
        "clips": {name: len(side) for name, side in task.sides.items()},
        "left_out": task.left_out,
    }
    card = model_card(info, validation, training, parameters, task.measured)
    weights = state.best if again is None else again.best
    model_id = save_bundle(out, info, weights, metrics, rows, card, pictures)
    storage.write_bytes(storage.join(out, TENSORBOARD, NAME), event_file(history))
    files = ("model.safetensors", "recipe.json", "metrics.json", "history.json", "README.md",
             *pictures, f"{TENSORBOARD}/{NAME}")  # fmt: skip
    return Outcome(model_id, state.history, state.best_row, validation, parameters, files)


def _from_others(task: Task) -> dict[str, str]:
    """Whose answers and whose weights went in, for the card."""
    by, start = task.taught_by, task.start
    return {
        **({"taught_by": f"{by.recipe}, model {by.model_id}"} if by else {}),
        **({"begun_with": f"model {start.model_id}"} if start else {}),
    }


def _info(task: Task) -> BundleInfo:
    learned = [task.sides["train"], task.sides["validation"]]
    corpora = [name or "unknown" for side in learned for name in side.clips["corpus"].to_pylist()]
    names, counts = np.unique(corpora, return_counts=True)
    return BundleInfo(
        recipe=task.plan.recipe,
        label_set=task.sides["train"].label_set,
        features=task.sides["train"].settings,
        audio_frames=task.plan.frames,
        modalities=task.sides["train"].modalities,
        split=task.split,
        seed=task.plan.seed,
        speakers=task.speakers,
        clips={str(name): int(count) for name, count in zip(names, counts, strict=True)},
    )
