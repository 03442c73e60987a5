"""What networks say of whole clips: the one way for validation, evaluation and labels."""

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from emotion_core.errors import UsageError
from emotion_core.models.samples import Sample, make_batch, segments
from emotion_core.recipes.emotions import LabelSet
from emotion_core.recipes.specs import Recipe

# Pixels that are turned into float tensors at once (400 MB).
MOST_PIXELS = 100_000_000
MOST_SEGMENTS = 64


@torch.no_grad()
def probabilities(
    network: nn.Module,
    samples: Sequence[Sample],
    recipe: Recipe,
    frames: int,
    device: torch.device | str = "cpu",
    hide: Collection[str] = (),
) -> Tensor:
    """The network's answer to each clip: the mean of its answers to the clip's segments.

    Args:
        network: in evaluation mode, on ``device``.
        samples: clips.
        recipe: says how a clip is cut into segments, and what the network is fed with.
        frames: sound is padded to this many frames.
        device: where to compute.
        hide: ``audio`` or ``face``: counted as missing in every clip.

    Returns:
        Float32 (clips, classes) on the CPU, each row adding up to 1. A clip without anything gives
        the network's answer to nothing: leave such clips out.
    """
    of_clips = [segments(sample, recipe) for sample in samples]
    flat = [segment for clip in of_clips for segment in clip]
    size = _batch_size(flat, recipe)
    answers = []
    for start in range(0, len(flat), size):
        batch = make_batch(flat[start : start + size], recipe.audio, recipe.video, frames)
        batch = batch.to(device)
        if "audio" in hide:
            batch = batch.without_audio()
        if "face" in hide:
            batch = batch.without_faces()
        answers.append(torch.softmax(network(batch).float(), dim=1).cpu())
    by_clip = torch.cat(answers).split([len(clip) for clip in of_clips])
    return torch.stack([answer.mean(dim=0) for answer in by_clip])


def mean_of_answers(answers: Sequence[np.ndarray], can: Sequence[np.ndarray]) -> np.ndarray:
    """One answer from several models': the mean of those that can judge a clip, weighted alike.

    The weights are equal because they would otherwise have to be chosen on clips of their own; the
    sum rule is also the one that suffers least when single answers are off (Kittler et al. 1998,
    "On combining classifiers").

    Args:
        answers: one float array (clips, classes) per model, rows adding up to 1; rows that the
            model cannot judge may hold anything.
        can: one bool array (clips,) per model.

    Returns:
        float32 (clips, classes), each row adding up to 1.

    Raises:
        ValueError: a clip that no model can judge.
    """
    able = np.stack(can)
    if not able.any(axis=0).all():
        raise ValueError("a clip that none of the models can judge")
    stacked = np.where(able[:, :, None], np.stack(answers), 0).astype(np.float64)
    return (stacked.sum(axis=0) / able.sum(axis=0)[:, None]).astype(np.float32)


def _batch_size(flat: Sequence[Sample], recipe: Recipe) -> int:
    if recipe.video is None:
        return MOST_SEGMENTS
    pictures = max(len(segment.faces) for segment in flat)
    pixels = pictures * recipe.video.face_size**2 * (1 if recipe.video.grey else 3)
    return max(1, min(MOST_SEGMENTS, MOST_PIXELS // max(1, pixels)))


def require_one_label_set(label_sets: Sequence[LabelSet]) -> None:
    """Check that models which answer together share their classes and what emotions count as them.

    Raises:
        UsageError: they do not.
    """
    first = label_sets[0]
    for other in label_sets[1:]:
        if other != first:
            raise UsageError(
                f"the models answer with other classes ({first.name}, {other.name}): only models "
                "of one label set are combined"
            )
