"""Measure a model on labelled features: --model MODEL --features FEATURES --out EVALUATION."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_core import storage
from emotion_core.cli import console, say
from emotion_core.errors import UsageError
from emotion_core.text import as_markup

if TYPE_CHECKING:
    from emotion_core.evaluation.answering import Evaluation
    from emotion_core.evaluation.metrics import Assessment

METRICS, PREDICTIONS, LATEX = "metrics.json", "predictions.parquet", "tables.tex"
SIDES_OR_ALL = ("test", "validation", "train", "all")


def main(
    model: Annotated[
        list[str],
        typer.Option(
            help="output of jobs/train.py (any URI), or voice or face, which come with the "
            "package; repeated: they answer together"
        ),
    ],
    features: Annotated[
        list[str],
        typer.Option(help="output of jobs/preprocess.py (any URI); one for all, or one per model"),
    ],
    out: Annotated[str, typer.Option(help="folder for figures and predictions (any URI)")],
    split: Annotated[
        str | None, typer.Option(help="protocol; default: the one the model was trained under")
    ] = None,
    side: Annotated[
        str, typer.Option(help="test, validation or train of the split; all: every clip, no split")
    ] = "test",
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code", help="run a model's own network, which is code of whoever made it"
        ),
    ] = False,
    latex: Annotated[
        bool,
        typer.Option("--latex", help="write the tables shown to tables.tex too, with booktabs"),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="replace another evaluation at --out")
    ] = False,
) -> int:
    """Figures and predictions of a model, of all folds, or of several models together.

    A model trained with --split ...:all is measured fold by fold, each on the speakers that it has
    not met. Several models answer with the mean of those that can judge a clip.
    """
    if side not in SIDES_OR_ALL:
        raise UsageError(f"--side {side}: choose one of {', '.join(SIDES_OR_ALL)}")
    arguments = dict(locals())
    out = storage.absolute(out)
    # heavy imports only after the command line was understood
    import torch

    from emotion_core.evaluation.answering import assess_all
    from emotion_core.evaluation.fold_queries import fold_queries, predict, predict_alone
    from emotion_core.evaluation.folds import ModelCache, find_folds
    from emotion_core.evaluation.summary import metrics_of
    from emotion_core.models.shipped import bundle_uri

    clock = storage.Clock()
    folded, folds = find_folds([bundle_uri(each) for each in model])
    cache = ModelCache("cuda" if torch.cuda.is_available() else "cpu", trust_code)
    queries = fold_queries(folds, cache, features, None if split == folded else split, side)
    sets = {id(each): each for query in queries for each in query.features}.values()
    settings = {
        "model": {query.fold.name: query.model_id for query in queries},
        "features": [each.fingerprint for each in sets],
        "split": [query.split for query in queries],
        "side": side,
    }
    with storage.hold_output(out, "an evaluation", settings, overwrite, say=say) as claim:
        # fold by fold: the cache holds the models of one
        both = [(predict(query, cache), predict_alone(query, cache)) for query in queries]
        answered, alone = [one for one, _ in both], [each for _, each in both]
        found = assess_all(answered)
        protocol = None if folded is None else split or folded
        metrics = metrics_of(queries, answered, found, side, protocol, alone)
        title = f"{metrics['recipe']}, {metrics['split'] or 'no split'}, {side}"
        claim.check()
        files = _write(out, title, found, answered, metrics)
        files += _write_latex(out, title, found, metrics) if latex else ()
        record = storage.RunRecord(
            job="evaluate",
            arguments=arguments,
            counts={"inputs": found.figures.n, "ok": found.figures.n, "degraded": 0, "failed": 0},
            seconds=clock.seconds,
            started=clock.started,
            files=files,
            extra={"model_id": settings["model"]},
        )
        claim.check()
        storage.write_run_record(out, record)
    _show(title, found, metrics)
    say(f"written to {out}: {', '.join(files)}")
    return 0


def _write(
    out: str,
    title: str,
    found: "Assessment",
    answered: Sequence["Evaluation"],
    metrics: dict[str, Any],
) -> tuple[str, ...]:
    from emotion_core.evaluation.answering import predictions_of
    from emotion_core.evaluation.pictures import evaluation_pictures

    pictures = evaluation_pictures(found, title)
    for name, png in pictures.items():
        storage.write_bytes(storage.join(out, name), png)
    ids = "+".join(dict.fromkeys(each["model_id"] for each in metrics["models"]))
    storage.write_parquet(
        storage.join(out, PREDICTIONS), predictions_of(answered), {"model_id": ids}
    )
    storage.write_json(storage.join(out, METRICS), metrics)
    return METRICS, PREDICTIONS, *pictures


def _write_latex(
    out: str, title: str, found: "Assessment", metrics: dict[str, Any]
) -> tuple[str, ...]:
    from emotion_core.evaluation.latex import latex_document
    from emotion_core.evaluation.report import evaluation_tables

    text = latex_document(evaluation_tables(found, metrics, title))
    storage.write_bytes(storage.join(out, LATEX), text.encode())
    return (LATEX,)


def _show(title: str, found: "Assessment", metrics: dict[str, Any]) -> None:
    from emotion_core.evaluation.channels import songs_remark
    from emotion_core.evaluation.report import evaluation_tables
    from emotion_core.evaluation.speakers import strangers_remark

    for table in evaluation_tables(found, metrics, title):
        console.print(table)
    if metrics["side"] == "test":
        known = len(metrics["speakers_known_to_model"])
        split, channels = metrics["split"], metrics["channels"]
        for remark in filter(None, (strangers_remark(split, known), songs_remark(split, channels))):
            console.print(f"[yellow]warning:[/] {as_markup(remark)}")
