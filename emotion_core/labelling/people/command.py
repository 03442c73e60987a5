"""People across videos: --labels LABELS [--names people.csv]."""

from typing import Annotated

import typer

from emotion_core import cli, storage
from emotion_core.faces.likeness import ALIKE


def main(
    labels: Annotated[str, typer.Option(help="The --out of jobs/label.py, made with --identify.")],
    names: Annotated[
        str | None, typer.Option(help="A CSV or Parquet file with the columns file, track, name.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Cosine from which on two tracks are one person's.")
    ] = ALIKE,
) -> int:
    """Group the people of all videos, by how they look: LABELS/people.

    One row for each track, with the number of the person and the name, if somebody has given one.
    Repeating the command makes the table anew; names are those of this command's --names. Exports
    and reports show names in place of numbers.

    Example: python jobs/people.py --labels out/labels --names people.csv
    """
    from emotion_core.errors import UsageError
    from emotion_core.labelling.people.grouping import People
    from emotion_core.labelling.people.naming import read_names, shared
    from emotion_core.labelling.people.table import FILE, table_of, write_people
    from emotion_core.labelling.people.tracks import open_tracks

    labels = storage.absolute(labels)
    if not 0 < threshold < 1:
        raise UsageError(f"--threshold {threshold}: above 0, below 1")
    # claimed before it is read: what is erased meanwhile must not be written back
    with storage.sole_writer(labels, "people", cli.say) as claim, open_tracks(labels) as tracks:
        named = {} if names is None else read_names(storage.absolute(names), tracks)
        people = People(tracks, named, threshold)
        rows = table_of(people.rows())
        claim.check()
        write_people(labels, rows)
        for first, second in people.twins():
            cli.say(f"{first} and {second} look like one person: is one of the names wrong?")
    for name in shared(named):
        cli.say(f"{name} is two tracks of one video: one of its lanes then")
    numbers = set(rows["person_id"].drop_null().to_pylist())
    unknown = rows["person_id"].null_count
    cli.say(
        f"{len(rows)} tracks of {len(tracks.videos)} videos are {len(numbers)} people, "
        f"{len(set(rows['name'].drop_null().to_pylist()))} of them named; of {unknown} tracks "
        f"nothing tells who they are: {storage.join(labels, FILE)}"
    )
    return 0
