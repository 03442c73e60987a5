"""Weights from elsewhere to start from: ImageNet's as the libraries publish them, or a file's."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.text import one_line

IMAGENET = "imagenet"
_WAY_OUT = "give the URI of a .safetensors file with the weights, or no pretrained weights"


def load_pretrained(
    network: nn.Module,
    source: str | None,
    name: str,
    download: Callable[[], Mapping[str, Tensor]],
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]] = dict,
) -> None:
    """Put weights from elsewhere into ``network``.

    Args:
        network: every weight of it must be in what is loaded; what is loaded may hold more, such as
            the layer that answers with ImageNet's classes.
        source: None changes nothing; ``imagenet`` calls ``download``; anything else is the URI of a
            ``.safetensors`` file (a local path, ``s3://``, ``http://``, ...), whose names are those
            of the library's own network. No file is ever unpickled.
        name: of the network, for messages.
        download: gives the library's published weights.
        change: makes weights of the published shapes fit a network that differs from the published
            one (``averaged_first_kernels``).

    Raises:
        UsageError: the weights cannot be had, are no safetensors, or do not fit.
    """
    if source is None:
        return
    weights = _published(download, name) if source == IMAGENET else _from_file(source)
    weights = change(dict(weights))
    for key, own in network.state_dict().items():
        if key not in weights:
            raise UsageError(f"pretrained={source!r} does not fit {name}: it has no {key!r}")
        if weights[key].shape != own.shape:
            raise UsageError(
                f"pretrained={source!r} does not fit {name}: {key!r} is "
                f"{tuple(weights[key].shape)}, not {tuple(own.shape)}"
            )
    network.load_state_dict({key: weights[key] for key in network.state_dict()})


def _published(download: Callable[[], Mapping[str, Tensor]], name: str) -> Mapping[str, Tensor]:
    try:
        return download()
    except Exception as error:  # each library, and what it downloads with, has its own
        reason = one_line(error)
        raise UsageError(
            f"pretrained={IMAGENET!r}: the weights of {name} cannot be downloaded ({reason}): "
            f"{_WAY_OUT}"
        ) from error


def _from_file(uri: str) -> dict[str, Tensor]:
    import safetensors.torch

    if not uri.endswith(".safetensors"):
        raise UsageError(f"pretrained={uri!r} is neither {IMAGENET!r} nor safetensors: {_WAY_OUT}")
    try:
        data = storage.read_bytes(uri)
    except UsageError as error:
        raise UsageError(f"pretrained weights cannot be read: {error}: {_WAY_OUT}") from error
    try:
        return safetensors.torch.load(data)
    except Exception as error:  # safetensors raises several, some of them its own
        raise UsageError(f"pretrained={uri!r} is not a safetensors file ({error})") from error


def averaged_first_kernels(key: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    """A change that averages the kernels of a first layer over its colours.

    Args:
        key: name of that layer's weight, (out, 3, height, width).

    Returns:
        Takes and gives weights by name; that one becomes (out, 1, height, width).
    """

    def average(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        if key in weights:  # else it does not fit, which the caller says
            weights = {**weights, key: weights[key].mean(dim=1, keepdim=True)}
        return weights

    return average
