"""Hints: a student also guesses what its teacher hears, step by step, and not only what he says.

Romero et al. 2015, "FitNets: Hints for thin deep nets". A label is one word a clip; what an encoder
makes of its sound is hundreds of numbers at every step, so a small network of few clips learns more
from it. What guesses is thrown away after the training.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotion_core.models.dataset import FeatureSet
from emotion_core.models.networks import Batch
from emotion_core.recipes.specs import TrainSpec


class Hinted(nn.Module):
    """A student, and the layer that guesses from its steps.

    Args:
        network: with the method ``hinted`` and the width of its steps, ``hint_width``.
        parts: steps that the teacher tells of.
        width: of each.
    """

    def __init__(self, network: nn.Module, parts: int, width: int):
        super().__init__()
        self.network, self.parts = network, parts
        self.guess = nn.Linear(network.hint_width, width)  # type: ignore[arg-type]

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits, float (b, classes), and the guess, (b, parts, width)."""
        logits, steps = self.network.hinted(batch, self.parts)  # type: ignore[operator]
        return logits, self.guess(steps)


def hinted(network: nn.Module, train: FeatureSet, spec: TrainSpec) -> Hinted | None:
    """The student with what guesses; None where there is nothing to guess, or it cannot.

    Nor are mixed clips guessed at: sounds are mixed where they end, and hints are told from the
    start of a clip to its end, however long it is.

    Args:
        network: the student.
        train: the training side.
        spec: has ``hint`` and ``mixup``.
    """
    if not spec.hint or spec.mixup or train.hints is None or not hasattr(network, "hinted"):
        return None
    return Hinted(network, *train.hints.shape[1:])


def hint_losses(guess: Tensor, wanted: Tensor) -> Tensor:
    """How far each guess is off: mean square, float (b,); 0 for a clip without a hint.

    Args:
        guess: float (b, ...).
        wanted: float (b, ...), NaN where the teacher knows nothing of the clip.
    """
    guess, wanted = guess.flatten(1), wanted.flatten(1)
    known = torch.isfinite(wanted).all(dim=1)
    wanted = torch.where(known[:, None], wanted, guess.detach())
    return functional.mse_loss(guess, wanted, reduction="none").mean(dim=1)
