"""Measure a model on labelled features: --model MODEL --features FEATURES --out EVALUATION."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from emotion_core import storage
from emotion_core.cli import console, run
from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from emotion_core.metrics import Figures

METRICS, PREDICTIONS = "metrics.json", "predictions.parquet"
SIDES_OR_ALL = ("test", "validation", "train", "all")


def main(
    model: Annotated[str, typer.Option(help="model bundle of jobs/train.py (any URI)")],
    features: Annotated[str, typer.Option(help="output of jobs/preprocess.py (any URI)")],
    out: Annotated[str, typer.Option(help="folder for figures and predictions (any URI)")],
    split: Annotated[
        str | None, typer.Option(help="protocol; default: the one the model was trained under")
    ] = None,
    side: Annotated[
        str, typer.Option(help="test, validation or train of the split; all: every clip, no split")
    ] = "test",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace another evaluation at --out")
    ] = False,
) -> int:
    """Figures and predictions of a model on one side of a split."""
    if side not in SIDES_OR_ALL:
        raise UsageError(f"--side {side}: choose one of {', '.join(SIDES_OR_ALL)}")
    arguments = dict(locals())
    # heavy imports only after the command line was understood
    import torch

    from emotion_core.bundle import load_bundle
    from emotion_core.corpora.splits import assign_split
    from emotion_core.evaluation import check_speakers, evaluate, load_matching_features
    from emotion_core.report.plots import confusion_png, recall_png

    started, clock = storage.utc_now(), time.perf_counter()
    bundle = load_bundle(model, "cuda" if torch.cuda.is_available() else "cpu")
    found = load_matching_features(bundle, features)
    spec = None if side == "all" else split or bundle.info.split
    if spec is not None:
        found = found.select(assign_split(spec, found.clips, bundle.info.seed) == side)
    known = check_speakers(bundle, found, spec)
    settings = {
        "model": bundle.model_id, "features": found.fingerprint, "split": spec, "side": side,
    }  # fmt: skip
    storage.start_output(out, "an evaluation", settings, overwrite)
    result = evaluate(bundle, found)
    title = f"{bundle.recipe.name}, {spec or 'no split'}, {side}"
    pictures = {
        "confusion.png": confusion_png(result.figures, title),
        "recall.png": recall_png(result.figures, title),
    }
    for name, png in pictures.items():
        storage.write_bytes(storage.join(out, name), png)
    storage.write_parquet(
        storage.join(out, PREDICTIONS), result.predictions, {"model_id": bundle.model_id}
    )
    metrics = {
        **result.figures.to_json(),
        "model_id": bundle.model_id,
        "recipe": bundle.recipe.name,
        "split": spec,
        "side": side,
        "seed": bundle.info.seed,
        "speakers": found.speakers,
        "speakers_known_to_model": known,
        "left_out": found.left_out,
    }
    storage.write_json(storage.join(out, METRICS), metrics)
    storage.write_run_record(
        out,
        storage.RunRecord(
            job="evaluate",
            arguments=arguments,
            counts={"inputs": len(found), "ok": len(found), "degraded": 0, "failed": 0},
            seconds=round(time.perf_counter() - clock, 1),
            started=started,
            files=(METRICS, PREDICTIONS, *pictures),
            extra={"model_id": bundle.model_id},
        ),
    )
    _show(title, result.figures, known if side == "test" else [])
    console.print(f"written to {out}: {METRICS}, {PREDICTIONS}, {', '.join(pictures)}")
    return 0


def _show(title: str, figures: "Figures", known: list[str]) -> None:
    table = Table(
        title=f"{title}: WAR {figures.war:.1%}, UAR {figures.uar:.1%}, "
        f"macro F1 {figures.macro_f1:.1%}, {figures.n} clips",
        title_justify="left",
        caption="rows: the true class; columns: what the model said",
        caption_justify="left",
    )
    table.add_column("")
    for label in figures.labels:
        table.add_column(label[:5], justify="right")  # eight whole words do not fit 80 columns
    table.add_column("recall", justify="right", style="bold")
    for label, counts in zip(figures.labels, figures.confusion, strict=True):
        recall = figures.per_class_recall[label]
        cells = [str(count) if count else "·" for count in counts]
        table.add_row(label, *cells, "none here" if recall is None else f"{recall:.1%}")
    console.print(table)
    if known:
        console.print(
            f"[yellow]warning:[/] the model was trained on {len(known)} of these speakers: the "
            "figures say nothing about people whom it has not met"
        )


if __name__ == "__main__":
    run(main)
