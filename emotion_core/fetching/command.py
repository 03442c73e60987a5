"""A published corpus in a folder or bucket of yours: ravdess --out FOLDER."""

import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from emotion_core.fetching.complete import Complete
    from emotion_core.fetching.listings import Wanted
    from emotion_core.fetching.plan import Selection
    from emotion_core.fetching.sources import Source
    from emotion_core.fetching.transfer import Fetched

_MB = 1_000_000


def main(
    corpus: Annotated[str, typer.Argument(help="ravdess, tess, savee, cremad or fer2013.")],
    out: Annotated[str, typer.Option(help="Folder for its files, local or s3://.")],
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="A copy: a folder, file, s3:// or http(s):// address with the same file names. "
            "Needed for corpora that are behind a registration.",
        ),
    ] = None,
    actors: Annotated[
        str | None, typer.Option(help="Of ravdess: these only, such as 1-4,7.")
    ] = None,
    modality: Annotated[
        str | None, typer.Option(help="Of ravdess: audio, video or audio-visual. All by default.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Of ravdess: speech, song or all.")] = "speech",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fetched and how much it is.")
    ] = False,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Do not ask whether the terms are accepted.")
    ] = False,
) -> int:
    """Fetch a published corpus, check that it is whole, and say what is missing.

    Its licence and citation are shown, and asked about, first. ZIP files stay as they are: jobs
    read them in place. A command that was interrupted goes on where it stopped. Exit code 3:
    everything that there is was fetched, but the corpus is not complete.

    Example: python jobs/fetch.py ravdess --modality audio --out data/ravdess
    """
    arguments = dict(locals())
    clock, out = storage.Clock(), storage.absolute(out)
    from emotion_core.fetching.complete import check_complete
    from emotion_core.fetching.plan import rows, selection
    from emotion_core.fetching.sources import SOURCES

    if corpus not in SOURCES:
        raise UsageError(f"no corpus '{corpus}': choose one of {', '.join(SOURCES)}")
    source, chosen = SOURCES[corpus], selection(actors, modality, channel)
    if corpus != "ravdess" and (actors or modality or channel != "speech"):
        raise UsageError(f"--actors, --modality and --channel choose of ravdess, not of {corpus}")
    _show(source)
    if from_ is not None and storage.absolute(from_).rstrip("/") == out.rstrip("/"):
        return _tell(check_complete(corpus, source, out, chosen), out)
    files = _files(corpus, source, chosen, from_)
    if dry_run:
        _table(rows(files))
        return 0
    _ask(accept_licence)
    settings = {"corpus": corpus}
    with storage.hold_output(out, "a corpus", settings, say=cli.say) as claim:
        fetched = _fetch(files, out, claim.check)
        found = check_complete(corpus, source, out, chosen)
        claim.check()
        counts = {"inputs": len(files), "ok": len(files), "degraded": 0, "failed": 0}
        record = storage.RunRecord(
            job="fetch", arguments=arguments, counts=counts, seconds=clock.seconds,
            started=clock.started, files=[each.name for each in fetched],
            extra={"licence": source.licence, "citation": source.citation, "clips": found.clips,
                   "missing": found.missing, "fetched": fetched},
        )  # fmt: skip
        storage.write_run_record(out, record)
    return _tell(found, out)


def _show(source: "Source") -> None:
    cli.say(source.title)
    cli.say(f"  licence: {source.licence}")
    cli.say(f"  to cite: {source.citation}")
    cli.say(f"  from:    {source.page}")


def _files(corpus: str, source: "Source", chosen: "Selection", from_: str | None) -> list["Wanted"]:
    """What there is to fetch, of the publisher or of ``--from``."""
    from emotion_core.fetching.listings import elsewhere, published, ravdess_names, told_by
    from emotion_core.fetching.plan import select, with_sizes

    if from_ is None:
        if source.record is None:
            raise UsageError(f"{corpus} cannot simply be downloaded: {source.page}: "
                             f"{source.by_hand}")  # fmt: skip
        files = published(source.record)
    else:
        told, trouble = told_by(source)
        if trouble:
            cli.say(f"checksums are compared where this package knows them: {trouble}")
        names = ravdess_names() if corpus == "ravdess" else list(told)
        files = elsewhere(from_, names, told)
    if corpus == "ravdess":
        files = select(files, chosen)
    return with_sizes(files)


def _ask(accepted: bool) -> None:
    if accepted:
        return
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: read the licence and pass --accept-licence")
    if not typer.confirm("Do you accept these terms?"):
        raise UsageError("the terms were not accepted: nothing was fetched")


def _fetch(files: list["Wanted"], out: str, check: storage.Check) -> list["Fetched"]:
    """All files, one after the other; a line for those whose checksum nobody publishes."""
    from emotion_core.fetching.transfer import fetch_file, refuse_without_room

    refuse_without_room(files, out)
    fetched = []
    with _progress(files) as progress:
        for file in files:
            check()
            counter = _Megabytes(progress, file.name)
            fetched.append(fetch_file(file, out, counter.advance, check=check))
    new = [each for each in fetched if each.new]
    cli.say(f"{len(new)} files fetched, {len(fetched) - len(new)} were there already")
    unchecked = sum(not each.checked for each in new)
    if unchecked:
        cli.say(f"{unchecked} of them have no published checksum: theirs are in run.json")
    return fetched


def _progress(
    files: list["Wanted"],
) -> AbstractContextManager[Callable[[int, str], None]]:
    from emotion_core.report.progress import progress

    total = sum(file.size or 0 for file in files)
    return progress(cli.console, "fetch, MB", math.ceil(total / _MB))


class _Megabytes:
    """Bytes of one file, told by the megabyte."""

    def __init__(self, progress: Callable[[int, str], None], name: str):
        self._progress, self._name, self._bytes, self._told = progress, name, 0, 0

    def advance(self, size: int) -> None:
        """So many more bytes are there, or fewer."""
        self._bytes += size
        if (now := self._bytes // _MB) != self._told:
            self._progress(now - self._told, self._name)
            self._told = now


def _table(rows: list) -> None:
    from rich.table import Table

    from emotion_core.text import as_markup

    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(as_markup(cell) for cell in row.values()))
    cli.console.print(table)


def _tell(found: "Complete", out: str) -> int:
    cli.say(f"{found.clips:,} clips of {found.groups} {found.by}s in {out}")
    for line in found.missing[:10]:
        cli.say(f"missing: {line}")
    if len(found.missing) > 10:
        cli.say(f"missing: and {len(found.missing) - 10} more like these")
    return cli.EXIT_FAILED_ROWS if found.missing else 0
