"""A worker that was given a GPU finds out whether it can use it, before it touches a clip."""

import platform

from emotion_core.errors import UsageError


def check_torch_gpu() -> None:
    """Do nothing where torch can compute on a GPU.

    Raises:
        UsageError: it cannot. The job ends there: computing on the CPU instead would be a hundred
            times slower, and nobody would know why.
    """
    import torch

    if not torch.cuda.is_available():
        raise UsageError(
            f"node {platform.node()}: Ray gave this worker a GPU, but torch {torch.__version__} "
            "sees none: it needs NVIDIA's driver 580 or newer (README, 'GPU'); on a machine of "
            "your own, CUDA_VISIBLE_DEVICES= does without"
        )
