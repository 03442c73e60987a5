"""What a crowd took clips for: CREMA-D's ``finishedResponses.csv``, an answer a line.

Its columns are ``"" localid pos ans ttr queryType numTries clipNum questNum subType clipName
sessionNums respEmo respLevel dispEmo dispVal dispLevel``. Read are ``queryType`` (1: the sound
alone, 2: the face alone, 3: both), ``clipName`` and ``respEmo``, the emotion chosen, by its first
letter. Practice and repeated answers are not in that file. The authors' own tables also drop
answers that took over ten seconds, which another file tells; here every answer counts.
"""

import re

import pyarrow as pa
import pyarrow.csv as pa_csv

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.recipes.emotions import EMOTIONS, canonical
from emotion_core.storage.schemas import VOTES

FILE = "finishedResponses.csv"

_COLUMNS = ("clipName", "queryType", "respEmo")
_QUERIES = dict(zip(("1", "2", "3"), (field.name for field in VOTES), strict=True))
_LETTERS = {
    word[0].upper(): EMOTIONS.index(emotion)
    for word in ("anger", "disgust", "fear", "happy", "neutral", "sad")
    if (emotion := canonical(word))
}

Votes = dict[str, tuple[int, ...]]


def count_votes(uri: str) -> tuple[dict[str, Votes], int]:
    """The votes in the file at ``uri``.

    Args:
        uri: of a ``finishedResponses.csv``.

    Returns:
        Name of a clip, in capitals, without suffix -> column of ``VOTES`` -> how many chose each of
        ``EMOTIONS``; and how many answers name no such emotion or kind of query.

    Raises:
        UsageError: it cannot be read, or has other columns.
    """
    answers = _answers(uri)
    counted = answers.group_by(list(_COLUMNS)).aggregate([([], "count_all")])
    votes: dict[str, Votes] = {}
    odd = 0
    columns = (counted[name].to_pylist() for name in (*_COLUMNS, "count_all"))
    for clip, query, letter, count in zip(*columns, strict=True):
        column, place = _QUERIES.get(query.strip()), _LETTERS.get(letter.strip().upper())
        if column is None or place is None:
            odd += count
            continue
        of_clip = votes.setdefault(re.sub(r"\.\w+$", "", clip.strip()).upper(), {})
        before = of_clip.get(column, (0,) * len(EMOTIONS))
        of_clip[column] = (*before[:place], before[place] + count, *before[place + 1 :])
    return votes, odd


def _answers(uri: str) -> pa.Table:
    """``_COLUMNS`` of every line, as text."""
    convert = pa_csv.ConvertOptions(
        include_columns=list(_COLUMNS), column_types=dict.fromkeys(_COLUMNS, pa.string())
    )
    try:
        return pa_csv.read_csv(pa.BufferReader(storage.read_bytes(uri)), convert_options=convert)
    except (pa.ArrowInvalid, KeyError) as error:  # Arrow's error of a missing column is a KeyError
        raise UsageError(
            f"{uri}: no CSV file with the columns {', '.join(_COLUMNS)}: fetch CREMA-D's {FILE} "
            "again (git lfs pull, where it was cloned), or move it away"
        ) from error
