"""Whether a figure speaks of people whom the model has not met."""

from collections.abc import Sequence

import numpy as np

from emotion_core.corpora.splits import is_speaker_independent
from emotion_core.errors import UsageError
from emotion_core.models.bundle import BundleInfo
from emotion_core.models.dataset import FeatureSet


def shared_speakers(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Speakers in both lists, sorted."""
    return sorted(set(first) & set(second))


def speakers_of(features: FeatureSet, rows: np.ndarray) -> list[str]:
    """``corpus/speaker`` of everybody in these rows (indices or a mask), sorted."""
    return features.select(rows).speakers


def check_speakers(info: BundleInfo, speakers: Sequence[str], split: str | None) -> list[str]:
    """Speakers of the clips to be judged whom the model learned from.

    Under the protocol that the model was trained with there are such speakers only where that is
    its nature (``random``), or on the sides that are not the test side.

    Args:
        info: of the model.
        speakers: ``corpus/speaker`` of the clips to be judged.
        split: the protocol that chose these clips, None without one.

    Raises:
        UsageError: the protocol is another one, and puts people to the test whom the model knows.
    """
    known = shared_speakers(info.speakers, speakers)
    if known and split != info.split:
        some = ", ".join(known[:3]) + (", ..." if len(known) > 3 else "")
        raise UsageError(
            f"the model was trained on {len(known)} of these speakers ({some}): evaluate with "
            f"--split {info.split}, the protocol it was trained under, or on other people"
        )
    return known


def strangers_remark(split: str | None, known: int) -> str | None:
    """A warning where the figures of a test side do not speak of strangers, None where they do.

    Args:
        split: the protocol, None without one.
        known: how many of the people tested were also in training.
    """
    if known:
        return (
            f"{known} speakers both train and are tested: under this split the figures say nothing "
            "about people whom the model has not met"
        )
    if split is not None and not is_speaker_independent(split):
        return (
            f"split {split} does not keep people apart (its clips name nobody): the same person "
            "may both train and be tested"
        )
    return None
