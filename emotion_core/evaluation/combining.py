"""The answers of several independent models as one: decision-level fusion."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from emotion_core.errors import UsageError
from emotion_core.evaluation.answering import Evaluation
from emotion_core.models.together import mean_of_answers, require_one_label_set


def together(evaluations: Sequence[Evaluation]) -> Evaluation:
    """The answers of several models as one, clips matched by URI and member.

    Args:
        evaluations: of one label set and fold, each of the clips that its model can judge.

    Returns:
        Every clip that at least one of them judged, sorted by URI and member.

    Raises:
        UsageError: other label sets, or a clip whose label differs between the features.
    """
    first = evaluations[0]
    if len(evaluations) == 1:
        return first
    require_one_label_set([each.label_set for each in evaluations])
    keys = sorted({key for each in evaluations for key in each.keys})
    place = {key: row for row, key in enumerate(keys)}
    labels = np.full(len(keys), -1, np.int64)
    answers, can, source = [], [], np.full((len(keys), 2), -1, np.int64)
    for number, each in enumerate(evaluations):
        rows = np.array([place[key] for key in each.keys], np.int64)
        _require_same_labels(labels[rows], each, keys, rows)
        labels[rows] = each.labels
        answer = np.zeros((len(keys), each.probabilities.shape[1]), np.float32)
        answer[rows] = each.probabilities
        answers.append(answer)
        can.append(np.isin(np.arange(len(keys)), rows))
        new = source[rows, 0] < 0
        source[rows[new]] = np.stack([np.full(new.sum(), number), np.flatnonzero(new)], axis=1)
    starts = np.cumsum([0, *(len(each) for each in evaluations[:-1])])
    clips = pa.concat_tables([each.clips for each in evaluations])
    rows_of_clips = pa.array(starts[source[:, 0]] + source[:, 1])
    return Evaluation(
        clips.take(rows_of_clips),
        labels,
        first.label_set,
        mean_of_answers(answers, can),
        first.fold,
    )


def _require_same_labels(
    known: np.ndarray, found: Evaluation, keys: Sequence[tuple[str, str]], rows: np.ndarray
) -> None:
    differing = np.flatnonzero((known >= 0) & (known != found.labels))
    if len(differing):
        uri = keys[rows[differing[0]]][0]
        raise UsageError(
            f"clip {uri!r} has another label in the other features: preprocess both from the same "
            "corpora"
        )
