"""Pictures of figures, as PNG bytes. Drawn off screen, so that they also work on a cluster."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from emotion_core.evaluation.metrics import Figures
from emotion_core.report.drawing import BLUE, DARK, GREY, ORANGE, png


def confusion_png(figures: Figures, title: str) -> bytes:
    """Confusion matrix: colour is the share of the true class (a row), numbers are clips."""
    counts = np.array(figures.confusion)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = 1.8 + 0.72 * len(counts)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        if counts[row, column]:
            axes.text(
                column,
                row,
                f"{counts[row, column]}\n{share:.0%}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share > 0.55 else DARK,
            )
    places = np.arange(len(counts))
    axes.set_xticks(places, figures.labels, rotation=40, ha="right", rotation_mode="anchor")
    names = [
        f"{label} ({total})" for label, total in zip(figures.labels, totals[:, 0], strict=True)
    ]
    axes.set_yticks(places, names)
    axes.set_xticks(places[1:] - 0.5, minor=True)
    axes.set_yticks(places[1:] - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (clips)")
    axes.set_title(_titled(title, figures), fontsize=11, loc="left")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, format=PercentFormatter(1.0))
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    return png(figure)


def recall_png(figures: Figures, title: str) -> bytes:
    """Recall of each class as bars, with UAR and chance as lines."""
    present = [(label, value) for label, value in figures.per_class_recall.items()
               if value is not None]  # fmt: skip
    labels = [label for label, _ in present]
    values = [value for _, value in present]
    figure = Figure(figsize=(7.2, 1.6 + 0.42 * len(labels)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(labels, values, color=BLUE, height=0.68)
    axes.bar_label(bars, [f"{value:.0%}" for value in values], padding=4, fontsize=9)
    chance = 1 / max(1, len(labels))
    axes.axvline(figures.uar, color=ORANGE, linewidth=1.6, label=f"UAR {figures.uar:.1%}")
    axes.axvline(chance, color=GREY, linewidth=1.2, linestyle=":", label=f"chance {chance:.0%}")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("recall")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower right", ncols=2, frameon=False, fontsize=9)
    axes.set_title(_titled(title, figures), fontsize=11, loc="left")
    return png(figure)


def learning_png(history: Sequence[dict[str, Any]], title: str) -> bytes:
    """Loss and accuracy over the epochs, the chosen epoch marked, and where each phase begins.

    Args:
        history: ``EpochRow`` objects as JSON values.
        title: above the picture.
    """
    epochs = [row["epoch"] + 1 for row in history]
    best = max((row["epoch"] + 1 for row in history if row["best"]), default=None)
    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, share = figure.subplots(1, 2)
    _line(loss, epochs, history, "loss", "training", GREY)
    _line(loss, epochs, history, "validation_loss", "validation", BLUE)
    loss.set_ylabel("loss (cross entropy)")
    loss.set_ylim(0, 1.08 * loss.get_ylim()[1])
    _line(share, epochs, history, "war", "training WAR (augmented clips)", GREY)
    _line(share, epochs, history, "validation_war", "validation WAR", ORANGE)
    _line(share, epochs, history, "validation_uar", "validation UAR", BLUE)
    share.set_ylabel("share of clips right")
    share.set_ylim(0, 1)
    share.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (loss, share):
        _phases(axes, history)
        if best is not None:
            axes.axvline(best, color=DARK, linewidth=1, linestyle=":", label=f"epoch {best}")
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(len(epochs), 1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    return png(figure)


def _phases(axes: Axes, history: Sequence[dict[str, Any]]) -> None:
    """A thin line before the first epoch of each phase, with its name, where there are several."""
    names = [row["phase"] for row in history]
    begins = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    if len(begins) < 2:
        return
    for place in begins:
        axes.axvline(place + 0.5, color=GREY, linewidth=0.8)
        axes.text(
            place + 0.5,
            0.995,
            f" {names[place]}",
            transform=axes.get_xaxis_transform(),
            va="top",
            fontsize=8,
            color=GREY,
        )


def _line(
    axes: Axes,
    epochs: list[int],
    history: Sequence[dict[str, Any]],
    key: str,
    label: str,
    colour: str,
) -> None:
    values = [row[key] for row in history]
    if any(value is not None for value in values):
        # a marker each while there are few: a training of one epoch is a point, not an empty box
        marker = "o" if len(epochs) <= 15 else None
        drawn = [np.nan if value is None else value for value in values]
        axes.plot(epochs, drawn, label=label, color=colour, marker=marker, markersize=4)


def _titled(title: str, figures: Figures) -> str:
    return (
        f"{title}\nWAR {figures.war:.1%}   UAR {figures.uar:.1%}   "
        f"macro F1 {figures.macro_f1:.1%}   n = {figures.n}"
    )
