"""A training on the terminal: its sides, its epochs, its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from emotion_core.corpora.splits import SIDES, is_speaker_independent
from emotion_core.evaluation.channels import channels_of, songs_remark
from emotion_core.evaluation.metrics import SHARES
from emotion_core.evaluation.report import NAMES, folds_table
from emotion_core.evaluation.speakers import shared_speakers, strangers_remark
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes.specs import Recipe
from emotion_core.text import as_markup
from emotion_core.training.folds import Folds
from emotion_core.training.run import Outcome
from emotion_core.training.snapshot import EpochRow
from emotion_core.training.task import Task
from emotion_core.training.validation import collapsed
from emotion_core.training.votes import voted
from emotion_core.training.workers import Workers


def sides_table(task: Task) -> Table:
    """Clips, speakers, labels and sound frames of each side."""
    title = as_markup(f"{task.plan.recipe.name}, split {task.split}")
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in task.sides:
        table.add_column(name, justify="right")
    sides = task.sides.values()
    labels = task.sides["train"].label_set.labels
    table.add_row("clips", *(str(len(side)) for side in sides), style="bold")
    table.add_row("speakers", *(str(len(side.speakers)) for side in sides), end_section=True)
    for index, label in enumerate(labels):
        table.add_row(label, *(str(int(np.sum(side.labels == index))) for side in sides))
    if task.plan.recipe.audio:
        table.add_section()
        lengths = [_lengths(side) for side in sides]
        table.add_row("sound frames, mean", *(f"{each.mean():.1f}" for each in lengths))
        table.add_row("sound frames, longest", *(str(each.max()) for each in lengths))
    return table


def _lengths(features: FeatureSet) -> np.ndarray:
    """Sound frames of each clip that has some, at least one number."""
    lengths = features.audio.lengths[features.has_audio] if features.audio is not None else []
    return np.array(lengths, np.int64) if len(lengths) else np.zeros(1, np.int64)


def remarks(task: Task) -> list[str]:
    """What a person should know of the data before trusting a figure; rich's markup."""
    lines = _left_out(task.left_out)
    recipe = task.plan.recipe
    if recipe.audio:
        lengths = _lengths(task.sides["train"])
        of = f"a segment of {recipe.segment_s:g} s" if recipe.segment_s else "a clip"
        lines.append(
            f"sound: {lengths.mean():.1f} frames on average in training, {lengths.max()} in the "
            f"longest clip; {of} is padded to {task.plan.frames}"
        )
    lines += _votes(task.sides["train"], recipe)
    return lines + _warnings(task.split, len(task.shared), list(task.sides.values()))


def _votes(train: FeatureSet, recipe: Recipe) -> list[str]:
    if recipe.training.labels_from != "votes":
        return []
    return [f"votes on {voted(train).sum()} of {len(train)} clips, the others are as intended"]


def _left_out(left_out: Mapping[str, int]) -> list[str]:
    left = [f"{count} {why.replace('_', ' ')}" for why, count in left_out.items() if count]
    return [f"left out: {', '.join(left)}"] if left else []


def _warnings(split: str, shared: int, sides: Sequence[FeatureSet]) -> list[str]:
    songs = songs_remark(split, channels_of([side.clips for side in sides]))
    told = filter(None, (strangers_remark(split, shared), songs))
    return [f"[yellow]warning:[/] {as_markup(remark)}" for remark in told]


def folds_sides_table(folds: Folds) -> Table:
    """Clips and speakers of each side in each fold, and the sound frames that it trains on."""
    title = as_markup(f"{folds.recipe.name}, split {folds.split}")
    table = Table(title=title, title_justify="left",
                  caption="clips (speakers) of each side", caption_justify="left")  # fmt: skip
    table.add_column("fold")
    for side in SIDES:
        table.add_column(side, justify="right")
    if folds.recipe.audio:
        table.add_column("sound frames, mean", justify="right")
        table.add_column("longest", justify="right")
    for name, assigned in folds.assigned.items():
        sides = [folds.features.select(assigned == side) for side in SIDES]
        cells = [f"{len(side)} ({len(side.speakers)})" for side in sides]
        if folds.features.audio is not None:
            lengths = folds.features.audio.lengths[folds.features.has_audio & (assigned == "train")]
            cells += [f"{lengths.mean():.1f}", str(lengths.max())] if len(lengths) else ["-", "-"]
        table.add_row(as_markup(name), *cells)
    return table


def folds_remarks(folds: Folds) -> list[str]:
    """What a person should know of the data; warnings once for all folds."""
    shared = 0
    for name, assigned in folds.assigned.items():
        if not is_speaker_independent(name):
            learned = folds.features.select((assigned == "train") | (assigned == "validation"))
            tested = folds.features.select(assigned == "test")
            shared = max(shared, len(shared_speakers(learned.speakers, tested.speakers)))
    lines = _left_out(folds.features.left_out)
    recipe = folds.recipe
    if recipe.audio:
        longest = recipe.audio.max_frames or "the longest training clip of its fold"
        segment = (
            f" (a segment of {recipe.segment_s:g} s: to the length of that)"
            if recipe.segment_s
            else ""
        )
        lines.append(
            f"sound is padded to {longest}{' frames' * bool(recipe.audio.max_frames)}{segment}"
        )
    lines += _votes(folds.features, recipe)
    return lines + _warnings(folds.names[0], shared, [folds.features])


@dataclass(frozen=True)
class EpochLines:
    """Epochs as lines of equal columns.

    Attributes:
        folds: names of the folds that train; empty for a single training.
        phases: names of the recipe's phases; empty where there are none.
        both: the recipe hears and sees, so that each alone has a figure.
    """

    folds: Sequence[str] = ()
    phases: Sequence[str] = ()
    both: bool = False

    @classmethod
    def of(cls, recipe: Recipe, folds: Sequence[str] = ()) -> "EpochLines":
        """Lines of this recipe's epochs."""
        phases = recipe.training.phases
        both = recipe.audio is not None and recipe.video is not None and not phases
        return cls(folds, phases, both)

    @property
    def head(self) -> str:
        """The names of the columns."""
        start = self._start("fold", "phase")
        alone = "   sound   faces" * self.both
        return (
            f"{start}epoch    rate  train loss  valid. loss     WAR     UAR{alone}  best  seconds"
        )

    def line(self, row: EpochRow, fold: str = "") -> str:
        """One epoch; an asterisk where it is the best so far (of its phase)."""
        start = f"{self._start(fold, row.phase)}{row.epoch + 1:5d} {row.lr:7.5f} {row.loss:11.3f}"
        if row.validation_uar is None:
            return f"{start}  {'(no validation clip)':{33 + 16 * self.both}} {row.seconds:8.1f}"
        alone = (row.audio_uar, row.face_uar) if self.both else ()
        shown = "".join(f" {'-' if uar is None else f'{uar:.1%}':>7}" for uar in alone)
        return (
            f"{start} {row.validation_loss:12.3f} {row.validation_war:7.1%} "
            f"{row.validation_uar:7.1%}{shown}  {'*' if row.best else ' ':4} {row.seconds:8.1f}"
        )

    def _start(self, fold: str, phase: str) -> str:
        cells = [(fold, self.folds, "fold"), (phase, self.phases, "phase")]
        return "".join(
            f"{text:{max(map(len, (*names, title)))}} " for text, names, title in cells if names
        )


def outcome_table(outcome: Outcome, out: str) -> Table:
    """What came of it."""
    table = Table(show_header=False)
    best = outcome.best.epoch + 1
    told = f"{out} ({outcome.model_id}, {outcome.parameters:,} parameters)"
    table.add_row("model", as_markup(told))
    table.add_row("epochs", f"{len(outcome.history)}, the weights are those of epoch {best}")
    table.add_row("time", f"{sum(row.seconds for row in outcome.history):.0f} s")
    if outcome.validation is not None:
        found = outcome.validation
        table.add_row(
            "validation",
            f"WAR {found.war:.1%}, UAR {found.uar:.1%}, macro F1 {found.macro_f1:.1%} "
            f"({found.n} clips, of which the training knew)",
        )
    return table


def branch_warnings(task: Task, best: EpochRow) -> list[str]:
    """What a person should know of a fusion that answers from one modality only."""
    classes = len(task.sides["train"].label_set.labels)
    lines = collapsed(best.audio_uar, best.face_uar, classes)
    return [f"[yellow]warning:[/] {line}" for line in lines]


def folds_outcome_table(summary: Mapping[str, Any]) -> Table:
    """What came of all folds: figures on their validation sides.

    Args:
        summary: as ``folds.json`` holds it.
    """
    of = as_markup(f"{summary['recipe']}, {summary['split']}")
    title = f"{of}: validation sides, of which the trainings knew"
    if summary["mean"] is not None:
        rows = [{**fold, **fold["validation"]} for fold in summary["folds"]]
        return folds_table(rows, summary["mean"], summary["std"], title)
    table = Table(title=f"{title} (there are none)", title_justify="left")
    for heading in ("fold", *(NAMES[name] for name in SHARES), "model"):
        table.add_column(heading)
    for fold in summary["folds"]:
        table.add_row(as_markup(fold["split"]), *("-" for _ in SHARES), fold["model_id"])
    return table


def place_of(workers: Workers) -> str:
    """Where a training runs, in words."""
    return f"{workers.count} worker(s) on {'GPU' if workers.use_gpu else 'CPU'}"
