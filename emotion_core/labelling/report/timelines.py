"""Videos as lanes of coloured marks, one lane per track: what the report's page draws.

Windows overlap, so they are not drawn as they are: each answer counts for the seconds that it alone
stands for (``labelled_s``), to the start of the track's next one. That way every second of a
person counts once.
"""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.ticker import MaxNLocator

from emotion_core.labelling.report.overview import distinct_names, lane_name, shown_time
from emotion_core.report.colours import colour_of
from emotion_core.text import printable

NOBODY = -1  # in place of a track_id
_MOST_TRACKS = 4  # lanes of one video; the rest of a crowd is left out
_TICKS = 8
# A mark that is thinner than this share of its lane would not be seen.
_LEAST_WIDTH = 0.15


@dataclass(frozen=True)
class Stretches:
    """Answers that do not overlap, sorted by video, track and time; arrays of one length.

    Attributes:
        clip: clip_id.
        track: track_id, -1 where the answer belongs to no face.
        start_s, end_s: seconds from the start of the file.
        emotion: label.
        confidence: 0 to 1.
    """

    clip: np.ndarray
    track: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    emotion: np.ndarray
    confidence: np.ndarray

    def of(self, clip_id: str) -> "Stretches":
        """One video's."""
        here = self.clip == clip_id
        return Stretches(
            self.clip[here], self.track[here], self.start_s[here], self.end_s[here],
            self.emotion[here], self.confidence[here],
        )  # fmt: skip


def stretches(segments: pa.Table) -> Stretches:
    """Overlapping windows as stretches: each ends where the track's next one begins.

    Args:
        segments: as ``segments_schema``.
    """
    clip = segments["clip_id"].to_numpy()
    track = segments["track_id"].fill_null(NOBODY).to_numpy()
    start = segments["start_s"].to_numpy()
    order = np.lexsort((start, track, clip.astype(str)))
    return Stretches(
        clip[order], track[order], start[order],
        (start + segments["labelled_s"].to_numpy())[order],
        segments["emotion"].to_numpy()[order], segments["confidence"].to_numpy()[order],
    )  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """One stretch of one lane, all in per cent of the lane; ``tip`` is for people."""

    left: float
    width: float
    colour: str
    opacity: float
    tip: str


@dataclass(frozen=True)
class Lane:
    """One track's (or the sound's) time in one video.

    Attributes:
        name: ``person 0`` or ``sound``.
        said: the shares of the emotions, in words.
        thumbnail: ``data:`` URI of a JPEG; empty without one.
        marks: in order of time.
    """

    name: str
    said: str
    thumbnail: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timeline:
    """One video of the sample."""

    name: str
    uri: str
    status: str
    told: str
    lanes: tuple[Lane, ...]
    more_tracks: int
    ticks: tuple[tuple[float, str], ...]


def timelines(
    chosen: Sequence[dict], segments: pa.Table, pictures: Mapping[tuple[str, int], bytes]
) -> list[Timeline]:
    """The chosen videos, each with a lane for everybody in it."""
    answers = stretches(segments)
    names = distinct_names([row["uri"] for row in chosen])
    return [
        _timeline(name, row, answers.of(row["clip_id"]), pictures)
        for name, row in zip(names, chosen, strict=True)
    ]


def _timeline(
    name: str, row: dict, answers: Stretches, pictures: Mapping[tuple[str, int], bytes]
) -> Timeline:
    length = max(float(answers.end_s.max()), row["duration_s"] or 0.0) or 1.0
    tracks = sorted(longest_seen(answers), key=lambda track: (track == NOBODY, track))
    lanes = []
    for track in tracks:
        picture = pictures.get((row["clip_id"], track))
        lanes.append(
            Lane(
                name=lane_name(None if track == NOBODY else track),
                said=_said(answers, track),
                thumbnail=_data_uri(picture) if picture else "",
                marks=tuple(_marks(answers, track, length)),
            )
        )
    words = [*row["reasons"], *row["notes"]]
    told = [row["status"], *(word.replace("_", " ") for word in words)]
    return Timeline(
        name=name,
        uri=printable(row["uri"]),
        status=row["status"],
        told=", ".join([shown_time(row["duration_s"] or 0.0), *told]),
        lanes=tuple(lanes),
        more_tracks=len(np.unique(answers.track)) - len(tracks),
        ticks=_ticks(length if row["duration_s"] else 0.0),
    )


def _marks(answers: Stretches, track: int, length: float) -> list[Mark]:
    """Neighbours that say the same become one mark: hours of video stay a small page."""
    merged: list[list[Any]] = []  # start, end, emotion, confidence * seconds
    for place in np.flatnonzero(answers.track == track):
        start, end = float(answers.start_s[place]), float(answers.end_s[place])
        emotion, sure = answers.emotion[place], float(answers.confidence[place])
        if merged and merged[-1][2] == emotion and start - merged[-1][1] < 1e-6:
            merged[-1][1] = end
            merged[-1][3] += sure * (end - start)
        else:
            merged.append([start, end, emotion, sure * (end - start)])
        if end == start:  # a still picture
            merged[-1][1], merged[-1][3] = start + length, sure * length
    return [
        Mark(
            left=round(100 * start / length, 3),
            width=round(max(_LEAST_WIDTH, 100 * (end - start) / length), 3),
            colour=colour_of(emotion),
            # paler where the model was less sure
            opacity=round(0.35 + 0.65 * min(1.0, weighted / (end - start)), 2),
            tip=f"{shown_time(start, exact=True)} to {shown_time(end, exact=True)}: {emotion}, "
            f"{weighted / (end - start):.0%}",
        )
        for start, end, emotion, weighted in merged
    ]


def _said(answers: Stretches, track: int) -> str:
    here = answers.track == track
    lengths = (answers.end_s - answers.start_s)[here]
    if lengths.sum() == 0:
        lengths = np.ones(len(lengths))
    sums: Counter[str] = Counter()
    for emotion, length in zip(answers.emotion[here], lengths.tolist(), strict=True):
        sums[emotion] += length
    total = sums.total()
    return ", ".join(f"{emotion} {seconds / total:.0%}" for emotion, seconds in sums.most_common())


def longest_seen(answers: Stretches) -> list[int]:
    """Whose lanes a timeline has: those seen longest, in the order of their numbers.

    Returns:
        At most four; ``NOBODY`` is sound that is nobody's in particular.
    """
    numbers, which = np.unique(answers.track, return_inverse=True)
    seen = np.bincount(which, answers.end_s - answers.start_s, minlength=len(numbers))
    longest = np.argsort(-seen, kind="stable")[:_MOST_TRACKS]
    return sorted(int(number) for number in numbers[longest])


def _ticks(length: float) -> tuple[tuple[float, str], ...]:
    """Round times along a lane, as per cent of it and in words."""
    if not length:  # a still picture
        return ()
    # steps that are round for seconds, minutes and hours alike
    unit = 3600.0 if length > 3600 * 2 else 60.0 if length > 120 else 1.0
    locator = MaxNLocator(_TICKS, steps=[1, 2, 5, 10])
    places = np.asarray(locator.tick_values(0, length / unit)) * unit
    return tuple(
        (round(100 * place / length, 2), shown_time(place, exact=True))
        for place in places.tolist()
        if place <= length
    )


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
