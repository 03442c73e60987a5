"""What a training does, as data, and how its clips are shared among workers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from torch import Tensor

from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes.specs import Recipe


@dataclass(frozen=True)
class TrainPlan:
    """One training.

    Attributes:
        recipe: features, network and optimisation.
        frames: sound is padded to this many frames (``dataset.audio_length``).
        seed: of weights, order, augmentation and dropout.
        start: weights to begin with, by name; the others are drawn at random.
    """

    recipe: Recipe
    frames: int
    seed: int = 0
    start: Mapping[str, Tensor] = field(default_factory=dict)


def times_drawn(clips: pa.Table, shares: Mapping[str, float]) -> np.ndarray:
    """How often each clip comes in an epoch, on average, float64 (clips,): 1 without shares.

    Args:
        clips: of the training side, with the column ``corpus``.
        shares: of an epoch, of some corpora. Clips of the others have what is left, all alike.

    Raises:
        UsageError: a corpus of which there are no clips, or shares that do not add up.
    """
    if not shares:
        return np.ones(len(clips))
    of = _corpora(clips)
    rest = ~np.isin(of, list(shares))
    left = 1 - sum(shares.values())
    told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
    for name in shares:
        if name not in of:
            raise UsageError(
                f"training corpus_shares {told}: no training clip is of {name}, they are of "
                f"{_told(of)}"
            )
    if left < -1e-6 or (left > 1e-6) != rest.any():
        others = f"and leave some for {_told(of[rest])}" if rest.any() else "nothing else is there"
        raise UsageError(f"training corpus_shares {told}: they must add up to 1, {others}")
    often = np.full(len(of), left * len(of) / max(1, rest.sum()))
    for name, share in shares.items():
        often[of == name] = share * len(of) / (of == name).sum()
    return often


def epoch_order(often: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """The rows of an epoch in their order, as many as there are clips, int64 (clips,).

    It depends on seed and epoch only, so any number of workers takes the same steps. A clip comes
    as often as it should, rounded up or down (systematic sampling, Madow and Madow 1944).

    Args:
        often: of ``times_drawn``.
        seed, epoch: decide the order.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(often))
    if (often == 1).all():
        return order
    ends = np.cumsum(often[order])
    ends[-1] = len(often)
    times = np.diff(np.floor(ends + rng.random()), prepend=0).astype(int)
    return rng.permutation(np.repeat(order, times))


def _corpora(clips: pa.Table) -> np.ndarray:
    return np.asarray(clips["corpus"].fill_null("").to_pylist())


def _told(corpora: np.ndarray) -> str:
    return ", ".join(name or "no corpus" for name in np.unique(corpora).tolist())


def global_batches(order: np.ndarray, batch_size: int, workers: int) -> list[np.ndarray]:
    """Rows of every batch of an epoch, which differ by one clip at most.

    There is no smaller last batch and nothing is repeated to fill one up.

    Args:
        order: of ``epoch_order``, at least ``workers`` rows.
        batch_size: over all workers; the most clips that a batch holds, unless that would leave a
            worker without a clip.
        workers: every batch holds at least this many clips.
    """
    count = min(math.ceil(len(order) / batch_size), len(order) // workers)
    return np.array_split(order, max(1, count))


def share(batch: np.ndarray, rank: int, workers: int) -> np.ndarray:
    """The rows of a global batch that worker ``rank`` computes: never none."""
    return np.array_split(batch, workers)[rank]


def class_weights(
    labels: np.ndarray, classes: int, balanced: bool, often: np.ndarray | None = None
) -> np.ndarray:
    """Weight of each class in the loss, float32 (classes,).

    ``balanced``: inversely proportional to how often the class occurs, 1 on average over the clips.
    A class that does not occur weighs nothing.

    Args:
        labels: int (clips,), or soft ones, float (clips, classes).
        classes: how many.
        balanced: else each weighs 1.
        often: how often each clip comes, float (clips,); None: all alike.
    """
    often = np.ones(len(labels)) if often is None else often
    soft = labels.ndim > 1
    count = often @ labels if soft else np.bincount(labels, often, minlength=classes)
    if not balanced:
        return np.ones(classes, np.float32)
    present = count > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = len(labels) / (present.sum() * count[present])
    return weights


def corpus_weights(clips: pa.Table, balanced: bool) -> np.ndarray:
    """Weight of each clip in the loss, float32 (clips, 1).

    ``balanced``: inversely proportional to how many clips its corpus has, 1 on average, so that a
    small corpus is not drowned by a large one. One corpus alone weighs 1.
    """
    if not balanced or not len(clips):
        return np.ones((len(clips), 1), np.float32)
    _, place, count = np.unique(_corpora(clips), return_inverse=True, return_counts=True)
    return (len(clips) / (len(count) * count[place])).astype(np.float32)[:, None]


def targets_of(
    features: FeatureSet, teacher_share: float, soft: np.ndarray | None = None
) -> np.ndarray:
    """What each clip should be answered with, float32 (clips, classes), rows adding up to 1.

    Args:
        features: see there.
        teacher_share: how much of it is the teacher's answer, if there is one.
        soft: what takes the place of the labels, likewise.
    """
    labels = features.one_hot if soft is None else soft
    if features.taught is None:
        return labels
    return (1 - teacher_share) * labels + teacher_share * features.taught


def learning_rate(base: float, step: int, steps: int, warm_up: int) -> float:
    """Linear rise over ``warm_up`` steps, then half a cosine down to nearly zero at ``steps``.

    The rise takes a fifth of all steps at most, so that a training of one epoch also gets down.
    """
    warm_up = min(warm_up, steps // 5)
    if step < warm_up:
        return base * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return base * 0.5 * (1 + math.cos(math.pi * min(1.0, done))) + 1e-3 * base
