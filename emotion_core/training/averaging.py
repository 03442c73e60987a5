"""The running mean of a network's weights over the steps of a training (EMA)."""

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def average_of(network: nn.Module, decay: float) -> AveragedModel:
    """A copy of ``network`` that follows it at every ``update_parameters``, running statistics too.

    Over its first steps the mean is of those alone: the weights that a training began with would
    otherwise stay in it for a while.

    Args:
        network: starts the mean.
        decay: share of the mean that a step leaves, below 1.
    """

    def follow(mean: Tensor, now: Tensor, steps: Tensor | int) -> Tensor:
        if not mean.is_floating_point():  # a counter
            return now
        return mean.lerp(now, 1 - min(decay, (1 + int(steps)) / (10 + int(steps))))

    return AveragedModel(network, avg_fn=follow, use_buffers=True)
