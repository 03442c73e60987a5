"""The model card: what a bundle is, in words."""

from collections.abc import Mapping
from typing import Any

from emotion_core.evaluation.metrics import Figures
from emotion_core.models.bundle import BundleInfo
from emotion_core.training.measured import Measured

# What the corpora's publishers allow; a model is made from their data.
LICENCES: Mapping[str, str] = {
    "ravdess": "RAVDESS (Livingstone & Russo 2018): CC BY-NC-SA 4.0, no commercial use",
    "savee": "SAVEE (Haq & Jackson, University of Surrey): research use",
    "tess": "TESS (Pichora-Fuller & Dupuis 2020): CC BY-NC-ND 4.0, no commercial use",
    "cremad": "CREMA-D (Cao et al. 2014): Open Database License 1.0, its contents under the "
    "Database Contents License 1.0",
    "fer2013": "FER2013 (Goodfellow et al. 2013): pictures from the web, research use",
}


def model_card(
    info: BundleInfo,
    validation: Figures | None,
    training: Mapping[str, Any],
    parameters: int,
    measured: Measured | None = None,
) -> str:
    """Markdown.

    Args:
        info: of the bundle.
        validation: figures on the validation side, None without one.
        training: ``epochs``, ``best_epoch``, ``seconds``, ``workers``, ``phases``; and
            ``refit_epochs`` if there was a refit, ``taught_by`` and ``begun_with`` where a teacher
            or a model's weights had a part.
        parameters: number of weights.
        measured: figures of the same recipe's folds, for a model that learned from everybody.
    """
    recipe = info.recipe
    sees = {"audio": "sound alone", "face": "faces alone"}.get("+".join(info.modalities))
    lines = [
        f"# {recipe.name}",
        "",
        f"{recipe.summary}. {parameters:,} parameters. Source: {recipe.source}.",
        "",
        f"- Classes ({info.label_set.name}): {', '.join(info.label_set.labels)}."
        + "".join(f" {a.capitalize()} counts as {b}." for a, b in info.label_set.merge.items()),
        f"- Trained on {sees or 'sound and faces'}.",
        f"- Clips (training and validation): {_clips(info.clips)}, of {_people(info)}.",
        f"- Protocol: `{info.split}`, seed {info.seed}."
        + (" Test clips took no part in training or in the choice of the epoch."
           if measured is None else ""),
        f"- Training: {training['epochs']} epochs on {training['workers']} worker(s), "
        f"{training['seconds']:.0f} s; weights of epoch {training['best_epoch']}."
        + (f" In phases: {', '.join(training['phases'])}." if training["phases"] else "")
        + (f" With validation speakers, anew for {again} epochs; figures below are from before."
           if (again := training.get("refit_epochs")) else ""),
        *(["- Labels: where people were asked what they take a clip for, their votes as shares; "
           "figures are against the emotion that was to be played."]
          if recipe.training.labels_from == "votes" else []),
        *([f"- Taught by {by}: learned its answers ({recipe.training.teacher_share:.0%}) beside "
           "the labels."] if (by := training.get("taught_by")) else []),
        *([f"- Begun with the weights of {by}."] if (by := training.get("begun_with")) else []),
        "",
        "## Figures",
        "",
        *(_figures(validation, recipe.training.keep) if measured is None else _of_folds(measured)),
        "",
        *(["Figures of the test side: `jobs/evaluate.py`.", ""] if measured is None else []),
        "## Limits",
        "",
        f"- {_narrow(info)}: expect lower figures, and measure them before relying on any.",
        f"- {_trust(info, validation, measured)} It is not a measure of what a person feels. Not "
        "for decisions about people.",
        *([f"- It never saw {'a face' if info.modalities == ('audio',) else 'sound'} in training "
           "and ignores it."] if sees and recipe.audio and recipe.video else []),
        "",
        "## Licence of the data",
        "",
        *(f"- {LICENCES.get(corpus, f'{corpus}: see the terms of that corpus')}."
          for corpus in info.clips),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _narrow(info: BundleInfo) -> str:
    if not info.speakers:
        return (
            "Nobody knows who is in the training clips, or whether the same people are tested. "
            "Other cameras, other light and other faces are another matter"
        )
    return (
        "The training clips are of few people, most of them actors who play one emotion a clip in "
        "a quiet room. Spontaneous speech, other languages, cameras and microphones are another "
        "matter"
    )


def _trust(info: BundleInfo, validation: Figures | None, measured: Measured | None) -> str:
    if measured is not None:
        return (
            f"Probabilities were calibrated on people whom the folds had not met (temperature "
            f"{info.temperature:g}); on other recordings they may be off."
        )
    if validation is None:
        return "A probability is the network's, not calibrated."
    return (
        f"Probabilities were calibrated on the validation side (temperature {info.temperature:g}); "
        "on other recordings they may be off, `jobs/evaluate.py` measures by how much."
    )


def _clips(clips: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {corpus}" for corpus, count in clips.items()) or "none"


def _people(info: BundleInfo) -> str:
    return f"{len(info.speakers)} named speakers" if info.speakers else "people without names"


def _of_folds(measured: Measured) -> list[str]:
    return [
        "This model learned from everybody, so nobody is left to measure it on. Trained in the "
        f"same way under `{measured.split}`, on the {measured.n:,} clips of people whom each fold "
        f"had not met: WAR {measured.war:.1%}, UAR {measured.uar:.1%}, macro F1 "
        f"{measured.macro_f1:.1%}, ECE {measured.ece_mass:.3f} (15 bins of equally many clips)."
    ]


def _part(keep: str) -> str:
    """What is to be known of the validation side's figures."""
    return ", which chose the epoch, so they flatter" if keep == "best" else ""


def _figures(figures: Figures | None, keep: str) -> list[str]:
    if figures is None:
        return ["There was no validation side: the weights are those of the last epoch."]
    rows = [
        f"| {label} | {'does not occur' if value is None else f'{value:.1%}'} |"
        for label, value in figures.per_class_recall.items()
    ]
    return [
        f"On the {figures.n} clips of the validation side{_part(keep)}: "
        f"WAR {figures.war:.1%}, UAR {figures.uar:.1%}, macro F1 {figures.macro_f1:.1%}.",
        "",
        "| class | recall |",
        "|---|---|",
        *rows,
    ]
