"""Tracks of all videos -> people."""

from collections.abc import Iterator, Mapping

import numpy as np

from emotion_core.faces.likeness import ALIKE, Leaders
from emotion_core.labelling.people.tracks import Track, Tracks

# What a still picture's track weighs, which lasts no time.
_LEAST_S = 0.1

Key = tuple[str, int]


class People:
    """Who is who among the tracks of many videos.

    Videos are gone through twice, in order of URI. The first time their tracks make the people
    (``likeness.Leaders``), the second time each goes to the person it is most like, so that the
    earliest know of all the others. Tracks of one video are different people, unless one name was
    given to both: what is alike there was linked when it was labelled.

    The same labels and names give the same people. What is not promised: that people keep their
    number when videos come or go, or that another order would make the same ones; two people who
    grow alike stay two. Memory holds one vector a person.

    Args:
        tracks: of all videos.
        named: names of some of them.
        threshold: cosine from which on a track may be a person's.
    """

    def __init__(self, tracks: Tracks, named: Mapping[Key, str], threshold: float = ALIKE):
        self._tracks, self._named = tracks, named
        self._leaders = Leaders(threshold)
        self._of_name: dict[str, int] = {}
        self._name_of: dict[int, str] = {}
        self._threshold = threshold
        for track in (track for video in tracks.videos for track in video):
            if name := named.get((track.clip_id, track.track_id)):
                group = self._join(self._of_name.get(name), track)
                self._of_name[name], self._name_of[group] = group, name
        for video in tracks.videos:
            for track, like in self._assigned(video):
                if (track.clip_id, track.track_id) not in named and track.row is not None:
                    self._join(like, track)

    def rows(self) -> Iterator[tuple[Track, int | None, str | None]]:
        """Each track with its person's number, from 0 as they appear, and name."""
        numbers: dict[int, int] = {}
        for video in self._tracks.videos:
            for track, group in self._assigned(video):
                if group is None and track.row is not None:
                    group = self._join(None, track)  # it has grown away from whom it began
                number = None if group is None else numbers.setdefault(group, len(numbers))
                yield track, number, None if group is None else self._name_of.get(group)

    def twins(self) -> list[tuple[str, str]]:
        """Pairs of names whose people look like one person."""
        found = [(name, self._leaders.mean(group)) for name, group in self._of_name.items()]
        known = [(name, mean) for name, mean in found if mean is not None]
        return [
            (first, second)
            for place, (first, one) in enumerate(known)
            for second, other in known[place + 1 :]
            if float(np.dot(one, other)) >= self._threshold
        ]

    def _assigned(self, video: tuple[Track, ...]) -> list[tuple[Track, int | None]]:
        """The group of each track of a video, as things are; None where there is none."""
        found: dict[int, int | None] = {}
        for track in video:
            if name := self._named.get((track.clip_id, track.track_id)):
                found[track.track_id] = self._of_name[name]
        rows = {t.track_id: t.row for t in video if t.track_id not in found and t.row is not None}
        looks = np.asarray(self._tracks.embeddings[list(rows.values())])
        taken = {group for group in found.values() if group is not None}
        found.update(zip(rows, self._leaders.assigned(looks, taken), strict=True))
        return [(track, found.get(track.track_id)) for track in video]

    def _join(self, group: int | None, track: Track) -> int:
        look = self._tracks.look(track)
        return self._leaders.join(group, look, max(track.seconds, _LEAST_S))
