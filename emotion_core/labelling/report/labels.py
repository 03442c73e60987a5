"""One picture of a label job: how the inputs fared, which emotions there were, and when.

Windows overlap, so they are not added up as they are: each answer counts for the seconds that it
alone stands for (``own_s``), to the start of the person's next one. That way every second of a
person counts once.
"""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

from emotion_core import storage
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.report.colours import STATUS_COLOURS, colour_of
from emotion_core.report.progress import duration
from emotion_core.storage.schemas import STATUSES

_MOST_VIDEOS = 6
_MOST_PEOPLE = 4  # rows of one timeline; the rest of a crowd is left out
_MOST_LETTERS = 42
_DPI = 130
NOBODY = -1  # in place of a track_id


@dataclass(frozen=True)
class Stretches:
    """Answers that do not overlap, sorted by video, person and time; arrays of one length.

    Attributes:
        clip: clip_id.
        person: track_id, -1 where the answer belongs to no face.
        start_s, end_s: seconds from the start of the file.
        emotion: label.
        confidence: 0 to 1.
    """

    clip: np.ndarray
    person: np.ndarray
    start_s: np.ndarray
    end_s: np.ndarray
    emotion: np.ndarray
    confidence: np.ndarray

    def of(self, clip_id: str) -> "Stretches":
        """One video's."""
        here = self.clip == clip_id
        return Stretches(
            self.clip[here], self.person[here], self.start_s[here], self.end_s[here],
            self.emotion[here], self.confidence[here],
        )  # fmt: skip


def stretches(segments: pa.Table) -> Stretches:
    """Overlapping windows as stretches: each ends where the person's next one begins.

    Args:
        segments: as ``tables.segments_schema``.
    """
    clip = segments["clip_id"].to_numpy()
    person = segments["track_id"].fill_null(NOBODY).to_numpy()
    start = segments["start_s"].to_numpy()
    order = np.lexsort((start, person, clip.astype(str)))
    return Stretches(
        clip[order], person[order], start[order],
        (start + segments["own_s"].to_numpy())[order],
        segments["emotion"].to_numpy()[order], segments["confidence"].to_numpy()[order],
    )  # fmt: skip


def seconds_by_emotion(videos: pa.Table) -> dict[str, float]:
    """Seconds of people (or of sound that is nobody's) per emotion, in canonical order.

    Args:
        videos: as ``tables.videos_schema``.
    """
    answered = videos["answered_s"].fill_null(0.0).to_numpy()
    shares = _shares(videos)
    sums = {label: float(share @ answered) for label, share in shares.items() if share.any()}
    names = [*(e for e in EMOTIONS if e in sums), *(name for name in sums if name not in EMOTIONS)]
    return {name: sums[name] for name in names}


def _shares(videos: pa.Table) -> dict[str, np.ndarray]:
    return {
        name.removeprefix("share_"): videos[name].fill_null(0.0).to_numpy()
        for name in videos.column_names
        if name.startswith("share_")
    }


def labels_picture(videos: pa.Table, chosen: Sequence[dict], segments: pa.Table, path: str) -> None:
    """Draw the picture and write it as PNG.

    Args:
        videos: as ``tables.videos_schema``.
        chosen: rows of those that are shown, as ``choose`` gives them; the first six are.
        segments: as ``tables.segments_schema``, those of the chosen videos.
        path: URI of the file.
    """
    storage.write_bytes(path, labels_png(videos, chosen, segments))


def labels_png(videos: pa.Table, chosen: Sequence[dict], segments: pa.Table) -> bytes:
    """The picture of ``labels_picture`` as bytes."""
    answers = stretches(segments)
    chosen = chosen[:_MOST_VIDEOS]
    people = [longest_seen(answers.of(row["clip_id"])) for row in chosen]
    heights = [2.5, *(0.75 + 0.30 * len(rows) for rows in people)]
    layout = ConstrainedLayoutEngine(h_pad=0.09, w_pad=0.06)
    figure = Figure(figsize=(10.5, sum(heights) + 0.5), layout=layout)
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(1, 1.15))
    _draw_statuses(figure.add_subplot(grid[0, 0]), videos)
    _draw_emotions(figure.add_subplot(grid[0, 1]), seconds_by_emotion(videos))
    names = distinct_names([row["uri"] for row in chosen])
    for place, (name, row, rows) in enumerate(zip(names, chosen, people, strict=True), start=1):
        axes = figure.add_subplot(grid[place, :])
        _draw_timeline(axes, name, row, answers.of(row["clip_id"]), rows)
    seen = list(seconds_by_emotion(videos)) if chosen else []
    if seen:
        patches = [_patch(label) for label in seen]
        figure.legend(
            patches, seen, loc="outside lower left", ncols=len(seen), frameon=False, fontsize=9
        )
    buffer = io.BytesIO()
    # no version in the file: the same tables give the same bytes
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return buffer.getvalue()


def choose(videos: pa.Table, most: int) -> list[dict]:
    """Rows of the videos with most to see: many emotions first, then many people, then long ones.

    Returns:
        At most ``most`` rows, in that order.
    """
    counts = np.sum([share > 0 for share in _shares(videos).values()], axis=0)
    ids = videos["clip_id"].to_pylist()
    n_tracks = videos["n_tracks"].to_pylist()
    lengths = videos["duration_s"].to_pylist()
    places = np.flatnonzero(counts).tolist()
    places.sort(key=lambda i: (-counts[i], -n_tracks[i], -(lengths[i] or 0.0), ids[i]))
    return videos.take(pa.array(places[:most], pa.int64())).to_pylist()


def short_name(uri: str, most: int = _MOST_LETTERS) -> str:
    """The file's name, its middle left out when it is long, printable on one line."""
    name = unquote(uri) if uri.startswith("file://") else uri  # undecodable bytes become U+FFFD
    name = name.rstrip("/").rsplit("/", 1)[-1] or uri
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    if len(name) <= most:
        return name
    tail = most // 2 - 1
    return f"{name[: most - tail - 1]}…{name[-tail:]}"


def distinct_names(uris: list[str]) -> list[str]:
    """Short names; with their folder where the name alone would not tell files apart."""
    counts = Counter(short_name(uri) for uri in uris)
    return [
        short_name(uri) if counts[short_name(uri)] == 1 else f"{_folder(uri)}/{short_name(uri)}"
        for uri in uris
    ]


def _folder(uri: str) -> str:
    return short_name(uri.rstrip("/").rpartition("/")[0], 24) if "/" in uri else "."


def longest_seen(answers: Stretches) -> list[int]:
    """Whose rows a timeline has: those seen longest, in the order of their numbers.

    Returns:
        At most four; ``NOBODY`` is sound that is nobody's in particular.
    """
    numbers, which = np.unique(answers.person, return_inverse=True)
    seen = np.bincount(which, answers.end_s - answers.start_s, minlength=len(numbers))
    longest = np.argsort(-seen, kind="stable")[:_MOST_PEOPLE]
    return sorted(int(number) for number in numbers[longest])


def _draw_statuses(axes: Axes, videos: pa.Table) -> None:
    statuses, reasons = videos["status"].to_pylist(), videos["reasons"].to_pylist()
    found = Counter(statuses)
    why = Counter(
        (status, reason)
        for status, those in zip(statuses, reasons, strict=True)
        for reason in those
    )
    bars = axes.barh(
        STATUSES, [found[s] for s in STATUSES], color=[STATUS_COLOURS[s] for s in STATUSES]
    )
    texts = []
    for status in STATUSES:
        told = [
            f"{reason.replace('_', ' ')} {n:,}"
            for (one, reason), n in why.most_common()
            if one == status
        ]
        texts.append("\n".join([f"{found[status]:,}", *told[:3]]))
    axes.bar_label(bars, texts, padding=5, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max([1, *found.values()]) * 1.45)
    axes.set_title(f"{len(videos):,} inputs", loc="left", fontsize=11)
    _bare(axes)


def _draw_emotions(axes: Axes, seconds: dict[str, float]) -> None:
    total = sum(seconds.values())
    axes.set_title(f"Emotions, {shown_time(total)} in all", loc="left", fontsize=11)
    if not seconds:
        axes.text(0.5, 0.5, "nothing was labelled", ha="center", va="center", color="#606060")
        axes.set_axis_off()
        return
    bars = axes.barh(
        list(seconds),
        list(seconds.values()),
        color=[colour_of(label) for label in seconds],
        edgecolor="#404040",
        linewidth=0.4,
    )
    shares = [f"{value / (total or 1):.0%}  {shown_time(value)}" for value in seconds.values()]
    axes.bar_label(bars, shares, padding=5, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, max(*seconds.values(), 1e-9) * 1.35)
    _bare(axes)


def _draw_timeline(axes: Axes, name: str, row: dict, answers: Stretches, people: list[int]) -> None:
    for level, person in enumerate(people):
        here = answers.person == person
        axes.barh(
            np.full(here.sum(), level),
            (answers.end_s - answers.start_s)[here],
            left=answers.start_s[here],
            height=0.72,
            color=[
                # paler where the model was less sure
                (colour_of(label), 0.35 + 0.65 * float(np.clip(sure, 0, 1)))
                for label, sure in zip(answers.emotion[here], answers.confidence[here], strict=True)
            ],
            edgecolor="white",
            linewidth=0.8 if here.sum() < 150 else 0.0,  # hours of video would be all edges
        )
    names = ["sound" if person == NOBODY else f"person {person}" for person in people]
    axes.set_yticks(range(len(people)), names, fontsize=8)
    axes.set_ylim(len(people) - 0.5, -0.5)
    axes.set_xlim(0, max(float(answers.end_s.max()), row["duration_s"] or 0.0))
    axes.xaxis.set_major_formatter(lambda value, _: shown_time(value, exact=True))
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    title = axes.set_title(name, loc="left", fontsize=9)
    title.set_parse_math(False)  # a name may hold dollar signs


def _patch(label: str) -> Patch:
    return Patch(facecolor=colour_of(label), edgecolor="#404040", linewidth=0.4)


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)


def shown_time(seconds: float, exact: bool = False) -> str:
    """Seconds for people: ``7.5 s``, ``12 min``, ``3.2 h``; exact: ``4.5 s`` or ``1:05:09``."""
    if exact and seconds >= 60:
        minutes, rest = divmod(round(seconds), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
    return duration(seconds)
