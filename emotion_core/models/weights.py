"""Whether a file of weights fits a network, found out before either of them takes memory.

A safetensors file begins with a header that names each tensor with its shape
(github.com/huggingface/safetensors, "Format": eight bytes with the header's length, then JSON). The
network is built on torch's ``meta`` device, where tensors have shapes and no content. So a bundle
whose options ask for 10^12 weights is refused for a few kilobytes.
"""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.networks import build_network
from emotion_core.recipes.specs import Recipe

Shapes = dict[str, tuple[int, ...]]

# Bytes. The largest network of this package has half a gigabyte of weights.
MOST_BYTES = 4 << 30
_MOST_HEADER = 8 << 20
# Parameters of all layers together; the deepest network of this package has about 1,000.
_MOST_PARAMETERS = 4_000
_WIDEST = 8  # bytes of the widest number


def check_fit(uri: str, size: int, recipe: Recipe, n_classes: int) -> None:
    """Refuse weights that are not those of the recipe's network, which is one of this package.

    Args:
        uri: of the safetensors file.
        size: its bytes.
        recipe: names the network.
        n_classes: outputs of the network.

    Raises:
        UsageError: the network is not of this package or cannot be built, or the file has other
            names or shapes, or another size than these make.
    """
    if size > MOST_BYTES:
        raise UsageError(f"{size:,} bytes of weights are more than any network here has")
    wanted, found = shapes_of(recipe, n_classes), shapes_in(uri, size)
    if wanted != found:
        names = sorted(set(wanted) ^ set(found)) or [n for n in wanted if wanted[n] != found[n]]
        raise UsageError(
            f"its weights do not fit network {recipe.network!r} of this version (such as "
            f"{names[0][:80]!r})"
        )
    if size > _WIDEST * sum(map(math.prod, found.values())) + _MOST_HEADER:
        raise UsageError(f"is damaged: {size:,} bytes are more than its weights take")


def shapes_in(uri: str, size: int) -> Shapes:
    """The shape of every tensor in a safetensors file, from its header alone.

    Raises:
        UsageError: it is no such file.
    """
    length = int.from_bytes(storage.read_bytes(uri, 0, 8), "little")
    if length > min(_MOST_HEADER, size):
        raise UsageError("is damaged: its weights are no safetensors file")
    try:
        header = json.loads(storage.read_bytes(uri, 8, 8 + length))
        return {
            name: tuple(int(number) for number in told["shape"])
            for name, told in header.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UsageError("is damaged: its weights are no safetensors file") from error


def shapes_of(recipe: Recipe, n_classes: int) -> Shapes:
    """The shape of every weight of a recipe's network, which takes no memory for them.

    Raises:
        UsageError: the network is not of this package, or its options make none.
    """
    try:
        with torch.device("meta"), _few_parameters():
            network = build_network(recipe, n_classes, download=False, trust_code=False)
            return {name: tuple(value.shape) for name, value in network.state_dict().items()}
    except UsageError:
        raise
    except Exception as error:  # options of any type and size: torch raises many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UsageError(
            f"network {recipe.network!r} cannot be built with its options ({reason})"
        ) from error


@contextmanager
def _few_parameters() -> Iterator[None]:
    """Ends what builds layer after layer: each takes time, and memory even without content."""
    count, mine = 0, threading.get_ident()

    def counted(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        nonlocal count
        if threading.get_ident() != mine:  # torch asks of every thread's networks
            return
        count += 1
        if count > _MOST_PARAMETERS:
            raise UsageError(f"a network of more than {_MOST_PARAMETERS:,} layers")

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()
