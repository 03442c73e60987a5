"""Labels of one video after the other, as exports want them: stretches that do not overlap."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.corpora.scanning import stem
from emotion_core.errors import UsageError
from emotion_core.labelling.people.table import names as people_names
from emotion_core.labelling.report.overview import lane_name
from emotion_core.labelling.tables import (
    SEGMENTS,
    TRACKS,
    VIDEOS,
    published_dimensions,
    published_labels,
)
from emotion_core.storage.parts import parts
from emotion_core.text import printable

_MOST_BYTES = 180


@dataclass(frozen=True)
class Stretch:
    """An answer for the seconds that it alone stands for.

    Attributes:
        lane: ``person 0``, ``person 1``, ..., the person's name where ``people/`` knows one, or
            ``sound``, which is nobody's in particular.
        start_s: seconds from the start of the file.
        end_s: the same; equal to ``start_s`` for a still picture.
        emotion: the label.
        confidence: 0 to 1.
        unsure: below the least confidence that the labelling asked for.
        probabilities: of all labels, in their order.
        dimensions: of all that the models told, in their order; None where they could not.
        box: where the face was seen best, as fractions of the picture; None for sound.
        box_s: when that was, seconds.
        speaking: how well the mouth goes with the sound, -1 to 1; None where that was not asked.
    """

    lane: str
    start_s: float
    end_s: float
    emotion: str
    confidence: float
    unsure: bool
    probabilities: tuple[float, ...]
    box: tuple[float, ...] | None = None
    box_s: float | None = None
    dimensions: tuple[float | None, ...] = ()
    speaking: float | None = None


@dataclass(frozen=True)
class LabelledVideo:
    """A row of ``videos/`` with its answers.

    Attributes:
        name: unlike that of every other video of these labels; fit for a file's name.
        row: the columns of ``videos/``.
        stretches: lane by lane, persons first, each in order of time.
    """

    name: str
    row: dict[str, Any]
    stretches: tuple[Stretch, ...]

    @property
    def lanes(self) -> dict[str, list[Stretch]]:
        """The stretches that last, by lane."""
        found: dict[str, list[Stretch]] = {}
        for stretch in self.stretches:
            if stretch.end_s > stretch.start_s:
                found.setdefault(stretch.lane, []).append(stretch)
        return found


@dataclass(frozen=True)
class Labels:
    """The output of a labelling job.

    Attributes:
        uri: its folder.
        labels: of the model.
        dimensions: that were told beside them.
    """

    uri: str
    labels: tuple[str, ...]
    dimensions: tuple[str, ...] = ()

    def videos(self) -> Iterator[LabelledVideo]:
        """One video after the other, file by file; a file of both tables is held at once.

        Raises:
            UsageError: a file of answers is not there, or a job replaced one meanwhile.
        """
        places = parts(storage.join(self.uri, VIDEOS))  # once: a job may be adding more
        names = names_of(storage.read_parquet(places, ["clip_id", "uri"]))
        people = people_names(self.uri)
        for place in places:
            rows = storage.read_parquet([place])
            rows = rows.drop_columns([name for name in rows.column_names if name == TRACKS])
            details = storage.join(self.uri, SEGMENTS, place.rsplit("/", 1)[-1])
            found = storage.read_parquet([details]) if storage.exists(details) else None
            if found is None and pc.any(pc.greater(rows["n_segments"], 0)).as_py():
                raise UsageError(
                    f"{place} has answers, but {details} is not there: give the --out of "
                    "jobs/label.py itself, not a copy of it that --compact-to made"
                )
            for row in rows.to_pylist():
                mine = None
                if found is not None:
                    mine = found.filter(pc.equal(found["clip_id"], row["clip_id"]))
                name = names.get(row["clip_id"])
                if name is None:
                    raise UsageError(f"{place} changed while it was read: repeat the command")
                yield LabelledVideo(name, row, self._stretches(mine, people))

    def _stretches(
        self, segments: pa.Table | None, people: Mapping[tuple[str, int], str]
    ) -> tuple[Stretch, ...]:
        if segments is None:
            return ()
        found = [
            Stretch(
                people.get((row["clip_id"], row["track_id"])) or lane_name(row["track_id"]),
                row["start_s"],
                row["start_s"] + row["labelled_s"],
                row["emotion"],
                row["confidence"],
                row["unsure"],
                tuple(row[f"p_{label}"] for label in self.labels),
                None if row["face_box"] is None else tuple(row["face_box"]),
                row["face_time_s"],
                tuple(row[name] for name in self.dimensions),
                row.get("speaking"),
            )
            for row in segments.sort_by(
                [("track_id", "ascending"), ("start_s", "ascending")]
            ).to_pylist()
        ]
        return _one_at_a_time(found)


def _one_at_a_time(stretches: Sequence[Stretch]) -> tuple[Stretch, ...]:
    """Lanes of which several tracks may have one name: an answer counts until the next one."""
    lanes: dict[str, list[Stretch]] = {}
    for stretch in stretches:
        lanes.setdefault(stretch.lane, []).append(stretch)
    found = []
    for lane in lanes.values():
        lane.sort(key=lambda stretch: stretch.start_s)
        for now, after in zip(lane, [*lane[1:], None], strict=True):
            found.append(now if after is None else _until(now, after.start_s))
    return tuple(found)


def _until(stretch: Stretch, end_s: float) -> Stretch:
    return replace(stretch, end_s=max(stretch.start_s, min(stretch.end_s, end_s)))


def open_labels(uri: str) -> Labels:
    """What a labelling job wrote.

    Raises:
        UsageError: it is no output of ``jobs/label.py``, or nothing is published there yet.
    """
    found = parts(storage.join(uri, VIDEOS))
    if not found:
        raise UsageError(
            f"{uri} holds no labels: give the --out of jobs/label.py, once its first videos are "
            "done"
        )
    labels = published_labels(uri)
    if not labels:
        raise UsageError(f"{found[0]} is no table of jobs/label.py: it lacks its columns")
    return Labels(uri, labels, published_dimensions(uri))


def names_of(rows: pa.Table) -> dict[str, str]:
    """A name for each ``clip_id``: the file's, with some of the id where others have the same.

    No two names are the same to a file system that sees no case.
    """
    ids, uris = rows["clip_id"].to_pylist(), rows["uri"].to_pylist()
    stems = dict(zip(ids, map(_fit, uris), strict=True))
    counts = Counter(map(_key, stems.values()))
    names = {clip: plain for clip, plain in stems.items() if counts[_key(plain)] == 1}
    taken = set(map(_key, names.values()))
    for clip in sorted(stems.keys() - names.keys()):
        tries = (f"{stems[clip]}-{clip[:length]}" for length in range(10, len(clip) + 1))
        name = next((each for each in tries if _key(each) not in taken), f"{stems[clip]} {clip}")
        names[clip] = name
        taken.add(_key(name))
    return names


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _fit(uri: str) -> str:
    """A file's name without its suffix, fit to be one anywhere."""
    # what no file system takes, and what would name another folder
    fit = "".join("_" if sign in '\\/:*?"<>|' else sign for sign in printable(stem(uri)))
    # room for a suffix in the 255 bytes that a name may have
    cut = fit.encode("utf-8", "replace")[:_MOST_BYTES].decode("utf-8", "ignore")
    return cut.strip(". ") or "video"
