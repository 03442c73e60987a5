"""Tables for the end of a job: how many clips fared how, and why."""

from collections import Counter
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from emotion_core.storage.schemas import REASONS, STATUSES
from emotion_core.text import as_markup


def count_statuses(clips: pa.Table) -> dict[str, int]:
    """``inputs`` and the number of rows of each status, as ``run.json`` holds them."""
    found = Counter(clips["status"].to_pylist())
    return {"inputs": len(clips), **{status: found[status] for status in STATUSES}}


def show_counts(console: Console, title: str, clips: pa.Table, by: str | None = None) -> None:
    """A row of counts for each value of the column ``by``, and one for all.

    Args:
        console: where to print.
        title: above the table; no markup.
        clips: rows with ``status``, ``duration_s`` and the column ``by``.
        by: a column such as ``corpus``; None shows the totals only.
    """
    table = Table(title=as_markup(title), title_justify="left")
    table.add_column(by or "", justify="left")
    for heading in ("inputs", *STATUSES, "minutes"):
        table.add_column(heading, justify="right")
    groups = sorted({str(value) for value in clips[by].to_pylist()}) if by else []
    keys = [str(value) for value in clips[by].to_pylist()] if by else []
    for group in groups if len(groups) > 1 else []:
        table.add_row(
            as_markup(group), *_cells(clips.filter(pa.array([key == group for key in keys])))
        )
    label = as_markup(groups[0]) if len(groups) == 1 else "all"
    table.add_row(label, *_cells(clips), style="bold")
    console.print(table)


def _cells(clips: pa.Table) -> list[str]:
    minutes = sum(filter(None, clips["duration_s"].to_pylist())) / 60
    return [*(f"{n:,}" for n in count_statuses(clips).values()), f"{minutes:,.1f}"]


def show_reasons(console: Console, clips: pa.Table) -> None:
    """What was missing or broken: each reason with its count, its meaning and one example."""
    rows = [row for row in clips.to_pylist() if row["status"] != "ok"]
    if not rows:
        return
    table = Table(title="What was missing", title_justify="left")
    for heading in ("reason", "clips", "meaning", "for example"):
        table.add_column(heading, overflow="fold")
    counts = Counter(reason for row in rows for reason in row["reasons"])
    for reason, count in counts.most_common():
        first = next(row for row in rows if reason in row["reasons"])
        table.add_row(reason, f"{count:,}", REASONS[reason], as_markup(_example(first)))
    console.print(table)


def _example(row: dict[str, Any]) -> str:
    name = str(row["uri"]).rsplit("/", 1)[-1]
    return f"{name}: {row['error']}" if row["error"] else name
