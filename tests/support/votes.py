"""A ``finishedResponses.csv`` with the columns that CREMA-D's has."""

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = (
    "", "localid", "pos", "ans", "ttr", "queryType", "numTries", "clipNum", "questNum", "subType",
    "clipName", "sessionNums", "respEmo", "respLevel", "dispEmo", "dispVal", "dispLevel",
)  # fmt: skip


def write_votes(path: Path, votes: Mapping[tuple[str, int], str]) -> None:
    """Write answers.

    Args:
        path: of the file.
        votes: name of a clip and kind of query (1: sound, 2: face, 3: both) -> the letter of each
            answer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="7", quoting=csv.QUOTE_NONNUMERIC)
        writer.writeheader()
        for (clip, query), letters in votes.items():
            for letter in letters:
                writer.writerow({
                    "ans": f"{letter}_50", "queryType": query, "clipName": clip, "respEmo": letter,
                    "dispEmo": clip[9:10],
                })  # fmt: skip
