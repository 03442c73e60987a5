"""Pictures of how far figures can be trusted: calibration, and the spread over people."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from emotion_core.evaluation.metrics import BINS, Assessment, Calibration
from emotion_core.report.drawing import BLUE, DARK, GREY, ORANGE, literal, png

_MOST_PEOPLE = 60


def reliability_png(found: Calibration, title: str) -> bytes:
    """How often the model is right against how sure it says it is, and how many clips that are.

    Bars below the diagonal: it is right less often than it says.
    """
    edges = np.linspace(0, 1, BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    figure = Figure(figsize=(5.4, 6), layout="constrained")
    right, clips = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    right.bar(middles, np.nan_to_num(found.accuracy), 1 / BINS, color=BLUE, edgecolor="white")
    right.plot((0, 1), (0, 1), color=GREY, linewidth=1.2, linestyle=":", label="as it says")
    there = found.counts > 0
    right.plot(
        found.confidence[there],
        found.accuracy[there],
        color=ORANGE,
        marker="o",
        markersize=4,
        linewidth=1.4,
        label="mean confidence and accuracy of a bin",
    )
    right.set_ylabel("share of clips right")
    right.set_ylim(0, 1)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=9)
    clips.bar(middles, found.counts, 1 / BINS, color=GREY, edgecolor="white")
    clips.set_ylabel("clips")
    clips.set_xlabel("confidence (the largest probability)")
    clips.set_xlim(0, 1)
    clips.xaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in (right, clips):
        axes.spines[["top", "right"]].set_visible(False)
    right.set_title(
        f"{title}\nECE {found.ece:.3f} ({BINS} bins)   n = {found.counts.sum()}",
        fontsize=11,
        loc="left",
    )
    return png(figure)


def speakers_png(found: Assessment, title: str) -> bytes | None:
    """Share of clips right for each person, best first; None where fewer than two are named.

    Of more people than fit on a picture, the lowest and the highest.
    """
    people = sorted(found.per_speaker.items(), key=lambda item: item[1][1])
    if len(people) < 2:
        return None
    if len(people) > _MOST_PEOPLE:
        half = _MOST_PEOPLE // 2
        title = f"{title}: the {half} lowest and the {half} highest of {len(people)} speakers"
        people = [*people[:half], *people[-half:]]
    figure = Figure(figsize=(7.2, 1.8 + 0.24 * len(people)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([literal(f"{name} ({n})") for name, (n, _) in people],
                     [war for _, (_, war) in people], color=BLUE, height=0.7)  # fmt: skip
    axes.bar_label(bars, [f"{war:.0%}" for _, (_, war) in people], padding=4, fontsize=8)
    war, (low, high) = found.figures.war, found.intervals.war
    axes.axvspan(low, high, color=ORANGE, alpha=0.15, linewidth=0)
    axes.axvline(war, color=ORANGE, linewidth=1.6)
    axes.set_xlim(0, 1.08)
    axes.set_ylim(-0.7, len(people) - 0.3)
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.tick_params(axis="y", length=0, labelsize=8, colors=DARK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("share of clips right")
    axes.set_title(
        f"{title}\nWAR {war:.1%}, 95 % interval {low:.1%} to {high:.1%} "
        f"({found.intervals.unit} drawn again)",
        fontsize=11,
        loc="left",
    )
    return png(figure)
