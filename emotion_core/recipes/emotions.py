"""Canonical emotions, label sets, and the maps between them.

The canonical names and their order are those of RAVDESS (Livingstone & Russo 2018): its file names
number them 01 to 08. Every corpus module maps its own spelling to these names; a recipe's label set
then maps the canonical names to the classes that a network answers with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")

# What some models of other people tell beside emotions or instead of them: pleasant, excited, in
# charge.
DIMENSIONS = ("valence", "arousal", "dominance")

# Spellings met in TESS, SAVEE, FER2013, CREMA-D and in folders that people name by hand.
_SPELLINGS = {
    "neutral": "neutral", "neu": "neutral", "n": "neutral",
    "calm": "calm",
    "happy": "happy", "happiness": "happy", "hap": "happy", "joy": "happy", "h": "happy",
    "sad": "sad", "sadness": "sad", "sa": "sad",
    "angry": "angry", "anger": "angry", "ang": "angry", "a": "angry",
    "fearful": "fearful", "fear": "fearful", "fea": "fearful", "f": "fearful",
    "disgust": "disgust", "disgusted": "disgust", "dis": "disgust", "d": "disgust",
    "surprised": "surprised", "surprise": "surprised", "pleasant_surprise": "surprised",
    "pleasant_surprised": "surprised", "ps": "surprised", "su": "surprised",
}  # fmt: skip


def canonical(word: str) -> str | None:
    """The canonical emotion that ``word`` spells, or None: a name is never guessed."""
    return _SPELLINGS.get(word.strip().lower().replace(" ", "_").replace("-", "_"))


@dataclass(frozen=True)
class LabelSet:
    """The classes of a network: names in the order of its outputs, and how emotions map to them.

    Attributes:
        name: what recipes and bundles call it.
        labels: class names, index = output index.
        merge: canonical emotions that are counted as another label, e.g. ``{"calm": "neutral"}``.
    """

    name: str
    labels: tuple[str, ...]
    merge: Mapping[str, str] = field(default_factory=dict)

    def index(self, emotion: str | None) -> int | None:
        """Class index of a canonical emotion, or None when this set does not hold it."""
        label = self.merge.get(emotion, emotion) if emotion else None
        return self.labels.index(label) if label in self.labels else None


LABEL_SETS = {
    "emotions8": LabelSet("emotions8", EMOTIONS),
    "emotions7": LabelSet(
        "emotions7",
        tuple(e for e in EMOTIONS if e != "calm"),
        {"calm": "neutral"},
    ),
}
