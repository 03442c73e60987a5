"""In which numbers a network computes while it is trained."""

from contextlib import AbstractContextManager, nullcontext

import torch


def computing_in(wanted: str, device: torch.device) -> AbstractContextManager[object]:
    """Mixed precision in bfloat16, which needs no loss scaling, or float32.

    Args:
        wanted: ``TrainSpec.precision``.
        device: where the network lives.
    """
    if wanted == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
        wanted = "bfloat16" if fast else "float32"
    if wanted == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
