"""Models and videos for the tests of labelling."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.corpora.inputs import collect
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.faces.types import Detections
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.models.bundle import BundleInfo, load_bundle, save_bundle
from emotion_core.models.networks import build_network
from emotion_core.recipes import load_recipe
from emotion_core.recipes.emotions import LABEL_SETS
from emotion_core.recipes.specs import Recipe

LABELS = LABEL_SETS["emotions7"].labels


def untrained(
    out: Path, modalities: tuple[str, ...] = ("audio", "face"), recipe: Recipe | None = None
) -> Path:
    """A bundle with fresh weights: where rows come from does not depend on what it learned."""
    import torch

    recipe = recipe or load_recipe("timedist-blstm")
    torch.manual_seed(1)
    settings = {
        "recipe": recipe.name,
        "audio": asdict(recipe.audio) if recipe.audio else None,
        "video": asdict(recipe.video) if recipe.video else None,
        "detector": detector_id("centerface") if recipe.video else None,
        "decoder": "auto",
        "audio_backend": "librosa" if recipe.audio else None,
    }
    label_set = LABEL_SETS[recipe.label_set]
    frames = recipe.audio.max_frames or 200 if recipe.audio else 0
    info = BundleInfo(recipe, label_set, settings, frames, modalities, "elte", 0)
    network = build_network(recipe, len(label_set.labels))
    save_bundle(str(out), info, network.state_dict(), {}, [], "# untrained")
    return out


def step(
    *models: Path, options: LabelOptions | None = None, detector: Any = "centerface"
) -> LabelStep:
    """What ``jobs/label.py`` runs in its workers."""
    bundles = [load_bundle(str(model)) for model in models]
    if detector == "centerface":
        detector = load_detector("centerface", "cpu")
    return LabelStep(bundles, detector, options or LabelOptions())


def work_on(path: Path) -> ClipWork:
    (row,) = manifest_table([Clip(storage.absolute(str(path)), 0, "")]).to_pylist()
    return ClipWork(row)


def labelled(*models: Path, path: Path, options: LabelOptions | None = None) -> ClipWork:
    (done,) = step(*models, options=options)([work_on(path)])
    return done


def what_was_seen(done: ClipWork) -> list[tuple]:
    return [(s.start_s, s.track_id, s.modalities) for s in done.segments]


def quiet(total: int) -> AbstractContextManager:
    return nullcontext(lambda n, note: None)


def manifest(folder: Path) -> pa.Table:
    return manifest_table(collect([str(folder)]).clips)


class OneFace:
    """A detector that finds a face in the middle of every picture."""

    name, weights_hash, provider = "one-face", "0" * 64, "none"

    def detect(self, images: np.ndarray) -> list[Detections]:
        height, width = images.shape[1:3]
        box = np.array([[0.3 * width, 0.2 * height, 0.7 * width, 0.9 * height]], np.float32)
        found = Detections(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
        return [found] * len(images)
