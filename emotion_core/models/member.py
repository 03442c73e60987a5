"""What an ensemble asks of a model, whoever made it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from emotion_core.models.samples import Sample
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import Recipe

# From float32 waveforms (samples,) to matrices (frames, coefficients).
Features = Callable[[list[np.ndarray]], list[np.ndarray]]


class Known(Protocol):
    """What is known of a model without what computes.

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
        """What the columns of its answers mean."""

    @property
    def modalities(self) -> tuple[str, ...]:
        """What it can judge: ``audio``, ``face`` or both."""

    @property
    def detector(self) -> Mapping[str, str] | None:
        """The face detector that it learned with: ``name``, ``weights_hash``; None: no matter."""


class Member(Known, Protocol):
    """A model that answers: a ``bundle.Bundle``, or a ``foreign.model.ForeignModel``."""

    def features(self) -> Features:
        """What makes ``Sample.audio`` of sound; only of a model that judges ``audio``."""

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """Probabilities, float32 (samples, classes), each row adding up to 1."""


@dataclass(frozen=True)
class Given:
    """What a model says of several inputs.

    Attributes:
        probabilities: float32 (n, classes), each row adding up to 1; no classes where it has none.
        dimensions: float32 (n, dimensions), from -1 to 1.
    """

    probabilities: np.ndarray
    dimensions: np.ndarray


@runtime_checkable
class TellsMore(Protocol):
    """A member that tells dimensions beside emotions, or nothing else."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Which ones, in the order of their columns."""

    @property
    def votes(self) -> bool:
        """Whether it answers with emotions at all."""

    def told(self, samples: Sequence[Sample]) -> Given:
        """``predict``, and the dimensions."""


def hears(member: Known) -> bool:
    """Whether it can judge sound: what a network was never trained on it cannot."""
    return member.recipe.audio is not None and "audio" in member.modalities


def dimensions_of(member: Known) -> tuple[str, ...]:
    """Which dimensions it tells beside emotions, or without them."""
    return member.dimensions if isinstance(member, TellsMore) else ()


def votes(member: Known) -> bool:
    """Whether a member of an ensemble answers with emotions; else it tells dimensions alone."""
    return not isinstance(member, TellsMore) or member.votes
