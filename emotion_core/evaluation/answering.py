"""One model's answers on labelled features, and the figures they come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import torch

from emotion_core.errors import UsageError
from emotion_core.evaluation.metrics import Assessment, Figures, assess, figures
from emotion_core.models.bundle import Bundle
from emotion_core.models.dataset import FeatureSet
from emotion_core.models.made import require_features
from emotion_core.models.temperature import tempered
from emotion_core.recipes.emotions import LabelSet

PREDICTIONS_HEAD = [
    pa.field("clip_id", pa.string(), nullable=False),
    pa.field("uri", pa.string(), nullable=False),
    pa.field("corpus", pa.string()),
    pa.field("speaker", pa.string()),
    pa.field("label", pa.string(), nullable=False),
    pa.field("predicted", pa.string(), nullable=False),
    pa.field("confidence", pa.float32(), nullable=False),
    pa.field("fold", pa.string()),  # whose model answered, null where there are no folds
]


@dataclass(frozen=True)
class Evaluation:
    """What a model, or several together, say of clips whose emotion is known.

    Attributes:
        clips: manifest columns, one row a clip.
        labels: int64 (clips,).
        label_set: what ``labels`` and the columns of ``probabilities`` mean.
        probabilities: float32 (clips, classes).
        fold: the fold whose model answered; empty for a model on its own.
        uncalibrated: the answers at a temperature of 1; None for several models' together.
    """

    clips: pa.Table
    labels: np.ndarray
    label_set: LabelSet
    probabilities: np.ndarray
    fold: str = ""
    uncalibrated: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def figures(self) -> Figures:
        """How the answers agree with the labels."""
        answers, labels = torch.from_numpy(self.probabilities), torch.from_numpy(self.labels)
        return figures(answers, labels, self.label_set)

    @property
    def predictions(self) -> pa.Table:
        """One row a clip: ``PREDICTIONS_HEAD``, then ``p_<label>``."""
        labels = self.label_set.labels
        best = self.probabilities.argmax(axis=1)
        columns = {
            **{name: self.clips[name] for name in ("clip_id", "uri", "corpus", "speaker")},
            "label": [labels[index] for index in self.labels],
            "predicted": [labels[index] for index in best],
            "confidence": self.probabilities[np.arange(len(best)), best],
            "fold": [self.fold or None] * len(best),
            **{f"p_{label}": self.probabilities[:, i] for i, label in enumerate(labels)},
        }
        probability = [pa.field(f"p_{label}", pa.float32(), nullable=False) for label in labels]
        return pa.table(columns, schema=pa.schema([*PREDICTIONS_HEAD, *probability]))

    @property
    def keys(self) -> list[tuple[str, str]]:
        """URI and member of each clip: what it is, whoever made its features."""
        members = (member or "" for member in self.clips["member"].to_pylist())
        return list(zip(self.clips["uri"].to_pylist(), members, strict=True))

    @property
    def named_speakers(self) -> list[str | None]:
        """``corpus/speaker`` of each clip, None where nobody is named."""
        pairs = zip(*(self.clips[name].to_pylist() for name in ("corpus", "speaker")), strict=True)
        return [f"{corpus or ''}/{speaker}" if speaker else None for corpus, speaker in pairs]


def assess_all(evaluations: Sequence[Evaluation]) -> Assessment:
    """Every figure of all answers together (at least one evaluation, of one label set)."""
    return assess(
        np.concatenate([each.probabilities for each in evaluations]),
        np.concatenate([each.labels for each in evaluations]),
        evaluations[0].label_set,
        [speaker for each in evaluations for speaker in each.named_speakers],
        ["\n".join(key) for each in evaluations for key in each.keys],
        _uncalibrated(evaluations),
    )


def _uncalibrated(evaluations: Sequence[Evaluation]) -> np.ndarray | None:
    found = [each.uncalibrated for each in evaluations if each.uncalibrated is not None]
    return np.concatenate(found) if len(found) == len(evaluations) else None


def predictions_of(evaluations: Sequence[Evaluation]) -> pa.Table:
    """The rows of all of them, in their order."""
    return pa.concat_tables([each.predictions for each in evaluations])


def require_fit(bundle: Bundle, features: FeatureSet, uri: str) -> None:
    """Check that features were made as those were that the bundle learned from.

    Args:
        bundle: a model.
        features: those at ``uri``.
        uri: for the message.

    Raises:
        UsageError: they were made in another way, or hold nothing that the bundle can judge.
    """
    recipe = bundle.recipe
    require_features(features.settings, recipe, uri)
    learned, given = bundle.info.features.get("detector"), features.settings.get("detector")
    if recipe.video and "face" in bundle.info.modalities and learned != given:
        raise UsageError(
            f"the faces at {uri!r} come from detector {_detector(given)}, the model learned from "
            f"{_detector(learned)}: run jobs/preprocess.py again with that one"
        )
    if not judged(bundle, features).any():
        raise UsageError(
            f"the features at {uri!r} have no {' or '.join(bundle.info.modalities)}, and that is "
            "all that this model learned from"
        )


def judged(bundle: Bundle, features: FeatureSet) -> np.ndarray:
    """Which clips have a modality that the model was trained on, bool (clips,)."""
    has = {"audio": features.has_audio, "face": features.has_faces}
    return np.logical_or.reduce([has[name] for name in bundle.info.modalities])


def _detector(found: object) -> str:
    if not isinstance(found, dict):
        return "none"
    return f"{found.get('name')} ({str(found.get('weights_hash'))[:8]})"


def _uncalibrated_answers(bundle: Bundle, features: FeatureSet, hide: Sequence[str]) -> np.ndarray:
    """Probabilities of every clip, float32 (clips, classes)."""
    if not len(features):
        return np.zeros((0, len(bundle.label_set.labels)), np.float32)
    return np.concatenate([bundle.uncalibrated(some, hide) for some in features.batches()])


def evaluate(
    bundle: Bundle, features: FeatureSet, fold: str = "", hide: Sequence[str] = ()
) -> Evaluation:
    """The model's answers on every clip of ``features``, without what ``hide`` names."""
    raw = _uncalibrated_answers(bundle, features, hide)
    answers = tempered(raw, bundle.info.temperature)
    return Evaluation(features.clips, features.labels, features.label_set, answers, fold, raw)
