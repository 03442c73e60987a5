"""The campaign in figures: a table for the console, JSON, and the table of docs/reliability.md.

python -m chaos.summary docs/reliability.json                        prints the table in Markdown
python -m chaos.summary docs/reliability.json --add OUT/summary.json   adds another campaign to it
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from chaos.trials import Trial
from emotion_core import cli

_SUMS = ("times", "rows", "lost", "doubled", "errors")

Line = dict[str, Any]


def summarised(trials: Iterable[Trial]) -> list[Line]:
    """One line for each kind of fault, in the order in which they were met."""
    lines: dict[tuple[str, str], Line] = {}
    for trial in trials:
        new = {"fault": trial.fault, "line": trial.line, **dict.fromkeys(_SUMS, 0)}
        line = lines.setdefault(
            (trial.fault, trial.line), {**new, "wrong": 0, "dates": [], "parts": {}}
        )
        for name in _SUMS:
            line[name] += getattr(trial, name)
        line["wrong"] += bool(trial.wrong)
        for part, times in trial.parts.items():
            line["parts"][part] = line["parts"].get(part, 0) + times
        line["dates"] = sorted({*line["dates"], trial.date})
    return list(lines.values())


def totals(lines: Iterable[Line]) -> dict[str, dict[str, int]]:
    """The same by set of faults."""
    sums: dict[str, dict[str, int]] = {}
    for line in lines:
        total = sums.setdefault(line["fault"], dict.fromkeys((*_SUMS, "wrong"), 0))
        for name in total:
            total[name] += line[name]
    return sums


def words(line: Line) -> str:
    """What was caused, and how often each where it was several things."""
    parts = ", ".join(f"{part} {times}" for part, times in sorted(line["parts"].items()))
    return f"{line['line']}: {parts}" if parts else str(line["line"])


def table(lines: Iterable[Line]) -> Table:
    """For the console."""
    shown = Table("fault", "caused", "rows", "lost", "doubled", "error", "else wrong")
    for column in shown.columns[1:]:
        column.justify = "right"
    for line in lines:
        figures = (f"{line[name]:,}" for name in (*_SUMS, "wrong"))
        shown.add_row(words(line), *figures)
    return shown


def results(trials: Iterable[Trial], happens: Mapping[str, str]) -> dict[str, Any]:
    """What is kept of a campaign.

    Args:
        trials: all of them.
        happens: of each set of faults, what becomes of the rows.
    """
    lines = summarised(trials)
    dates = [date for line in lines for date in line.pop("dates")]
    return {
        "dates": sorted(set(dates)),
        "happens": {line["fault"]: happens[line["fault"]] for line in lines},
        "lines": lines,
        "totals": totals(lines),
    }


def added(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Two campaigns as one. Of the same seed, the same trials count twice."""
    lines: dict[tuple[str, str], Line] = {}
    for line in (*one["lines"], *two["lines"]):
        empty = dict.fromkeys((*_SUMS, "wrong"), 0)
        new = {"fault": line["fault"], "line": line["line"], **empty, "parts": {}}
        sums = lines.setdefault((line["fault"], line["line"]), new)
        for name in empty:
            sums[name] += line[name]
        for part, times in line["parts"].items():
            sums["parts"][part] = sums["parts"].get(part, 0) + times
    return {
        "dates": sorted({*one["dates"], *two["dates"]}),
        "happens": {**one["happens"], **two["happens"]},
        "lines": list(lines.values()),
        "totals": totals(lines.values()),
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The table of a document: each set of faults with its command, and its lines."""
    rows = [
        "| fault, and what happens | caused | rows | lost | doubled | `error` |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for fault, happens in found["happens"].items():
        rows.append(f"| **{happens}** (`--only {fault}`) | | | | | |")
        for line in found["lines"]:
            if line["fault"] == fault:
                figures = " | ".join(f"{line[name]:,}" for name in _SUMS)
                rows.append(f"| {words(line)} | {figures} |")
    return "\n".join(rows)


def main(
    kept: Annotated[Path, typer.Argument(help="A campaign's summary.json.")],
    add: Annotated[
        Path | None, typer.Option(help="Another one's, of another seed: added to the first file.")
    ] = None,
) -> None:
    """Print the table of a campaign."""
    found = json.loads(kept.read_text("utf-8"))
    if add is not None:
        found = added(found, json.loads(add.read_text("utf-8")))
        kept.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    print(markdown(found))


if __name__ == "__main__":
    cli.run(main)
