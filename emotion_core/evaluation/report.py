"""Figures on the terminal: how good, how sure, for whom, and fold by fold."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from emotion_core.evaluation.metrics import BINS, SHARES, Assessment, Figures
from emotion_core.text import as_markup

NAMES = {"war": "WAR", "uar": "UAR", "macro_f1": "macro F1", "ece": "ECE"}
_MOST_PEOPLE = 24


def evaluation_tables(found: Assessment, metrics: Mapping[str, Any], title: str) -> list[Table]:
    """Everything that the terminal shows of an evaluation.

    Args:
        found: all answers, of all folds together.
        metrics: as ``metrics.json`` holds them: ``folds``, ``mean`` and ``std`` where there are
            folds.
        title: what was measured; no markup.
    """
    title = as_markup(title)
    people = speakers_table(found)
    if "folds" not in metrics:
        tables = [shares_table(found, title), confusion_table(found.figures)]
    else:
        tables = [
            folds_table(metrics["folds"], metrics["mean"], metrics["std"], title),
            shares_table(found, "all folds pooled"),
            confusion_table(found.figures),
        ]
    if alone := metrics.get("alone"):
        tables.insert(-1, alone_table(alone))
    tables.append(coverage_table(found))
    return tables if people is None else [*tables, people]


def shares_table(found: Assessment, title: str) -> Table:
    """WAR, UAR and macro F1 with their intervals, and the calibration."""
    intervals = found.intervals
    table = Table(
        title=f"{title}: {found.figures.n} clips",
        title_justify="left",
        caption=f"bootstrap over {intervals.units} {intervals.unit}"
        + ("" if intervals.unit == "speakers" else " (of these people only)"),
        caption_justify="left",
    )
    table.add_column("")
    table.add_column("", justify="right", style="bold")
    table.add_column("95 % interval")
    for name in SHARES:
        low, high = getattr(intervals, name)
        table.add_row(
            NAMES[name], f"{getattr(found.figures, name):.1%}", f"{low:.1%} to {high:.1%}"
        )
    before = found.uncalibrated
    was = f", {before.ece:.3f} before calibration" if before else ""
    table.add_row("ECE", f"{found.calibration.ece:.3f}", f"{BINS} bins of confidence{was}")
    was = f", {before.ece_mass:.3f} before" if before else ""
    table.add_row("", f"{found.calibration.ece_mass:.3f}", f"{BINS} bins of equally many{was}")
    return table


def alone_table(alone: Mapping[str, Mapping[str, Any]]) -> Table:
    """What a fusion makes of each modality: ``n``, ``war`` and ``uar`` by its name."""
    table = Table(title="each modality alone, the other hidden", title_justify="left")
    for heading in ("", "clips", "WAR", "UAR"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, found in alone.items():
        table.add_row(
            {"audio": "sound", "face": "faces"}[name],
            str(found["n"]),
            _cell("war", found["war"]),
            _cell("uar", found["uar"]),
        )
    return table


def coverage_table(found: Assessment) -> Table:
    """How right the model is where it is surest: what a least confidence would buy."""
    table = Table(title="the surest answers only", title_justify="left")
    for heading in ("share of clips", "confidence at least", "right"):
        table.add_column(heading, justify="right")
    for row in found.calibration.coverage[1::2]:
        table.add_row(f"{row.share:.0%}", f"{row.confidence:.2f}", f"{row.accuracy:.1%}")
    return table


def confusion_table(found: Figures) -> Table:
    """Confusion matrix with the recall of each class."""
    table = Table(
        caption="rows: the true class; columns: what the model said", caption_justify="left"
    )
    table.add_column("")
    for label in found.labels:
        table.add_column(label[:5], justify="right")  # eight whole words do not fit 80 columns
    table.add_column("recall", justify="right", style="bold")
    for label, counts in zip(found.labels, found.confusion, strict=True):
        recall = found.per_class_recall[label]
        cells = [str(count) if count else "·" for count in counts]
        table.add_row(label, *cells, "none here" if recall is None else f"{recall:.1%}")
    return table


def speakers_table(found: Assessment) -> Table | None:
    """Share of clips right for each person, lowest first; None where nobody is named."""
    people = sorted(found.per_speaker.items(), key=lambda item: (item[1][1], item[0]))
    if not people:
        return None
    table = Table(title=f"{len(people)} speakers, lowest accuracy first", title_justify="left")
    columns = 2
    for _ in range(columns):
        table.add_column("speaker")
        table.add_column("clips", justify="right")
        table.add_column("right", justify="right", style="bold")
    if len(people) > _MOST_PEOPLE:
        half = _MOST_PEOPLE // 2
        table.caption = f"the {half} lowest and the {half} highest; all are in metrics.json"
        people = [*people[:half], *people[-half:]]
    cells = [(as_markup(name), str(n), f"{war:.1%}") for name, (n, war) in people]
    rows = -(-len(cells) // columns)
    for row in range(rows):
        table.add_row(*(cell for each in cells[row::rows] for cell in each))
    return table


def folds_table(
    folds: Sequence[Mapping[str, Any]],
    mean: Mapping[str, float],
    std: Mapping[str, float | None],
    title: str,
    last: str = "model",
) -> Table:
    """One row a fold, then mean and standard deviation.

    Args:
        folds: each with ``split``, ``n``, ``model_id`` and the figures that ``mean`` has.
        mean, std: of the figures.
        title: above the table; rich's markup.
        last: heading of the last column, the model.
    """
    table = Table(
        title=title,
        title_justify="left",
        caption="+-: sample standard deviation over folds",
        caption_justify="left",
    )
    table.add_column("fold")
    table.add_column("clips", justify="right")
    for name in mean:
        table.add_column(NAMES[name], justify="right")
    table.add_column(last)
    for fold in folds:
        cells = [_cell(name, fold[name]) for name in mean]
        table.add_row(
            as_markup(fold["split"]), str(fold["n"]), *cells, as_markup(str(fold["model_id"]))
        )
    table.add_section()
    table.add_row("mean", "", *(_cell(name, value) for name, value in mean.items()), style="bold")
    table.add_row("+-", "", *(_cell(name, std[name]) for name in mean), style="bold")
    return table


def spread(mean: Mapping[str, float], std: Mapping[str, float | None]) -> str:
    """``WAR 52.1 % +- 3.0 %, UAR ...``, in one line."""
    return ", ".join(
        f"{NAMES[name]} {_cell(name, mean[name])}"
        + ("" if std[name] is None else f" +- {_cell(name, std[name])}")
        for name in mean
    )


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if name == "ece" else f"{value:.1%}"
