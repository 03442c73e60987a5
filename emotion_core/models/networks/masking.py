"""Parts of a batch that may be missing: how networks leave them out, and what they then answer."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from emotion_core.errors import UsageError
from emotion_core.models.networks.batch import Batch
from emotion_core.recipes.specs import AudioSpec, VideoSpec


def apply_where(network: nn.Module, present: Tensor, *inputs: Tensor, **options: int) -> Tensor:
    """``network`` for the rows that are there; the others are not looked at and give zeros.

    When no row is there, the network still runs, on one blank row whose answer counts zero times,
    so that every worker of a distributed training has a gradient for the same parameters.

    Args:
        network: from tensors of (k, ...) to (k, out).
        present: bool (b,).
        inputs: (b, ...) each.
        options: handed on.

    Returns:
        Float (b, out).
    """
    if present.any():
        found = network(*(each[present] for each in inputs), **options)
        answer = found.new_zeros(len(present), *found.shape[1:])
        answer[present] = found
        return answer
    with statistics_kept(network):
        found = network(*(each.new_zeros(1, *each.shape[1:]) for each in inputs), **options)
    return found.new_zeros(len(present), *found.shape[1:]) + 0 * found.sum()


def apply_to_faces(network: nn.Module, faces: Tensor, mask: Tensor) -> Tensor:
    """``network`` for every real face: (b, n, channels, size, size), (b, n) -> (b, n, out).

    Places without a face give zeros. When the batch has none at all, see ``apply_where``.
    """
    answers = apply_where(network, mask.flatten(), faces.flatten(0, 1))
    return answers.view(*mask.shape, answers.shape[-1])


@contextmanager
def statistics_kept(network: nn.Module) -> Iterator[None]:
    """While this is open, batch normalisation uses its running statistics and leaves them alone."""
    layers = [each for each in network.modules() if isinstance(each, _BatchNorm) and each.training]
    for layer in layers:
        layer.eval()
    try:
        yield
    finally:
        for layer in layers:
            layer.train()


def mean_where(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the real places: (b, n, k), bool (b, n) -> (b, k); zeros where there is none."""
    kept = torch.where(mask[:, :, None], values, 0)
    return kept.sum(dim=1) / mask.sum(dim=1).clamp(min=1)[:, None]


def mean_answer(logits: Tensor, mask: Tensor) -> Tensor:
    """The mean of several answers, as a clip is answered from its pictures.

    Args:
        logits: float (b, n, classes), one answer a picture.
        mask: bool (b, n), which of them count.

    Returns:
        Float (b, classes), the logarithm of the mean probabilities, thus logits again; zeros, which
        is no preference, for a clip without any answer.
    """
    if not mask.shape[1]:
        return logits.sum(dim=1)
    # not minus infinity: a row of those alone has no gradient
    kept = torch.where(mask[:, :, None], logits.log_softmax(dim=2), -1e4)
    mean = kept.logsumexp(dim=1) - mask.sum(dim=1).clamp(min=1).log()[:, None]
    return torch.where(mask.any(dim=1)[:, None], mean, 0)


def one_hidden(batch: Batch, share: float) -> Batch:
    """The batch, one modality hidden from some of the clips that have both.

    The idea of "ModDrop" (Neverova et al. 2016): a network that is trained so also answers from one
    modality alone.

    Args:
        batch: the clips.
        share: of the audio-visual ones, how many lose either, at random.
    """
    chance = torch.rand(len(batch), device=batch.has_audio.device)
    both = batch.has_audio & batch.has_faces
    return batch.hiding(audio=both & (chance < share / 2), faces=both & (chance > 1 - share / 2))


def needs_audio(spec: AudioSpec | None, network: str) -> AudioSpec:
    """``spec``, which this network cannot do without.

    Raises:
        UsageError: the recipe has no sound.
    """
    if spec is None:
        raise UsageError(f"network {network!r} hears: give its recipe an AudioSpec as audio")
    return spec


def needs_video(spec: VideoSpec | None, network: str) -> VideoSpec:
    """``spec``, which this network cannot do without.

    Raises:
        UsageError: the recipe has no pictures.
    """
    if spec is None:
        raise UsageError(f"network {network!r} sees: give its recipe a VideoSpec as video")
    return spec


def chosen(name: str, word: str, known: tuple[str, ...]) -> str:
    """``word`` if it is one of ``known``.

    Raises:
        UsageError: it is not.
    """
    if word not in known:
        raise UsageError(f"no {name} {word!r}: choose one of {', '.join(known)}")
    return word
