"""A second training on training and validation speakers together, as long as the first one chose.

Validation speakers choose the epoch; then there is no need to leave them out. The test side has no
part in either.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes import with_training
from emotion_core.recipes.specs import Recipe
from emotion_core.training.plan import TrainPlan
from emotion_core.training.snapshot import EpochRow, Snapshot
from emotion_core.training.trainer import train
from emotion_core.training.workers import Workers

FOLDER = "refit"


def require_refit(recipe: Recipe, validation: FeatureSet) -> None:
    """Check that there is something to refit.

    Raises:
        UsageError: no validation side, or a recipe of phases.
    """
    if recipe.training.phases:
        raise UsageError(
            f"--refit: recipe {recipe.name!r} is trained in phases, each with a length of its own: "
            "train it without"
        )
    if not len(validation):
        raise UsageError("--refit: without a validation side nobody chooses a number of epochs")


def refit(
    plan: TrainPlan,
    chosen: Snapshot,
    learned: FeatureSet,
    out: str,
    workers: Workers,
    watch: Callable[[EpochRow], None],
) -> Snapshot:
    """Train anew for as many epochs as were best, the learning rate falling over these.

    Args:
        plan: of the first training, with the length of sound that fits ``learned``.
        chosen: where the first training ended.
        learned: clips of both sides.
        out: URI of the run; checkpoints go to a folder of their own in it.
        workers: how to spread the work.
        watch: called with every epoch, numbered on from those of the first training.
    """
    recipe = with_training(plan.recipe, epochs=chosen.best_row.epoch + 1)
    nobody = learned.select(np.zeros(len(learned), bool))
    before = len(chosen.history)

    def follow(row: EpochRow) -> None:
        (numbered,) = renumbered([row], before)
        watch(numbered)

    place = storage.join(out, FOLDER)
    return train(replace(plan, recipe=recipe), learned, nobody, place, workers, follow)


def renumbered(history: Sequence[EpochRow], before: int) -> tuple[EpochRow, ...]:
    """Epochs of the second training, told apart from the ``before`` of the first."""
    return tuple(replace(row, epoch=before + row.epoch, phase=FOLDER) for row in history)
