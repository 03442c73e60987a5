"""The table of benchmarks/across.sh: models by the corpora that they never heard.

python benchmarks/across.py EVALUATIONS
"""

from pathlib import Path
from typing import Annotated

import typer

from emotion_core import cli, storage
from emotion_core.errors import UsageError


def cells(evaluations: Path) -> dict[str, dict[str, str]]:
    """What ``EVALUATIONS/MODEL/CORPUS`` say: model -> corpus -> WAR, UAR and ECE."""
    found: dict[str, dict[str, str]] = {}
    for path in sorted(evaluations.glob("*/*/metrics.json")):
        metrics = storage.read_json(str(path))
        if metrics["speakers_known_to_model"]:
            raise UsageError(f"{path}: the model has met speakers of that corpus")
        model, corpus = path.parts[-3:-1]
        told = f"{metrics['war']:.1%}, UAR {metrics['uar']:.1%}, ECE {metrics['ece_mass']:.3f}"
        found.setdefault(model, {})[corpus] = told
    return found


def main(
    evaluations: Annotated[Path, typer.Argument(help="OUT/evaluations of benchmarks/across.sh.")],
) -> None:
    """Print a line for every model, a column for every corpus, as Markdown."""
    found = cells(evaluations)
    if not found:
        raise UsageError(f"{evaluations}: no evaluation there: run benchmarks/across.sh first")
    corpora = sorted({corpus for told in found.values() for corpus in told})
    rows = [
        ["learned from", *corpora],
        ["---"] * (1 + len(corpora)),
        *([f"`{model}`", *(told.get(c, "") for c in corpora)] for model, told in found.items()),
    ]
    for row in rows:
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    cli.run(main)
