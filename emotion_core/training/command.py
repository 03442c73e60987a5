"""Train a recipe on features: --features FEATURES --out MODEL (and --recipe, --split, ...)."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion_core import storage
from emotion_core.cli import console, say
from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from emotion_core.training.folds import Folds
    from emotion_core.training.task import Task

Text = str | None
Number = int | None


def main(
    features: Annotated[Text, typer.Option(help="output of jobs/preprocess.py (any URI)")] = None,
    out: Annotated[Text, typer.Option(help="folder for the model bundle (any URI)")] = None,
    recipe: Annotated[
        Text, typer.Option(help="name, path/to/file.py or module:NAME; default: the features' own")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            help="KEY=VALUE for the recipe's network, or audio.KEY, video.KEY, training.KEY; "
            "repeatable"
        ),
    ] = None,
    split: Annotated[
        Text, typer.Option(help="e.g. elte, luna5:0, luna5:all; default: the recipe's")
    ] = None,
    num_workers: Annotated[
        Number, typer.Option(min=1, help="one per GPU, or one without; with :all one per fold")
    ] = None,
    folds_at_once: Annotated[
        Number, typer.Option(min=1, help="with :all; default: as many as GPUs or CPUs allow")
    ] = None,
    epochs: Annotated[Number, typer.Option(min=1, help="default: the recipe's")] = None,
    batch_size: Annotated[Number, typer.Option(min=1, help="over all workers together")] = None,
    lr: Annotated[float | None, typer.Option(help="highest learning rate")] = None,
    patience: Annotated[Number, typer.Option(min=1, help="epochs to wait for a better one")] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**63 - 1, help="of weights, order, augmentation, random splits"),
    ] = 0,
    refit: Annotated[
        bool,
        typer.Option("--refit", help="train anew, as long as was best, with validation speakers"),
    ] = False,
    labels_from: Annotated[
        Text,
        typer.Option(
            help="intended (the default), or votes: soft labels, what a crowd took a clip for "
            "(CREMA-D); figures are against the intended emotion with both"
        ),
    ] = None,
    teacher: Annotated[
        Text,
        typer.Option(help="a model, or folds of the same split, whose answers are learned too"),
    ] = None,
    teacher_features: Annotated[
        Text, typer.Option(help="what the teacher hears: preprocess's output with its recipe")
    ] = None,
    init: Annotated[
        Text,
        typer.Option(help="model to start from: a bundle, voice or face; default: the recipe's"),
    ] = None,
    figures: Annotated[
        Text,
        typer.Option(
            help="evaluation of this recipe's folds: figures and temperature of a model that is "
            "trained on --split everybody"
        ),
    ] = None,
    trust_code: Annotated[
        bool,
        typer.Option(
            "--trust-code", help="run the own network of a teacher or of --init: its maker's code"
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite/--resume", help="start anew, or go on with what is there")
    ] = False,
    list_recipes: Annotated[
        bool, typer.Option("--list-recipes", help="show what there is to train, and end")
    ] = False,
    list_splits: Annotated[
        bool, typer.Option("--list-splits", help="show who is tested in which split, and end")
    ] = False,
) -> int:
    """Train a recipe on features and write a model bundle, or one for each fold of a protocol.

    The same command again goes on from the last checkpoint of a run that was stopped, and ends at
    once when the run is finished.
    """
    arguments = dict(locals())
    if list_recipes:
        from emotion_core.training.recipes_table import recipes_table

        console.print(recipes_table())
        return 0
    if list_splits:
        from emotion_core.training.splits_table import splits_table

        console.print(splits_table())
        return 0
    if features is None or out is None:
        raise UsageError("--features and --out are needed (or --list-recipes, --list-splits)")
    if (teacher is None) != (teacher_features is None):
        raise UsageError("--teacher and --teacher-features belong together: give both, or neither")
    out = storage.absolute(out)
    # heavy imports only after the command line was understood
    from emotion_core.corpora.splits import expand, plain
    from emotion_core.evaluation.folds import FOLDS_KIND
    from emotion_core.models.made import completed, feature_settings, recipe_of_features
    from emotion_core.recipes import load_recipe, with_training
    from emotion_core.recipes.options import with_options
    from emotion_core.training.folds import prepare_folds
    from emotion_core.training.measured import read_measured
    from emotion_core.training.run import KIND
    from emotion_core.training.start import load_start, require_begun
    from emotion_core.training.task import divide, read_features
    from emotion_core.training.teacher import load_teacher
    from emotion_core.training.votes import require_votes

    made = feature_settings(features)
    # without --recipe it is that of the features, with the options that they were made with
    base = load_recipe(recipe) if recipe else recipe_of_features(made, features)
    base = with_options(base, [*(() if recipe else made.get("options", ())), *(option or ())])
    chosen = with_training(
        base,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        patience=patience,
        labels_from=labels_from,
    )
    chosen = completed(chosen, made)
    spec = plain(split or chosen.split)
    found = read_features(features, chosen)
    require_votes(found, chosen)
    taught_by = None
    if teacher is not None and teacher_features is not None:
        taught_by = load_teacher(teacher, teacher_features, trust_code)
    start = None
    init = init or chosen.training.init
    if init is not None:
        start = load_start(init, chosen, trust_code)
        if start.fresh:
            say(f"--init {init}: begun at random all the same: {', '.join(start.fresh[:4])}")
        if start.otherwise:
            say(f"--init {init}: learned from other features: {'; '.join(start.otherwise[:4])}")
    require_begun(chosen, start)
    if (names := expand(spec, found.clips)) == [spec]:
        measured = read_measured(figures, chosen) if figures else None
        task = divide(
            found,
            chosen,
            spec,
            seed,
            refit=refit,
            teacher=taught_by,
            measured=measured,
            start=start,
        )
        with storage.hold_output(out, KIND, task.settings, overwrite, say=say) as claim:
            _train(task, out, arguments, claim.check)
    else:
        if figures:
            raise UsageError("--figures are for one model, trained on --split everybody")
        folds = prepare_folds(found, chosen, spec, names, seed, refit, taught_by, start)
        with storage.hold_output(out, FOLDS_KIND, folds.settings, overwrite, say=say) as claim:
            _train_folds(folds, out, arguments, claim.check)
    trust = "--trust-code " if ":" in chosen.network else ""
    say(
        f"next: python jobs/evaluate.py --model {out} --features {features} {trust}--out EVALUATION"
    )
    return 0


def _train(task: "Task", out: str, arguments: dict[str, Any], check: storage.Check) -> None:
    from emotion_core.engine.cluster import connect
    from emotion_core.training.run import finished, run_record, run_task, tidy
    from emotion_core.training.show import (
        EpochLines,
        branch_warnings,
        outcome_table,
        place_of,
        remarks,
        sides_table,
    )
    from emotion_core.training.workers import choose_workers, gpus_left_idle

    clock = storage.Clock()
    model = finished(out, task.plan.recipe)
    if model is not None:
        tidy(out)
        say(f"{out} is finished already (model {model.model_id}), nothing to do")
        return
    console.print(sides_table(task), *remarks(task), sep="\n")
    reach = connect()
    workers = choose_workers(arguments["num_workers"], reach)
    if words := gpus_left_idle(workers, reach):
        say(words)
    lines = EpochLines.of(task.plan.recipe)
    console.print(f"{place_of(workers)}\n{lines.head}", soft_wrap=True)
    outcome = run_task(task, out, workers, lambda row: say(lines.line(row)), check=check)
    check()
    storage.write_run_record(out, run_record(task, outcome, arguments, clock))
    tidy(out)
    console.print(outcome_table(outcome, out))
    for line in branch_warnings(task, outcome.best):
        console.print(line, soft_wrap=True)


def _train_folds(folds: "Folds", out: str, arguments: dict[str, Any], check: storage.Check) -> None:
    from emotion_core.engine.cluster import connect
    from emotion_core.evaluation.folds import FOLDS
    from emotion_core.training.folds import folds_record, run_folds
    from emotion_core.training.show import (
        EpochLines,
        folds_outcome_table,
        folds_remarks,
        folds_sides_table,
        place_of,
    )
    from emotion_core.training.workers import choose_fold_workers, gpus_left_idle

    clock = storage.Clock()
    if storage.exists(storage.join(out, "run.json")):
        summary = storage.read_json(storage.join(out, FOLDS))
        say(f"{out} is finished already")
        console.print(folds_outcome_table(summary))
        return
    console.print(folds_sides_table(folds), *folds_remarks(folds), sep="\n")
    wanted, at_once = arguments["num_workers"], arguments["folds_at_once"]
    reach = connect()
    workers, slots = choose_fold_workers(wanted, at_once, len(folds.names), reach)
    if words := gpus_left_idle(workers, reach):
        say(words)
    lines = EpochLines.of(folds.recipe, folds.names)
    console.print(f"{slots} fold(s) at a time, {place_of(workers)} each\n{lines.head}")
    summary = run_folds(
        folds, out, workers, slots,
        show=lambda fold, row: say(lines.line(row, fold)),
        say=lambda fold, words: say(f"{fold} {words}"),
        arguments=arguments,
        check=check,
    )  # fmt: skip
    check()
    storage.write_run_record(out, folds_record(folds, summary, arguments, clock))
    console.print(folds_outcome_table(summary))
