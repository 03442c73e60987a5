"""The report of labels that are there: --labels LABELS."""

from contextlib import AbstractContextManager
from typing import Annotated, Any

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError


def main(
    labels: Annotated[str, typer.Option(help="The --out of jobs/label.py, local or s3://.")],
    out: Annotated[
        str | None,
        typer.Option(help="Another folder for the pages; by default they lie with the labels."),
    ] = None,
    videos: Annotated[
        list[str] | None,
        typer.Option(
            help="Pages of their own only for videos whose name (with / in it: end of path) is "
            "like this, such as 'session-*'; by default for all of up to 500, and of more for "
            "the 500 with most to see. Repeatable."
        ),
    ] = None,
    no_faces: Annotated[bool, typer.Option("--no-faces", help="No pictures of faces.")] = False,
    short_names: Annotated[
        bool,
        typer.Option("--short-names", help="Files by the last part of their names, no folders."),
    ] = False,
) -> int:
    """Make report.html and its pages anew, as they shall be shown; nothing is labelled.

    report.html is about all videos, report/ holds a page for each; copy both together. Pages of an
    earlier report in the same place go.

    Example: python jobs/report.py --labels out/labels --no-faces --short-names --out out/shown
    """
    arguments, clock = dict(locals()), storage.Clock()
    labels = storage.absolute(labels)
    out = labels if out is None else storage.absolute(out)
    from emotion_core.labelling.report.finished import open_finished
    from emotion_core.labelling.report.overview import Names
    from emotion_core.labelling.report.write import FILES, ReportOptions, write_report
    from emotion_core.report.summary import count_statuses

    found = open_finished(labels)
    if not found.facts.finished:
        cli.say(f"{labels} is not finished: the report is of what is published so far")
    options = ReportOptions(not no_faces, Names(short_names), tuple(videos or ()))
    with _held(labels, out, dict(found.facts.settings)) as claim:
        pages = write_report(
            out, found.tables, found.videos, found.facts, options, claim.check, cli.say
        )
        claim.check()
        if out != labels:
            counts = count_statuses(found.videos)
            record = storage.RunRecord(
                job="report", arguments=arguments, counts=counts, seconds=clock.seconds,
                started=clock.started, files=list(FILES),
            )  # fmt: skip
            storage.write_run_record(out, record)
    cli.say(f"{pages} of {len(found.videos)} videos have a page of their own")
    cli.say(f"to look at: {storage.join(out, 'report.html')}")
    return 0


def _held(labels: str, out: str, settings: dict[str, Any]) -> AbstractContextManager[storage.Claim]:
    """The labels' own folder under their own mark, another one as a report's."""
    if out == labels:
        return storage.hold_output(out, "labels", settings, say=cli.say)
    if out.startswith(labels.rstrip("/") + "/"):
        raise UsageError(f"--out {out} lies in the labels: choose a folder that does not")
    mine = {"labels": labels}
    anew = storage.check_output(out, "a report", mine)
    return storage.hold_output(out, "a report", mine, anew, say=cli.say)
