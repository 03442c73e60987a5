"""A training on the terminal: its sides, its epochs, its outcome."""

import numpy as np
from rich.table import Table

from emotion_core.training.run import Outcome, Task
from emotion_core.training.snapshot import EpochRow


def sides_table(task: Task) -> Table:
    """Clips, speakers and labels of each side."""
    table = Table(title=f"{task.plan.recipe.name}, split {task.split}", title_justify="left")
    table.add_column("")
    for name in task.sides:
        table.add_column(name, justify="right")
    sides = task.sides.values()
    labels = task.sides["train"].label_set.labels
    table.add_row("clips", *(str(len(side)) for side in sides), style="bold")
    table.add_row("speakers", *(str(len(side.speakers)) for side in sides), end_section=True)
    for index, label in enumerate(labels):
        table.add_row(label, *(str(int(np.sum(side.labels == index))) for side in sides))
    return table


def remarks(task: Task) -> list[str]:
    """What a person should know of the data before trusting a figure."""
    lines = []
    left = [f"{count} {why.replace('_', ' ')}" for why, count in task.left_out.items() if count]
    if left:
        lines.append(f"left out: {', '.join(left)}")
    if task.shared:
        lines.append(
            f"[yellow]warning:[/] {len(task.shared)} speakers both train and are tested: under "
            "this split the figures say nothing about people whom the model has not met"
        )
    return lines


HEAD = "epoch    rate  train loss  validation loss     WAR     UAR  * best so far   seconds"


def epoch_line(row: EpochRow) -> str:
    """One epoch, in the columns of ``HEAD``."""
    start = f"{row.epoch + 1:5d} {row.lr:7.5f} {row.loss:11.3f}"
    if row.validation_uar is None:
        return f"{start}  (no validation side) {row.seconds:9.1f}"
    return (
        f"{start} {row.validation_loss:16.3f} {row.validation_war:7.1%} {row.validation_uar:7.1%}"
        f"  {'*' if row.best else ' ':13} {row.seconds:9.1f}"
    )


def outcome_table(outcome: Outcome, out: str) -> Table:
    """What came of it."""
    table = Table(show_header=False)
    best = outcome.best.epoch + 1
    table.add_row("model", f"{out} ({outcome.model_id}, {outcome.parameters:,} parameters)")
    table.add_row("epochs", f"{len(outcome.history)}, the weights are those of epoch {best}")
    table.add_row("time", f"{sum(row.seconds for row in outcome.history):.0f} s")
    if outcome.validation is not None:
        found = outcome.validation
        table.add_row(
            "validation",
            f"WAR {found.war:.1%}, UAR {found.uar:.1%}, macro F1 {found.macro_f1:.1%} "
            f"({found.n} clips; they chose the epoch)",
        )
    return table
