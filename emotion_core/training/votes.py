"""What people took clips for, as soft labels.

Cao et al. 2014 asked about ten people each what they hear, what they see, and what they take from
both. A network learns from those who were given what it gets.
"""

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.recipes.specs import Recipe


def voted(features: FeatureSet) -> np.ndarray:
    """Which clips have votes on what the network gets of them, bool (clips,)."""
    return _votes(features).sum(axis=1) > 0


def soft_labels(features: FeatureSet) -> np.ndarray:
    """The share of votes of each class, float32 (clips, classes), rows adding up to 1.

    A clip has the votes on sound and face together where it has both in ``features``, else those on
    the one that it has. Votes for emotions that are no class of the label set do not count. A clip
    without votes has its label.
    """
    votes = _votes(features)
    whole = votes.sum(axis=1, keepdims=True)
    return np.where(whole > 0, votes / np.maximum(whole, 1), features.one_hot).astype(np.float32)


def require_votes(features: FeatureSet, recipe: Recipe) -> None:
    """Check that a training on votes has some.

    Raises:
        UsageError: no clip has votes on what the network gets of it.
    """
    if recipe.training.labels_from == "votes" and not voted(features).any():
        raise UsageError(
            "--labels-from votes: no clip has votes on what this recipe takes of it: only CREMA-D "
            "has them, where finishedResponses.csv lay in its folder when jobs/preprocess.py ran"
        )


def _votes(features: FeatureSet) -> np.ndarray:
    """How many chose each class, float32 (clips, classes); zeros where nobody was asked."""
    both = features.has_audio & features.has_faces
    masks = {
        "votes_audio_visual": both,
        "votes_audio": features.has_audio & ~both,
        "votes_face": features.has_faces & ~both,
    }
    counts = np.zeros((len(features), len(EMOTIONS)), np.float32)
    for name, mask in masks.items():
        column = features.clips[name]
        for row in np.flatnonzero(mask & np.asarray(column.is_valid())):
            counts[row] = column[int(row)].as_py()
    return counts @ _classes(features)


def _classes(features: FeatureSet) -> np.ndarray:
    """1 where an emotion counts as a class, float32 (emotions, classes)."""
    found = [features.label_set.index(emotion) for emotion in EMOTIONS]
    places = np.zeros((len(EMOTIONS), len(features.label_set.labels)), np.float32)
    for emotion, index in enumerate(found):
        if index is not None:
            places[emotion, index] = 1
    return places
