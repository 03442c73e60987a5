"""Classes of other people's models, as emotions of this package: by name, never by place."""

from collections.abc import Mapping, Sequence

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.recipes.checks import shown
from emotion_core.recipes.emotions import DIMENSIONS, EMOTIONS, LABEL_SETS, LabelSet, canonical

# Of a model's answer; with less left of it, the rest says nothing.
_LEAST = 1e-6


def emotions_of(
    labels: Sequence[str], merge: Mapping[str, str | None], where: str
) -> tuple[str | None, ...]:
    """The emotion that each output stands for; None for outputs that are left out.

    Args:
        labels: of the model, in the order of its outputs.
        merge: label -> the emotion that it counts as, or None to leave it out.
        where: what messages call the model.

    Raises:
        UsageError: a label that spells no emotion known here and is not merged, a merge of a label
            that is not there or into no emotion, or fewer than two emotions in the end.
    """
    spare = sorted(set(merge) - set(labels))
    if spare:
        raise UsageError(f"{where}: merge names {shown(spare[0])}, which is none of its labels")
    counted = {label: merge.get(label, label) for label in labels}
    emotions = {label: word and canonical(word) for label, word in counted.items()}
    unknown = [label for label in labels if counted[label] is not None and not emotions[label]]
    if unknown:
        raise UsageError(
            f"{where}: {', '.join(shown(each) for each in unknown[:9])} is none of the emotions "
            f"known here ({', '.join(EMOTIONS)}): say in a description's merge as which of them it "
            "counts, or null to leave it out" + _hint(unknown)
        )
    found = tuple(emotions[label] for label in labels)
    if len(set(found) - {None}) < 2:
        raise UsageError(f"{where}: its labels are fewer than two emotions")
    return found


def _hint(unknown: Sequence[str]) -> str:
    known = [each for each in unknown if each.lower() in DIMENSIONS]
    return f"; {known[0]} belongs to its dimensions" if known else ""


def label_set_for(emotions: Sequence[str | None]) -> LabelSet:
    """The label set of models that bring none: with calm where one of them tells it from neutral.

    Args:
        emotions: of all of them.
    """
    return LABEL_SETS["emotions8" if "calm" in emotions else "emotions7"]


def onto(answers: np.ndarray, emotions: Sequence[str | None], label_set: LabelSet) -> np.ndarray:
    """Answers in the classes of an ensemble.

    Outputs that count as one class are added up. Those that are left out are taken out of the
    answer, and the rest adds up to 1 again; where nothing is left, every class that the model knows
    is as likely as the others. A class that it does not know gets 0.

    Args:
        answers: float (n, outputs), rows adding up to 1.
        emotions: as ``emotions_of`` gives them.
        label_set: of the ensemble.

    Returns:
        float32 (n, classes), rows adding up to 1.
    """
    places = np.zeros((len(emotions), len(label_set.labels)))
    for output, emotion in enumerate(emotions):
        if (label := label_set.index(emotion)) is not None:
            places[output, label] = 1.0
    known = places.any(axis=0)
    found = np.asarray(answers, np.float64) @ places
    total = found.sum(axis=1, keepdims=True)
    nothing = known / known.sum()
    return np.where(total > _LEAST, found / np.maximum(total, _LEAST), nothing).astype(np.float32)
