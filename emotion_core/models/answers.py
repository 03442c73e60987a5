"""What networks say of whole clips: the one way for validation, evaluation and labels."""

from collections.abc import Collection, Sequence

import torch
from torch import Tensor, nn

from emotion_core.models.batches import make_batch
from emotion_core.models.samples import Sample, segments
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


def _batch_size(flat: Sequence[Sample], recipe: Recipe) -> int:
    if recipe.video is None:
        return MOST_SEGMENTS
    pictures = max(len(segment.faces) for segment in flat)
    pixels = pictures * recipe.video.face_size**2 * (1 if recipe.video.grey else 3)
    return max(1, min(MOST_SEGMENTS, MOST_PIXELS // max(1, pixels)))
