"""Which weights move, and how far: AdamW with a learning rate for each origin of weights."""

from collections.abc import Iterable

import torch
from torch import nn

from emotion_core.recipes.specs import TrainSpec
from emotion_core.training.plan import learning_rate


def make_optimiser(
    network: nn.Module, spec: TrainSpec, aside: Iterable[nn.Parameter] = ()
) -> torch.optim.AdamW:
    """AdamW over the weights that move now.

    With ``spec.pretrained_lr`` those that the network names as pretrained are a group of their own,
    behind the others: they know much already, and at the rate of new weights would forget it
    (discriminative fine-tuning, Howard and Ruder 2018).

    Args:
        network: with the method ``pretrained_weights`` where ``spec`` has a rate for them
            (``build_network`` sees to that).
        spec: rates and weight decay.
        aside: weights beside the network's that are new too.
    """
    named = network.pretrained_weights() if len(_rates(spec)) > 1 else ()  # type: ignore[operator]
    known = {id(weight) for weight in named}
    moving = [weight for weight in network.parameters() if weight.requires_grad]
    fresh = [*(weight for weight in moving if id(weight) not in known), *aside]
    tuned = [weight for weight in moving if id(weight) in known]
    return torch.optim.AdamW(
        [{"params": group} for group, _ in zip((fresh, tuned), _rates(spec), strict=False)],
        lr=spec.lr,
        weight_decay=spec.weight_decay,
        fused=True,  # an eighth of a step of AlexNet's dense layers, on one thread
    )


def set_rates(
    optimiser: torch.optim.Optimizer, spec: TrainSpec, step: int, steps: int, warm_up: int
) -> float:
    """Give each group its learning rate for one step, all rising and falling alike.

    Args:
        optimiser: of ``make_optimiser``.
        spec: highest rates.
        step, steps, warm_up: as ``plan.learning_rate`` takes them.

    Returns:
        The rate of the weights that are not pretrained.
    """
    for group, highest in zip(optimiser.param_groups, _rates(spec), strict=True):
        group["lr"] = learning_rate(highest, step, steps, warm_up)
    return float(optimiser.param_groups[0]["lr"])


def _rates(spec: TrainSpec) -> tuple[float, ...]:
    """The highest rate of each group."""
    return (spec.lr,) if spec.pretrained_lr is None else (spec.lr, spec.pretrained_lr)
