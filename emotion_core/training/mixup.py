"""Clips that are learned in pairs, mixed with their labels.

Zhang et al. 2018, "mixup: Beyond empirical risk minimization". Who is mixed with whom, and how
much, is drawn for the whole batch, so that any number of workers draws the same.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from emotion_core.models.dataset import FeatureSet
from emotion_core.models.networks import Batch


@dataclass(frozen=True)
class Pairs:
    """The pairs of a batch.

    Attributes:
        rows: int (clips,): who learns.
        partners: int (clips,): the clip that is mixed into each.
        shares: float32 (clips,): what each keeps of itself, 0.5 to 1.
    """

    rows: np.ndarray
    partners: np.ndarray
    shares: np.ndarray

    def take(self, places: np.ndarray) -> "Pairs":
        """Some of the pairs."""
        return Pairs(self.rows[places], self.partners[places], self.shares[places])

    def mixed(self, targets: np.ndarray) -> np.ndarray:
        """What each pair has of ``targets``, float (clips, classes): float32 (pairs, classes)."""
        shares = self.shares[:, None]
        return shares * targets[self.rows] + (1 - shares) * targets[self.partners]


def draw_pairs(
    rows: np.ndarray, features: FeatureSet, alpha: float, rng: np.random.Generator
) -> Pairs:
    """Pairs of a batch; clips of which only one has sound, or a face, are not mixed.

    Args:
        rows: of ``features``, int (clips,).
        features: the training side.
        alpha: parameter of the beta distribution; 0 mixes nothing.
        rng: decides everything.
    """
    if not alpha:
        return Pairs(rows, rows, np.ones(len(rows), np.float32))
    partners = rng.permutation(rows)
    drawn = rng.beta(alpha, alpha, len(rows))
    shares = np.maximum(drawn, 1 - drawn)  # a pair the other way round is the other clip's
    for has in (features.has_audio, features.has_faces):
        shares[has[rows] != has[partners]] = 1.0
    return Pairs(rows, partners, shares.astype(np.float32))


def mix(both: Batch, shares: Tensor) -> Batch:
    """A batch of clips and then of their partners, in order, as one of mixed clips.

    Args:
        both: ``2 b`` clips.
        shares: float (b,), of the first half.

    Returns:
        ``b`` clips, with the labels of the first half. Sound lies as it is padded: at its end. A
        face is mixed where both have one, else it is the one that is there.
    """
    count = len(shares)

    def blend(values: Tensor, share: Tensor) -> Tensor:
        share = share.reshape(*share.shape, *[1] * (values.ndim - share.ndim))
        return share * values[:count] + (1 - share) * values[count:]

    faces, face_mask = both.faces, both.face_mask[:count]
    if faces is not None:
        mine, other = face_mask, both.face_mask[count:]
        each = shares[:, None].expand(mine.shape)
        faces = blend(faces, torch.where(mine & other, each, mine.float()))
        face_mask = torch.where(shares[:, None] < 1, mine | other, mine)
        faces = faces * face_mask[:, :, None, None, None]
    lengths = both.audio_length[:count]
    longest = torch.maximum(lengths, both.audio_length[count:])
    return replace(
        both,
        audio=None if both.audio is None else blend(both.audio, shares),
        audio_length=torch.where(shares < 1, longest, lengths),
        has_audio=both.has_audio[:count],
        faces=faces,
        face_mask=face_mask,
        label=both.label[:count],
    )
