"""What an ensemble asks of a model, whoever made it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from emotion_core.models.samples import Sample
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import Recipe

# From float32 waveforms (samples,) to matrices (frames, coefficients).
Features = Callable[[list[np.ndarray]], list[np.ndarray]]


class Member(Protocol):
    """A model that answers alone or with others: a ``Bundle``, or a ``foreign.model.ForeignModel``.

    What it is shown and played follows from its ``recipe``: ``recipe.view`` says which pictures of
    a window and how faces are cut from them, ``recipe.audio`` at which rate it hears.
    """

    @property
    def model_id(self) -> str:
        """16 hex digits: tells one model from another."""

    @property
    def recipe(self) -> Recipe:
        """What it sees and hears."""

    @property
    def label_set(self) -> LabelSet:
        """What the columns of ``predict`` mean."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it can judge: ``audio``, ``face`` or both."""

    @property
    def detector(self) -> Mapping[str, str] | None:
        """The face detector that it learned with: ``name``, ``weights_hash``; None: no matter."""

    def features(self) -> Features:
        """What makes ``Sample.audio`` of sound; only of a model that judges ``audio``."""

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """Probabilities, float32 (samples, classes), each row adding up to 1."""
