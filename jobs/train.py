"""Train a recipe on features: --features FEATURES --out MODEL (and --recipe, --split, ...)."""

import os
import time
from typing import Annotated

import typer

from emotion_core import storage
from emotion_core.cli import console, run
from emotion_core.errors import UsageError

Text = str | None
Number = int | None


def main(
    features: Annotated[Text, typer.Option(help="output of jobs/preprocess.py (any URI)")] = None,
    out: Annotated[Text, typer.Option(help="folder for the model bundle (any URI)")] = None,
    recipe: Annotated[
        Text, typer.Option(help="name, path/to/file.py or module:NAME; default: the features' own")
    ] = None,
    split: Annotated[
        Text, typer.Option(help="protocol, e.g. elte or luna5:0; default: the recipe's")
    ] = None,
    num_workers: Annotated[
        Number, typer.Option(min=1, help="default: one per GPU, or one without a GPU")
    ] = None,
    epochs: Annotated[Number, typer.Option(min=1, help="default: the recipe's")] = None,
    batch_size: Annotated[Number, typer.Option(min=1, help="over all workers together")] = None,
    lr: Annotated[float | None, typer.Option(help="highest learning rate")] = None,
    patience: Annotated[Number, typer.Option(min=1, help="epochs to wait for a better one")] = None,
    seed: Annotated[int, typer.Option(help="of weights, order, augmentation, random splits")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="start anew, or go on with what is there")
    ] = False,
    list_recipes: Annotated[
        bool, typer.Option("--list-recipes", help="show what there is to train, and end")
    ] = False,
) -> int:
    """Train a recipe on features and write a model bundle.

    The same command again goes on from the last checkpoint of a run that was stopped, and ends at
    once when the run is finished.
    """
    if list_recipes:
        return _list_recipes()
    if features is None or out is None:
        raise UsageError("--features and --out are needed (or --list-recipes)")
    arguments = {k: v for k, v in locals().items() if k != "list_recipes"}
    # heavy imports only after the command line was understood
    from emotion_core.dataset import feature_settings
    from emotion_core.pipeline.cluster import connect
    from emotion_core.recipes import load_recipe, with_training
    from emotion_core.training.run import KIND, finished, prepare, run_task
    from emotion_core.training.show import HEAD, epoch_line, outcome_table, remarks, sides_table
    from emotion_core.training.trainer import choose_workers

    started, clock = storage.utc_now(), time.perf_counter()
    base = load_recipe(recipe or str(feature_settings(features)["recipe"]))
    chosen = with_training(base, epochs=epochs, batch_size=batch_size, lr=lr, patience=patience)
    task = prepare(features, chosen, split, seed)
    storage.start_output(out, KIND, task.settings, overwrite)
    model = finished(out)
    if model is not None:
        console.print(f"{out} is finished already (model {model.model_id}), nothing to do")
        return 0
    console.print(sides_table(task))
    for remark in remarks(task):
        console.print(remark)
    here = connect()
    in_cluster = os.environ.get("RAY_ADDRESS", "local") != "local"
    workers = choose_workers(num_workers, here.cpus, here.gpus, here.nodes, grows=in_cluster)
    place = f"{workers.count} worker(s) on {'GPU' if workers.use_gpu else 'CPU'}"
    console.print(f"{place}\n{HEAD}", soft_wrap=True)
    outcome = run_task(
        task, out, workers, lambda row: console.print(epoch_line(row), soft_wrap=True)
    )
    used = sum(len(side) for side in task.sides.values())
    failed = task.left_out["failed"]
    left = sum(task.left_out.values()) - failed
    record = storage.RunRecord(
        job="train",
        arguments=arguments,
        counts={"inputs": used + left + failed, "ok": used + left, "degraded": 0, "failed": failed,
                **{f"{name}_clips": len(side) for name, side in task.sides.items()}},
        seconds=round(time.perf_counter() - clock, 1),
        started=started,
        files=outcome.files,
        extra={"model_id": outcome.model_id, "left_out": task.left_out},
    )  # fmt: skip
    storage.write_run_record(out, record)
    console.print(outcome_table(outcome, out))
    console.print(
        f"next: python jobs/evaluate.py --model {out} --features {features} --split {task.split} "
        "--out EVALUATION",
        soft_wrap=True,
    )
    return 0


def _list_recipes() -> int:
    from emotion_core.recipes import RECIPES

    for name, recipe in RECIPES.items():
        console.print(f"[bold]{name}[/]: {recipe.summary}")
        console.print(f"    source: {recipe.source}")
        console.print(f"    labels {recipe.label_set}, protocol {recipe.split}, published: "
                      f"{recipe.published or 'no figure'}")  # fmt: skip
    return 0


if __name__ == "__main__":
    run(main)
