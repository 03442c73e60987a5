"""The table of docs/results.md, from the evaluations that benchmarks/results.sh leaves.

python benchmarks/results.py OUT
"""

from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError

_HEAD = ("recipe", "split", "clips", "WAR", "UAR", "macro F1", "epochs", "an epoch")


def figure(metrics: dict[str, Any], name: str) -> str:
    """A share as per cent: with its interval, or mean and deviation over folds."""
    if "folds" in metrics:
        return f"{100 * metrics['mean'][name]:.1f} ± {100 * metrics['std'][name]:.1f} %"
    low, high = metrics["intervals"][name]
    return f"{100 * metrics[name]:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def epochs(model: Path) -> list[float]:
    """Seconds of every epoch, over all folds."""
    histories = [storage.read_json(str(path)) for path in sorted(model.rglob("history.json"))]
    return [row["seconds"] for history in histories for row in history]


def row(evaluation: Path) -> list[str]:
    """One line of the table.

    Args:
        evaluation: what ``jobs/evaluate.py`` wrote to ``--out``.
    """
    metrics = storage.read_json(str(evaluation / "metrics.json"))
    (model,) = storage.read_json(str(evaluation / "run.json"))["arguments"]["model"]
    seconds = epochs(Path(model))
    return [
        f"`{metrics['recipe']}`",
        f"`{metrics['split']}`",
        f"{metrics['n']:,}",
        *(figure(metrics, name) for name in ("war", "uar", "macro_f1")),
        str(len(seconds)),
        f"{median(seconds):.1f} s",  # not the mean: a machine that others use has its moments
    ]


def main(out: Annotated[Path, typer.Argument(help="OUT of benchmarks/results.sh.")]) -> None:
    """Print a line for every evaluation below OUT, as Markdown."""
    found = sorted(path.parent for path in out.rglob("predictions.parquet"))
    if not found:
        raise UsageError(f"{out}: no evaluation there: run benchmarks/results.sh first")
    for cells in (_HEAD, ["---"] * len(_HEAD), *map(row, found)):
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    cli.run(main)
