"""A training with its data: features read and divided into sides."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from torch import nn

from emotion_core.corpora.splits import SIDES, assign_split
from emotion_core.errors import UsageError
from emotion_core.evaluation.speakers import shared_speakers
from emotion_core.models.dataset import FeatureSet, audio_length, load_features
from emotion_core.models.made import completed, feature_settings, require_features
from emotion_core.models.networks import build_network
from emotion_core.models.samples import segment_spans
from emotion_core.recipes import recipe_to_json
from emotion_core.recipes.specs import Recipe
from emotion_core.training.measured import Measured
from emotion_core.training.plan import TrainPlan, times_drawn
from emotion_core.training.refit import require_refit
from emotion_core.training.start import Start
from emotion_core.training.teacher import TaughtBy, Teacher, taught


@dataclass(frozen=True)
class Task:
    """A training with its data.

    Attributes:
        plan: what to do.
        split: the protocol, as ``--split`` takes it.
        sides: clips of ``train``, ``validation`` and ``test``.
        left_out: clips that take no part, by reason; ``outside_split`` among them.
        refit: train once more, on training and validation speakers together.
        measured: figures of the recipe's folds, where this training has nobody to be measured on.
        start: the model whose weights it begins with.
        taught_by: the model that teaches, if one does.
    """

    plan: TrainPlan
    split: str
    sides: dict[str, FeatureSet]
    left_out: dict[str, int]
    refit: bool = False
    measured: Measured | None = None
    start: Start | None = None
    taught_by: TaughtBy | None = None

    def __post_init__(self) -> None:
        if self.measured is not None and len(self.sides["validation"]):
            raise UsageError(
                f"--figures are for a training on everybody: split {self.split} has validation "
                "clips, which measure it"
            )
        shares, learned = self.plan.recipe.training.corpus_shares, self.sides["train"].clips
        times_drawn(learned, shares)
        if self.start is not None:
            self.start.check(self.sides["test"])
        if self.refit:
            require_refit(self.plan.recipe, self.sides["validation"])
            validation = self.sides["validation"].clips
            both = [clips.select(["corpus"]) for clips in (learned, validation)]
            times_drawn(pa.concat_tables(both), shares)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Everybody who is learned from, also by way of a teacher or of a model begun with."""
        learned = {*self.sides["train"].speakers, *self.sides["validation"].speakers}
        before = self.start.speakers if self.start else ()
        heard = self.taught_by.speakers if self.taught_by else ()
        return tuple(sorted({*learned, *before, *heard}))

    @property
    def shared(self) -> list[str]:
        """Speakers who train and are tested: with any, the figures say nothing of new people."""
        return shared_speakers(self.speakers, self.sides["test"].speakers)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides the result: equal settings go on with the same run."""
        return {
            "recipe": recipe_to_json(self.plan.recipe),
            "features": {name: side.fingerprint for name, side in self.sides.items()},
            "split": self.split,
            "seed": self.plan.seed,
            **({"refit": True} if self.refit else {}),
            **({"measured": self.measured.to_json()} if self.measured else {}),
            **({"start": self.start.model_id} if self.start else {}),
        }


def prepare(features: str, recipe: Recipe, split: str | None, seed: int) -> Task:
    """Read the features and divide them.

    Args:
        features: URI of a ``preprocess`` output.
        recipe: what to train.
        split: a protocol; None takes the recipe's own.
        seed: of the training, and of a random split.

    Raises:
        UsageError: the features do not fit the recipe or the protocol.
    """
    recipe = completed(recipe, feature_settings(features))
    return divide(read_features(features, recipe), recipe, split or recipe.split, seed)


def read_features(features: str, recipe: Recipe) -> FeatureSet:
    """The features at a URI, once it is clear that the recipe's network can be built.

    Args:
        features: URI of a ``preprocess`` output.
        recipe: ``completed`` by what the features are.

    Raises:
        UsageError: no such network, it does not take its options, features of another recipe, or
            clips that some phase cannot learn from.
    """
    # neither other features nor an unknown network should cost the reading of the features
    require_features(feature_settings(features), recipe, features)
    network = build_network(recipe, download=False)
    found = load_features(features, recipe)
    _require_phases(network, recipe, found)
    return found


def _require_phases(network: nn.Module, recipe: Recipe, found: FeatureSet) -> None:
    """Check that no phase is left out whose layers would answer all the same, at random.

    One whose modality no clip has is left out, and so never asked about it.

    Raises:
        UsageError: a phase needs clips with both, there are only such with either; or the network
            is not trained in phases.
    """
    phases = recipe.training.phases
    if phases and not hasattr(network, "needs"):
        raise UsageError(
            f"training phases {', '.join(phases)}: network {recipe.network!r} is trained as a whole"
        )
    held = {"audio": found.has_audio, "face": found.has_faces}
    for phase in phases:
        needed = [held[name] for name in network.needs(phase)]  # type: ignore[operator]
        if all(each.any() for each in needed) and not np.all(needed, axis=0).any():
            raise UsageError(
                f"phase {phase!r} of recipe {recipe.name!r} learns from clips with sound and face, "
                "and these features have none: train a model of each, and label with both"
            )


def divide(
    found: FeatureSet,
    recipe: Recipe,
    split: str,
    seed: int,
    assigned: np.ndarray | None = None,
    refit: bool = False,
    teacher: Teacher | None = None,
    measured: Measured | None = None,
    start: Start | None = None,
) -> Task:
    """A training on features that were read.

    Args:
        found: all clips.
        recipe: what to train.
        split: a protocol, one fold of it.
        seed: of the training, and of a random split.
        assigned: the side of each clip, str (clips,); None asks the protocol.
        refit: see ``Task``.
        teacher: whose answers are learned beside the labels.
        measured, start: see ``Task``.

    Raises:
        UsageError: the clips do not fit the protocol, there is nothing to refit, the teacher cannot
            teach this, or the model begun with knows the test side.
    """
    if assigned is None:
        assigned = assign_split(split, found.clips, seed)
    sides = {side: found.select(assigned == side) for side in SIDES}
    taught_by = None
    if teacher is not None:
        outside, wanted = found.select(assigned == ""), recipe.training.hint > 0
        sides, taught_by = taught(sides, outside, teacher, split, wanted)
    frames = padded_length(sides["train"], recipe)
    plan = TrainPlan(recipe, frames, seed, start.weights if start else {})
    left = len(found) - sum(map(len, sides.values()))  # a teacher may bring some of them in
    return Task(
        plan,
        split,
        sides,
        {**found.left_out, "outside_split": left},
        refit,
        measured,
        start,
        taught_by,
    )


def padded_length(train: FeatureSet, recipe: Recipe) -> int:
    """Frames that the sound of a sample is padded to: a clip's, or a segment's."""
    frames = audio_length(train, recipe.audio)
    if recipe.segment_s is None or recipe.audio is None:
        return frames
    return min(frames, segment_spans(frames, 0, recipe)[0][0].stop)
