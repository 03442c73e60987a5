"""What ``jobs/erase.py`` does, in an order in which a kill costs a repetition and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.labelling.erasing.persons import (
    drop_persons,
    require_current,
    rows_of_persons,
)
from emotion_core.labelling.erasing.record import add_erased, erased, mark_of
from emotion_core.labelling.erasing.rewriting import (
    FEATURES_FOLDERS,
    drop_from_features,
    drop_from_labels,
    in_labels,
    of_videos,
    of_videos_and_speakers,
)
from emotion_core.labelling.report.write import PAGES, SUMMARY
from emotion_core.labelling.tables import VIDEOS
from emotion_core.storage.outputs import RUN, kind_at
from emotion_core.storage.parts import parts, read_parts
from emotion_core.storage.schemas import STATUSES


@dataclass(frozen=True)
class Erasing:
    """What is to be erased.

    Attributes:
        labels: URI of the labels.
        videos: URIs of inputs, absolute.
        persons: names or numbers of people.
        dry_run: count only.
    """

    labels: str
    videos: tuple[str, ...]
    persons: tuple[str, ...]
    dry_run: bool = False

    def check(self, features: Sequence[str] = ()) -> None:
        """Raises ``UsageError`` for what is not there, so that a mistyped name is no success.

        Args:
            features: URIs of features that are to be looked through.
        """
        marks = erased(self.labels)
        if not parts(storage.join(self.labels, VIDEOS)) and not marks:
            raise UsageError(f"{self.labels} holds no labels: give the --out of jobs/label.py")
        unmarked = [video for video in self.videos if mark_of(video) not in marks]
        held = in_labels(self.labels, unmarked) if unmarked else set()
        for video in unmarked:
            if video not in held:
                raise UsageError(f"--video {video}: {self.labels} holds no such input")
        if self.persons:
            rows_of_persons(self.labels, self.persons)
            require_current(self.labels)
        for place in features:
            # also where nothing is left of them: the same command again is no mistake
            left = parts(storage.join(place, FEATURES_FOLDERS[0]))
            if not left and kind_at(place) != "features":
                raise UsageError(f"{place} holds no features: give the --out of jobs/preprocess.py")

    def videos_and_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """In which videos these people are, as far as ``people/`` knows, and what they are called.

        A number means nobody outside of ``people/``.
        """
        if not self.persons:
            return (), ()
        rows = rows_of_persons(self.labels, self.persons)
        found = (set(rows[name].drop_null().to_pylist()) for name in ("uri", "name"))
        videos, names = map(tuple, found)
        return videos, names

    def from_labels(self, check: storage.Check) -> dict[str, int]:
        """Erase, and remove the report; how many rows of each table go."""
        gone = rows_of_persons(self.labels, self.persons) if self.persons else None
        if not self.dry_run:
            check()
            for name in (SUMMARY, PAGES):
                storage.remove(storage.join(self.labels, name))
            if self.videos:
                add_erased(self.labels, self.videos)  # first: nothing of them comes back
                check()
        counts: dict[str, int] = {}
        if self.videos:
            counts = drop_from_labels(self.labels, of_videos(self.videos), check, self.dry_run)
        if gone is not None:
            of_people = drop_persons(self.labels, gone, check, self.dry_run)
            counts = {t: counts.get(t, 0) + of_people.get(t, 0) for t in {**counts, **of_people}}
        if not self.dry_run:
            _correct_record(self.labels, VIDEOS, self.videos)
        return counts

    def from_features(
        self, place: str, touched: Sequence[str], names: Sequence[str], check: storage.Check
    ) -> dict[str, int]:
        """Erase from features the rows of these inputs, and of these people as speakers.

        Args:
            place: URI of the features, whose claim is held.
            touched: inputs; of a person's too, because a crop does not say whose it is.
            names: of people.
            check: the claim's.
        """
        gone = of_videos_and_speakers(touched, names)
        counts = drop_from_features(place, gone, check, self.dry_run)
        if not self.dry_run:
            _correct_record(place, FEATURES_FOLDERS[0], touched)
        return counts


def _correct_record(out: str, table: str, uris: Sequence[str]) -> None:
    """``run.json`` without these inputs in its arguments, and with the counts of what is left."""
    place = storage.join(out, RUN)
    if not storage.exists(place):
        return
    record = _without(storage.read_json(place), set(uris))
    rows = read_parts(storage.join(out, table), ["status"])
    statuses = [] if rows is None else rows["status"].to_pylist()
    counts = {status: statuses.count(status) for status in STATUSES}
    storage.write_json(place, {**record, "counts": {"inputs": len(statuses), **counts}})


def _without(value: Any, uris: set[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(inner, uris) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without(inner, uris) for inner in value if not _names(inner, uris)]
    return None if _names(value, uris) else value


def _names(value: Any, uris: set[str]) -> bool:
    """Whether an argument is one of these inputs, however it was written."""
    return isinstance(value, str) and bool(value) and (
        value in uris or storage.absolute(value) in uris
    )  # fmt: skip
