"""Models that answer together: what they are together, and one answer from theirs."""

import hashlib
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.models.foreign.model import in_one_label_set
from emotion_core.models.member import Known, dimensions_of, hears, votes
from emotion_core.recipes.emotions import DIMENSIONS, LabelSet
from emotion_core.recipes.specs import VideoSpec

Model = TypeVar("Model", bound=Known)


class Together(Generic[Model]):
    """Models that answer together.

    Args:
        models: at least one; their order does not matter. Models of other projects take on the
            classes of the others (``foreign.model.in_one_label_set``).

    Attributes:
        models: ordered by their ids.
        labels: what they answer with.
        model_id: of one model its own, else a hash of all (``combined_id``).
        views: which pictures those want that have a use for any, in the order of ``models``.
        dimensions: those of ``DIMENSIONS`` that at least one of them tells.
        sample_rate: the highest that one of them hears at, Hz; None where none hears.

    Raises:
        UsageError: the models answer with other classes, none of them with any, or one is there
            twice.
    """

    def __init__(self, models: Sequence[Model]):
        ordered: list[Model] = sorted(in_one_label_set(models), key=lambda model: model.model_id)
        voters = [model for model in ordered if votes(model)]
        require_one_label_set([model.label_set for model in voters])
        for one, other in zip(ordered, ordered[1:], strict=False):
            if one.model_id == other.model_id:
                raise UsageError(f"the same model twice ({one.model_id}): give each --model once")
        self.models = tuple(ordered)
        self.labels = voters[0].label_set.labels
        self.model_id = combined_id(ordered)
        # whoever was trained on sound alone, with a recipe that has pictures, still looks for
        # people: it matters whose sound it is
        wanted = (model.recipe.view for model in ordered)
        self.views: tuple[VideoSpec, ...] = tuple(view for view in wanted if view is not None)
        told = {name for model in ordered for name in dimensions_of(model)}
        self.dimensions = tuple(name for name in DIMENSIONS if name in told)
        heard = [m.recipe.audio for m in ordered if hears(m)]
        self.sample_rate = max((spec.sample_rate for spec in heard if spec), default=None)

    @property
    def hears(self) -> bool:
        """Whether one of them can judge sound."""
        return self.sample_rate is not None


def combined_id(models: Sequence[Known]) -> str:
    """The ``model_id`` of models that answer together: one model's own, else a hash of them all."""
    ids = sorted(model.model_id for model in models)
    return ids[0] if len(ids) == 1 else hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16]


def mean_of_answers(answers: Sequence[np.ndarray], can: Sequence[np.ndarray]) -> np.ndarray:
    """One answer from several models': the mean of those that can judge a clip, weighted alike.

    The weights are equal because they would otherwise have to be chosen on clips of their own; the
    sum rule is also the one that suffers least when single answers are off (Kittler et al. 1998,
    "On combining classifiers").

    Args:
        answers: one float array (clips, classes) per model, rows adding up to 1; rows that the
            model cannot judge may hold anything.
        can: one bool array (clips,) per model.

    Returns:
        float32 (clips, classes), each row adding up to 1.

    Raises:
        ValueError: a clip that no model can judge.
    """
    able = np.stack(can)
    if not able.any(axis=0).all():
        raise ValueError("a clip that none of the models can judge")
    stacked = np.where(able[:, :, None], np.stack(answers), 0).astype(np.float64)
    return (stacked.sum(axis=0) / able.sum(axis=0)[:, None]).astype(np.float32)


def require_one_label_set(label_sets: Sequence[LabelSet]) -> None:
    """Check that models which answer together share their classes and what emotions count as them.

    Raises:
        UsageError: they do not.
    """
    first = label_sets[0]
    for other in label_sets[1:]:
        if other != first:
            raise UsageError(
                f"the models answer with other classes ({first.name}, {other.name}): only models "
                "of one label set are combined"
            )
