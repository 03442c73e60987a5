"""A picture of a few samples as the network is fed with them: faces, sound, label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure, SubFigure

from emotion_core.models.dataset import FeatureSet
from emotion_core.models.samples import Sample
from emotion_core.recipes.specs import AudioSpec
from emotion_core.report.drawing import DARK, png

SAMPLES = 3
_MOST_FACES = 12


@dataclass(frozen=True)
class Shown:
    """A sample and what to write above it."""

    sample: Sample
    caption: str


def draw_samples(features: FeatureSet, seed: int, count: int = SAMPLES) -> list[Shown]:
    """Some clips of ``features``, chosen by the seed, with label, corpus/speaker and file name."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(features), min(count, len(features)), replace=False))
    clips = features.clips.take(rows).to_pylist()
    return [
        Shown(features.sample(int(row)), _caption(features.label_set.labels, int(label), clip))
        for row, label, clip in zip(rows, features.labels[rows], clips, strict=True)
    ]


def _caption(labels: Sequence[str], label: int, clip: dict) -> str:
    who = "/".join(str(name) for name in (clip["corpus"], clip["speaker"]) if name)
    name = str(clip["uri"]).rstrip("/").rsplit("/", 1)[-1]
    name = f"{name} {clip['member']}" if clip["member"] else name
    return f"{labels[label]}   {who}   {name}"


def samples_png(shown: Sequence[Shown], audio: AudioSpec | None) -> bytes:
    """One strip per sample: its faces in a row, in order of time, then its sound features.

    Args:
        shown: at least one.
        audio: names the sound features and their time; None where the recipe has none.
    """
    figure = Figure(figsize=(10, 2.1 * len(shown)), layout="constrained")
    strips = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for strip, one in zip(strips, shown, strict=True):
        strip.suptitle(one.caption, fontsize=10, x=0.01, ha="left", color=DARK)
        _strip(strip, one.sample, audio)
    return png(figure)


def _strip(strip: SubFigure, sample: Sample, audio: AudioSpec | None) -> None:
    faces = [face for face in sample.faces if face is not None]
    if len(faces) > _MOST_FACES:
        faces = [faces[place] for place in np.linspace(0, len(faces) - 1, _MOST_FACES).astype(int)]
    sound = sample.audio if audio is not None else None
    places = [1.0] * len(faces) + [3.0] * (sound is not None)
    if not places:
        return
    for place, axes in enumerate(strip.subplots(1, len(places), squeeze=False,
                                                width_ratios=places)[0]):  # fmt: skip
        if place < len(faces):
            grey = faces[place].ndim == 2
            axes.imshow(faces[place], cmap="gray" if grey else None, vmin=0, vmax=255)
            axes.set_axis_off()
        elif sound is not None and audio is not None:
            # an encoder's steps are as many as the recipe says, however long the clip is
            seconds = None if audio.encoded else len(sound) * audio.hop_length / audio.sample_rate
            extent = (0, seconds or len(sound), -0.5, sound.shape[1] - 0.5)
            picture = sound.T.astype(np.float32)
            axes.imshow(picture, aspect="auto", origin="lower", cmap="magma", extent=extent)
            axes.set_xlabel(
                f"seconds ({len(sound)} frames)" if seconds else f"{len(sound)} steps", fontsize=8
            )
            axes.set_ylabel(audio.kind, fontsize=8)
            axes.tick_params(labelsize=7)
