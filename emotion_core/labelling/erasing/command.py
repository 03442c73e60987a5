"""Erasing: --labels LABELS --video URI, or --person NAME."""

from collections.abc import Sequence
from typing import Annotated

import typer

from emotion_core import cli, storage


def main(
    labels: Annotated[str, typer.Option(help="The --out of jobs/label.py, local or s3://.")],
    video: Annotated[
        list[str] | None, typer.Option(help="An input, as its column uri has it; repeatable.")
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option(help="A name, or a person_id, of people/ in the labels; repeatable."),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(help="An --out of jobs/preprocess.py that may hold them too; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only count what would go; nothing is written.")
    ] = False,
) -> int:
    """Erase inputs, or people, from labels and features.

    Of an input everything goes: its rows in videos, segments, people and the manifest, and in
    features with their crops. A later label job leaves it out. Of a person go the segments,
    embeddings and names of their tracks; the videos stay, with what is said of the others. The
    report, which shows faces, is removed: jobs/report.py makes it anew. Not touched are models,
    exports, reports in other folders, copies by --compact-to and the media themselves.

    Example: python jobs/erase.py --labels out/labels --video s3://bucket/clips/one.mp4
    """
    from emotion_core.errors import UsageError
    from emotion_core.labelling.erasing.erasing import Erasing

    if not video and not person:
        raise UsageError("nothing to erase: give --video URI or --person NAME")
    labels = storage.absolute(labels)
    job = Erasing(labels, tuple(map(storage.absolute, video or ())), tuple(person or ()), dry_run)
    places = [storage.absolute(place) for place in features or ()]
    job.check(places)
    # whose crops they may be: before people/ forgets it
    theirs, names = job.videos_and_names()
    touched = (*job.videos, *theirs)
    with storage.sole_writer(labels, "labels", cli.say) as claim:
        for place in places:
            with storage.sole_writer(place, "features", cli.say) as other:
                _say(place, job.from_features(place, touched, names, other.check), dry_run)
        _say(labels, job.from_labels(claim.check), dry_run)
    if not dry_run:
        cli.say(f"{labels}: the report is removed, jobs/report.py makes it anew")
    return 0


def _say(place: str, counts: dict[str, int], dry_run: bool) -> None:
    told: Sequence[str] = [f"{count} of {table}" for table, count in counts.items() if count]
    done = "rows that would go" if dry_run else "rows erased"
    cli.say(f"{place}: {done}: {', '.join(told) or 'none'}")
