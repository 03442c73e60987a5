"""What a job would do, as a table: nothing of it is done."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from emotion_core.report.progress import duration
from emotion_core.text import as_markup


@dataclass(frozen=True)
class Kind:
    """Inputs of one kind.

    Attributes:
        inputs: how many.
        size: bytes of them all.
        pending: how many of them have no row yet.
        pending_size: bytes of those.
    """

    inputs: int
    size: int
    pending: int
    pending_size: int


@dataclass(frozen=True)
class Forecast:
    """What a label job would do.

    Attributes:
        kinds: ``video``, ``audio``, ``image``, ``other`` (a name that says nothing), ``gone``.
        sampled: inputs that were labelled for the estimate, or begun.
        media_s: length of all pending media, seconds; None when nothing could be sampled.
        seconds: wall time that the job would take; None likewise.
        workers: videos that it would work on at once.
    """

    kinds: Mapping[str, Kind]
    sampled: int
    media_s: float | None
    seconds: float | None
    workers: int


def show_forecast(console: Console, out: str, forecast: Forecast) -> None:
    """Print it."""
    table = Table(title=f"To be labelled into {as_markup(out)}", title_justify="left")
    for name in ("kind", "inputs", "size", "done", "to do", "size to do"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for name, kind in forecast.kinds.items():
        table.add_row(name, *_cells(kind))
    if len(forecast.kinds) != 1:
        table.add_row("all", *_cells(_sum(forecast.kinds)), style="bold")
    console.print(table)
    if not _sum(forecast.kinds).pending:
        console.print("nothing is left to do")
    elif forecast.seconds is None or forecast.media_s is None:
        console.print("no estimate: nothing that could be tried")
    else:
        console.print(
            f"about {duration(round(forecast.media_s))} of media, "
            f"about {duration(round(forecast.seconds))} with {forecast.workers} at once "
            f"({forecast.sampled} inputs were tried); nothing was written",
            soft_wrap=True,
        )


def _sum(kinds: Mapping[str, Kind]) -> Kind:
    rows = kinds.values()
    return Kind(
        sum(kind.inputs for kind in rows),
        sum(kind.size for kind in rows),
        sum(kind.pending for kind in rows),
        sum(kind.pending_size for kind in rows),
    )


def _cells(kind: Kind) -> list[str]:
    done = kind.inputs - kind.pending
    return [
        f"{kind.inputs:,}",
        _bytes(kind.size),
        f"{done:,}",
        f"{kind.pending:,}",
        _bytes(kind.pending_size),
    ]


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
