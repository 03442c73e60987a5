"""A bundle's answers on labelled features, and the figures they come to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import torch

from emotion_core.bundle import Bundle
from emotion_core.dataset import FeatureSet, batches, load_features, require_features
from emotion_core.errors import UsageError
from emotion_core.metrics import Figures, figures
from emotion_core.tables import PREDICTIONS_HEAD


@dataclass(frozen=True)
class Evaluation:
    """What a model says of clips whose emotion is known.

    Attributes:
        features: the clips.
        probabilities: float32 (clips, classes).
        figures: how they agree with the labels.
        predictions: one row a clip: ``tables.PREDICTIONS_HEAD``, then ``p_<label>``.
    """

    features: FeatureSet
    probabilities: np.ndarray
    figures: Figures
    predictions: pa.Table


def load_matching_features(bundle: Bundle, uri: str) -> FeatureSet:
    """The features at ``uri``, if they were made as those were that the bundle learned from.

    Raises:
        UsageError: they were made in another way, or hold nothing that the bundle can judge.
    """
    features = load_features(uri, bundle.recipe)
    recipe = bundle.recipe
    audio = asdict(recipe.audio) if recipe.audio else None
    video = asdict(recipe.video) if recipe.video else None
    require_features(features.settings, audio, video, uri)
    learned, given = bundle.info.features.get("detector"), features.settings.get("detector")
    if recipe.video and "face" in bundle.info.modalities and learned != given:
        raise UsageError(
            f"the faces at {uri!r} come from detector {_detector(given)}, the model learned from "
            f"{_detector(learned)}: run jobs/preprocess.py again with that one"
        )
    seen = features.select(judged(bundle, features))
    if not len(seen):
        raise UsageError(
            f"the features at {uri!r} have no {' or '.join(bundle.info.modalities)}, and that is "
            "all that this model learned from"
        )
    return seen


def judged(bundle: Bundle, features: FeatureSet) -> np.ndarray:
    """Which clips have a modality that the model was trained on, bool (clips,)."""
    has = {"audio": features.has_audio, "face": features.has_faces}
    return np.logical_or.reduce([has[name] for name in bundle.info.modalities])


def _detector(found: object) -> str:
    if not isinstance(found, dict):
        return "none"
    return f"{found.get('name')} ({str(found.get('weights_hash'))[:8]})"


def evaluate(bundle: Bundle, features: FeatureSet) -> Evaluation:
    """The model's answers on every clip of ``features``."""
    rows = np.arange(len(features))
    frames = bundle.info.audio_frames
    answers = [bundle.predict(b) for b in batches(features, rows, bundle.recipe, frames)]
    probabilities = np.concatenate(answers)
    found = figures(
        torch.from_numpy(probabilities), torch.from_numpy(features.labels), features.label_set
    )
    return Evaluation(features, probabilities, found, _predictions(features, probabilities))


def _predictions(features: FeatureSet, probabilities: np.ndarray) -> pa.Table:
    labels = features.label_set.labels
    best = probabilities.argmax(axis=1)
    columns = {
        **{name: features.clips[name] for name in ("clip_id", "uri", "corpus", "speaker")},
        "label": [labels[index] for index in features.labels],
        "predicted": [labels[index] for index in best],
        "confidence": probabilities[np.arange(len(best)), best],
        **{f"p_{label}": probabilities[:, index] for index, label in enumerate(labels)},
    }
    probability = [pa.field(f"p_{label}", pa.float32(), nullable=False) for label in labels]
    return pa.table(columns, schema=pa.schema([*PREDICTIONS_HEAD, *probability]))


def shared_speakers(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Speakers in both lists, sorted."""
    return sorted(set(first) & set(second))


def check_speakers(bundle: Bundle, features: FeatureSet, split: str | None) -> list[str]:
    """Speakers of the clips to be judged whom the model learned from.

    Under the protocol that the model was trained with there are such speakers only where that is
    its nature (``random``), or on the sides that are not the test side.

    Raises:
        UsageError: the protocol is another one, and puts people to the test whom the model knows.
    """
    known = shared_speakers(bundle.info.speakers, features.speakers)
    if known and split != bundle.info.split:
        some = ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")
        raise UsageError(
            f"the model was trained on {len(known)} of these speakers ({some}): evaluate with "
            f"--split {bundle.info.split}, the protocol it was trained under, or on other people"
        )
    return known
