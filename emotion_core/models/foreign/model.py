"""Another project's model as a member of an ensemble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from emotion_core.errors import ClipError, UsageError
from emotion_core.models.foreign.description import About, Crops
from emotion_core.models.foreign.labels import label_set_for, onto
from emotion_core.models.member import Features, Given, votes
from emotion_core.models.samples import Sample
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import AudioSpec, Recipe, VideoSpec


class Network(Protocol):
    """What computes."""

    def answers(self, inputs: Sequence[np.ndarray]) -> Given:
        """Of each input the probabilities of its labels, and its dimensions.

        Args:
            inputs: sounds, float32 (samples,) at the model's rate; or faces, uint8 (size, size, 3)
                RGB or (size, size) grey.
        """


@dataclass(frozen=True)
class ForeignModel:
    """A model that is no bundle of this package.

    Attributes:
        place: what ``--model`` calls it, with absolute paths.
        about: whose it is, and on what terms.
        recipe: what it sees or hears, as labelling needs it; there is nothing to train in it.
        emotions: what each label stands for, None for labels that are left out; empty of a model
            that tells dimensions alone.
        label_set: what ``predict`` answers with (``answering``).
        network: what computes.
        model_id: 16 hex digits over the weights and all that decides how it is asked.
        weights_hash: SHA-256 of the weights.
        revision: the hub's commit.
        memory_bytes: about what a worker holds with it.
        dimensions: which of ``DIMENSIONS`` it tells.
    """

    place: str
    about: About
    recipe: Recipe
    emotions: tuple[str | None, ...]
    label_set: LabelSet
    network: Network
    model_id: str
    weights_hash: str
    revision: str | None
    memory_bytes: int
    dimensions: tuple[str, ...] = ()

    # it has not learned from faces that one of this package's detectors found
    detector: Mapping[str, str] | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """``audio`` or ``face``."""
        return ("audio",) if self.recipe.audio else ("face",)

    def answering(self, label_set: LabelSet) -> "ForeignModel":
        """The same model, whose answers are in these classes (``labels.onto``)."""
        return replace(self, label_set=label_set)

    def features(self) -> Features:
        """The sound itself, as matrices (samples, 1)."""
        return as_matrices

    def predict(self, samples: Sequence[Sample]) -> np.ndarray:
        """The probabilities of ``told``; only of a model that ``votes``."""
        return self.told(samples).probabilities

    @property
    def votes(self) -> bool:
        """Whether it answers with emotions at all."""
        return bool(self.emotions)

    def told(self, samples: Sequence[Sample]) -> Given:
        """What it says of samples; of several faces the mean of what it says of each.

        Returns:
            Probabilities of the classes of ``label_set``, none where it does not vote; and its
            ``dimensions``, which are no votes.

        Raises:
            ClipError: the network answers with what is no number.
        """
        if self.recipe.audio:
            groups = [[] if s.audio is None else [s.audio[:, 0]] for s in samples]
        else:
            groups = [[face for face in s.faces if face is not None] for s in samples]
        given = self.network.answers([each for group in groups for each in group])
        ends = np.cumsum([len(group) for group in groups])[:-1]
        means = [
            np.stack([each.mean(axis=0) for each in np.split(values, ends)])
            for values in (given.probabilities, given.dimensions)
        ]
        if not all(np.isfinite(each).all() for each in means):
            raise ClipError("label", f"error: model {self.about.name} answers with no number")
        classes = onto(means[0], self.emotions, self.label_set) if self.votes else means[0]
        return Given(classes, means[1])

    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says of it: JSON values."""
        return {
            "model_id": self.model_id,
            "name": self.about.name,
            "url": self.about.url,
            "licence": self.about.licence,
            "weights_hash": self.weights_hash,
            "revision": self.revision,
            "emotions": sorted({each for each in self.emotions if each is not None}),
            **({"dimensions": list(self.dimensions)} if self.dimensions else {}),
        }


def as_matrices(sounds: list[np.ndarray]) -> list[np.ndarray]:
    """Sounds, float32 (samples,), as matrices (samples, 1)."""
    return [sound[:, None] for sound in sounds]


def seeing(about: About, size: int, grey: bool, crops: Crops) -> Recipe:
    """What a model of faces is shown of a window."""
    view = VideoSpec(
        sampling="uniform", count=crops.pictures, face_size=size, margin=crops.margin, grey=grey
    )
    return _recipe(about, None, view)


def hearing(about: About, sample_rate: int) -> Recipe:
    """What a model of sound is played of a window."""
    spec = AudioSpec(kind="waveform", sample_rate=sample_rate, trim_db=None, scale="none")
    return _recipe(about, spec, None)


def _recipe(about: About, audio: AudioSpec | None, video: VideoSpec | None) -> Recipe:
    return Recipe(
        name=about.name,
        summary="another project's model",
        source=about.url,
        label_set="emotions7",
        split="",
        audio=audio,
        video=video,
        network="",
    )


def in_one_label_set(models: Sequence[Any]) -> list[Any]:
    """Models with every foreign one answering in the classes of the others.

    Args:
        models: members of an ensemble. Those of this package have classes of their own, which the
            foreign ones take on; with foreign ones alone there is calm where one of them knows it.

    Raises:
        UsageError: none of them answers with emotions.
    """
    if not any(votes(model) for model in models):
        raise UsageError(
            f"{' and '.join(model.about.name for model in models)} tells "
            f"{', '.join(dict.fromkeys(d for model in models for d in model.dimensions))} but no "
            "emotion: give it beside a --model that does, such as voice"
        )
    foreign = [model for model in models if isinstance(model, ForeignModel)]
    own = [model.label_set for model in models if not isinstance(model, ForeignModel)]
    if own:
        label_set = own[0]
    else:
        label_set = label_set_for([each for model in foreign for each in model.emotions])
    return [m.answering(label_set) if isinstance(m, ForeignModel) else m for m in models]
