"""The campaign in figures: a table for the console, JSON, and the table of docs/reliability.md.

python -m chaos.summary docs/reliability.json                        prints the table in Markdown
python -m chaos.summary docs/reliability.json --add OUT/summary.json   adds another campaign to it
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
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
    return _summed({**asdict(trial), "wrong": bool(trial.wrong)} for trial in trials)


def _summed(lines: Iterable[Mapping[str, Any]]) -> list[Line]:
    """Lines, or trials, of the same kind as one."""
    sums: dict[tuple[str, str], Line] = {}
    for line in lines:
        key = line["fault"], line["line"]
        empty = {"fault": key[0], "line": key[1], **dict.fromkeys((*_SUMS, "wrong"), 0)}
        found = sums.setdefault(key, {**empty, "parts": {}})
        for name in (*_SUMS, "wrong"):
            found[name] += line[name]
        for part, times in line["parts"].items():
            found["parts"][part] = found["parts"].get(part, 0) + times
    return list(sums.values())


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
    met = list(trials)
    lines = summarised(met)
    return {
        "dates": sorted({trial.date for trial in met}),
        "happens": {line["fault"]: happens[line["fault"]] for line in lines},
        "lines": lines,
        "totals": totals(lines),
    }


def added(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    """Two campaigns as one. Of the same seed, the same trials count twice."""
    lines = _summed((*one["lines"], *two["lines"]))
    return {
        "dates": sorted({*one["dates"], *two["dates"]}),
        "happens": {**one["happens"], **two["happens"]},
        "lines": lines,
        "totals": totals(lines),
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
