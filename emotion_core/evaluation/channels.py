"""Whether figures of a protocol that was published for speech are of speech."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core.corpora.splits import is_published


def channels_of(clips: Sequence[pa.Table]) -> dict[str, int]:
    """How many clips each channel has (``Clip.channel``); clips that name none are not counted.

    Args:
        clips: manifest columns.
    """
    counts = pc.value_counts(pa.chunked_array([c for t in clips for c in t["channel"].chunks]))
    return {row["values"]: row["counts"] for row in counts.to_pylist() if row["values"]}


def songs_remark(split: str | None, channels: Mapping[str, int]) -> str | None:
    """A warning where songs are among the clips of a published protocol, None where none are.

    Args:
        split: the protocol, None without one.
        channels: as ``channels_of`` counts them.
    """
    songs = channels.get("song", 0)
    if not songs or split is None or not is_published(split):
        return None
    return (
        f"there are songs among the clips ({songs}), and split {split} was published for speech: "
        "its figures are others (without --channel, jobs/preprocess.py leaves songs out)"
    )
