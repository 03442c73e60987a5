"""What a network says of the validation side: together, and of each modality alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.nn import functional

from emotion_core.evaluation.metrics import FigureMeter
from emotion_core.models.answers import probabilities
from emotion_core.models.dataset import FeatureSet
from emotion_core.recipes.specs import Recipe

# A branch that has learned something is right more often than this many times by chance.
_LEARNED = 1.25


@dataclass(frozen=True)
class Validation:
    """Figures of one epoch on the validation side; all None without one.

    Attributes:
        loss: mean negative log likelihood.
        war, uar: of all clips.
        audio_uar, face_uar: of the clips that have sound (faces), the other modality hidden; None
            where the network is asked for one modality only.
    """

    loss: float | None = None
    war: float | None = None
    uar: float | None = None
    audio_uar: float | None = None
    face_uar: float | None = None


@dataclass(frozen=True)
class Validator:
    """Measures one worker's share of the validation side, and sums it up with the others'.

    Attributes:
        network: in evaluation mode, on ``device``.
        recipe, frames: as ``models.answers.probabilities`` takes them.
        device: where the network lives.
        rank, workers: which worker this is, of how many.
        precision: a context to compute in.
    """

    network: nn.Module
    recipe: Recipe
    frames: int
    device: torch.device
    rank: int
    workers: int
    precision: Callable[[], AbstractContextManager[object]]

    @torch.no_grad()
    def measure(self, clips: FeatureSet, usable: np.ndarray, both: bool) -> Validation:
        """Every clip counted once.

        Args:
            clips: the validation side, the same on every worker.
            usable: which of them count, bool (clips,).
            both: also measure each modality alone.
        """
        if not usable.any():
            return Validation()
        loss, war, uar = self._figures(clips, usable)
        alone: list[float | None] = [None, None]
        if both:
            sides = ((usable & clips.has_audio, "face"), (usable & clips.has_faces, "audio"))
            alone = [self._figures(clips, r, h)[2] if r.any() else None for r, h in sides]
        return Validation(loss, war, uar, *alone)

    def _figures(
        self, clips: FeatureSet, rows: np.ndarray, *hide: str
    ) -> tuple[float, float, float]:
        meter = FigureMeter(clips.label_set.labels, self.device)
        # as sums: a worker may have no clip of this side
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        for samples in clips.select(np.flatnonzero(rows)[self.rank :: self.workers]).batches():
            with self.precision():
                found = probabilities(
                    self.network, samples, self.recipe, self.frames, self.device, hide
                )
            label = torch.tensor([sample.label for sample in samples], device=self.device)
            found = found.to(self.device)
            meter.update(found, label)
            total[0] += functional.nll_loss(found.clamp(min=1e-9).log(), label, reduction="sum")
            total[1] += len(label)
        if self.workers > 1:
            dist.all_reduce(total)
        figures = meter.compute()
        return float(total[0] / total[1]), figures.war, figures.uar


def collapsed(audio_uar: float | None, face_uar: float | None, classes: int) -> list[str]:
    """One line for each modality of a fusion that alone says no more than chance.

    Args:
        audio_uar, face_uar: UAR of each alone, None where it was not measured.
        classes: how many there are.
    """
    chance = 1 / classes
    return [
        f"the {name} branch has learned nothing that holds on its own: UAR {uar:.1%} alone, "
        f"{chance:.1%} is chance; the model answers from the other modality"
        for name, uar in (("sound", audio_uar), ("face", face_uar))
        if uar is not None and uar < _LEARNED * chance
    ]
