"""Tracks of one video that are one person's: each gets an embedding, and those alike become one."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, count
from typing import Any

import numpy as np

from emotion_core.clips.work import ClipWork, Segment
from emotion_core.errors import UsageError
from emotion_core.faces.embedding import FaceEmbedder, find_embedder
from emotion_core.faces.likeness import ALIKE, Leaders
from emotion_core.faces.onnx_session import file_hash
from emotion_core.faces.types import Detections
from emotion_core.storage.schemas import SEVERAL_PEOPLE

# The best faces of a track; their mean says how the person looks.
BEST = 5
# Faces that wait for the network; 40 kB each.
_MOST_WAITING = 256


@dataclass(frozen=True)
class Identify:
    """How people are told apart.

    Attributes:
        target: as ``faces.embedding.find_embedder`` takes it.
        threshold: cosine from which on two tracks are one person's.
    """

    target: str
    threshold: float = ALIKE

    def check(self, finds_faces: bool) -> None:
        """Raises ``UsageError`` where nobody can be known again in this manner."""
        if not 0 < self.threshold < 1:
            raise UsageError(f"--identify-threshold {self.threshold}: above 0, below 1")
        if not finds_faces:
            raise UsageError("--identify needs a --model that looks for faces, such as face")
        FaceEmbedder(self.target)

    def settings(self) -> dict[str, Any]:
        """What decides who is who."""
        weights_hash = file_hash(find_embedder(self.target))
        return {"weights_hash": weights_hash, "threshold": self.threshold}

    def load(self, device: str) -> Callable[[], "TrackFaces"]:
        """What makes a ``TrackFaces`` for each video, with one network."""
        return partial(TrackFaces, FaceEmbedder(self.target, device), self.threshold)

    def memory_bytes(self) -> int:
        """About what the network holds: its weights, and as much to work with."""
        return 2 * find_embedder(self.target).stat().st_size


class TrackFaces:
    """The best faces of each track of one video, and who was seen together.

    Args:
        embedder: makes vectors of faces.
        threshold: see ``Identify``.
    """

    def __init__(self, embedder: FaceEmbedder, threshold: float):
        self._embedder, self._threshold = embedder, threshold
        # track -> (quality, number, face or its vector): the worst first; the number breaks ties
        self._best: dict[int, list[tuple[float, int, np.ndarray]]] = {}
        self._together: set[tuple[int, int]] = set()
        self._windows: set[tuple[int, ...]] = set()
        self._numbers = count()
        self._waiting = 0

    def add(self, image: np.ndarray, faces: Detections, ids: Sequence[int]) -> None:
        """The faces of one picture, uint8 (height, width, 3) RGB, and whose tracks they are."""
        self._together.update(combinations(sorted(ids), 2))
        for face, track in enumerate(ids):
            held = self._best.setdefault(track, [])
            x1, y1, x2, y2 = faces.boxes[face]
            quality = float(faces.scores[face] * min(x2 - x1, y2 - y1))
            if len(held) == BEST and quality <= held[0][0]:
                continue
            aligned = self._embedder.aligned(image, faces.landmarks[face])
            if aligned is not None:
                push = heapq.heappush if len(held) < BEST else heapq.heapreplace
                push(held, (quality, next(self._numbers), aligned))
                self._waiting += 1
        if self._waiting >= _MOST_WAITING:
            self._embed()

    def saw(self, tracks: Sequence[int]) -> None:
        """The tracks of a window."""
        if len(tracks) > 1:
            self._windows.add(tuple(tracks))

    def applied(self, work: ClipWork) -> ClipWork:
        """The labelled video with each person's tracks as one, numbered as they begin.

        Tracks that were seen in one picture stay apart, however alike. Where two that became one
        have a row each for the same window, the mean of their answers is its row. Sound that was
        nobody's, because two tracks were in view, stays so.
        """
        vectors = self._vectors()
        new, looks = linked(range(work.n_tracks), vectors, self._together, self._threshold)
        crowded = any(len({new[track] for track in window}) > 1 for window in self._windows)
        notes = tuple(note for note in work.notes if note != SEVERAL_PEOPLE or crowded)
        return work.with_(
            segments=renumbered(work.segments, new), n_tracks=len(looks), tracks=looks, notes=notes
        )

    def _embed(self) -> None:
        held = [(track, place) for track, best in self._best.items() for place in range(len(best))]
        held = [(t, p) for t, p in held if self._best[t][p][2].dtype == np.uint8]
        if held:
            vectors = self._embedder.embed([self._best[t][p][2] for t, p in held])
            for (track, place), vector in zip(held, vectors, strict=True):
                self._best[track][place] = (*self._best[track][place][:2], vector)
        self._waiting = 0

    def _vectors(self) -> dict[int, np.ndarray]:
        self._embed()
        found = {}
        for track, best in self._best.items():
            mean = np.sum([vector for _, _, vector in best], axis=0)
            if best and (length := float(np.linalg.norm(mean))) > 0:
                found[track] = mean / length
        return found


def linked(
    tracks: Sequence[int],
    vectors: Mapping[int, np.ndarray],
    together: set[tuple[int, int]],
    threshold: float,
) -> tuple[dict[int, int], tuple[np.ndarray | None, ...]]:
    """Which tracks are one person's.

    Args:
        tracks: in the order in which they begin.
        vectors: float32 (size,) of length 1, of the tracks that have one.
        together: pairs, the smaller number first, that were seen in one picture.
        threshold: see ``Identify``.

    Returns:
        The new number of each track, and how each new one looks; None where nothing tells.
    """
    people, new, members = Leaders(threshold), {}, list[list[int]]()
    looks: list[np.ndarray | None] = []
    for track in tracks:
        vector = vectors.get(track)
        apart = {
            person
            for person, theirs in enumerate(members)
            if any((min(track, other), max(track, other)) in together for other in theirs)
        }
        person = None if vector is None else people.closest(vector, apart)
        new[track] = people.join(person, vector)
        if person is None:
            members.append([])
            looks.append(None)
        members[new[track]].append(track)
        looks[new[track]] = people.mean(new[track])
    return new, tuple(looks)


def renumbered(segments: Sequence[Segment], new: Mapping[int, int]) -> tuple[Segment, ...]:
    """Segments with the tracks' new numbers: one for each window and track, in their order."""
    found: dict[tuple[float, float], Segment] = {}
    for segment in segments:
        track = None if segment.track_id is None else new[segment.track_id]
        # sound, which is nobody's, behind all tracks
        key = (segment.start_s, float("inf") if track is None else track)
        segment = replace(segment, track_id=track)
        found[key] = _mean(found[key], segment) if key in found else segment
    return tuple(found[key] for key in sorted(found))


def _mean(first: Segment, second: Segment) -> Segment:
    """Two answers about one person in one window; the face is the one that was seen better."""
    better = max(first, second, key=lambda segment: segment.face_score or 0.0)
    both = _average(first.probabilities, second.probabilities)
    assert both is not None
    return replace(
        better,
        end_s=max(first.end_s, second.end_s),
        probabilities=both,
        audio_probabilities=_average(first.audio_probabilities, second.audio_probabilities),
        face_probabilities=_average(first.face_probabilities, second.face_probabilities),
        dimensions=_known_average(first.dimensions, second.dimensions),
        modalities=tuple(sorted({*first.modalities, *second.modalities})),
        # the sound went with one of them, whichever face was seen better
        speaking=max((s for s in (first.speaking, second.speaking) if s is not None), default=None),
    )


def _average(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    known = [each for each in (first, second) if each is not None]
    return np.stack(known).mean(axis=0) if known else None


def _known_average(first: np.ndarray | None, second: np.ndarray | None) -> np.ndarray | None:
    """Of what is a number in one of them, or in both."""
    if first is None or second is None:
        return first if second is None else second
    return np.where(
        np.isnan(first), second, np.where(np.isnan(second), first, (first + second) / 2)
    )
