"""One picture after the other: whose faces are in it, and what the models make of them at once."""

from collections import deque
from dataclasses import replace

import numpy as np

from emotion_core.errors import ClipError
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelStep
from emotion_core.labelling.windows import FaceObservation, Piece, join
from emotion_core.live.orders import Picture
from emotion_core.media.types import Media, MediaInfo

# Faces are asked about this often; in between they are followed.
ASKED_EVERY_S = 0.2
_NO_SOUND = np.empty(0, np.float32)


class Looking:
    """The pictures of one session. Feed it them in order of time.

    Windows are asked about as labelling asks, once they are complete. Until then a face has a quick
    answer: of its pictures of the last ``hop_s`` seconds alone, without sound.

    Args:
        step: the models, and how they want faces found.
        info: of the source.
        seen: what has been seen so far, for the finder.
    """

    def __init__(self, step: LabelStep, info: MediaInfo, seen: Seen):
        self._step, self._info = step, info
        self._finder = step.finder(info, seen)
        self._mouths = step.mouths(info)
        self._recent: deque[Piece] = deque()
        self._asked_s = -np.inf
        self.faces: tuple[FaceObservation, ...] = ()
        self.answers: dict[int, np.ndarray] = {}

    def look(self, picture: Picture, before: tuple[Picture, ...]) -> Piece:
        """The faces of one picture, as a piece that lasts no time.

        Args:
            picture: for the models.
            before: those since the picture before it, in which only mouths are looked at.
        """
        found = self._finder.piece(_media(self._info, [picture]), picture.time_s, picture.time_s)
        if self._mouths is not None:
            known = found
            if self._recent:  # in between a face is where it was on the way
                known = join([replace(self._recent[-1], mouths=None), found])
            media = _media(self._info, [*before, picture])
            found = replace(found, mouths=self._mouths.read(media, known))
        self.faces = found.observations
        self._recent.append(found)
        while self._recent[0].start_s < picture.time_s - self._step.windowing.hop_s:
            self._recent.popleft()
        if picture.time_s - self._asked_s >= ASKED_EVERY_S - 1e-3:
            self._asked_s = picture.time_s
            self._ask(picture.time_s)
        return found

    def _ask(self, now_s: float) -> None:
        there = {face.track_id for face in self.faces}
        self.answers = {track: own for track, own in self.answers.items() if track in there}
        if not there:
            return
        lately = [replace(piece, mouths=None) for piece in self._recent]
        window = replace(join(lately), start_s=lately[0].start_s, end_s=now_s)
        mine = tuple(face for face in window.observations if face.track_id in there)
        queries = list(self._step.ensemble.queries(replace(window, observations=mine), 0.0))
        try:
            answers = self._step.ensemble.answers(queries)
        except ClipError:  # of these few pictures; their windows say what is wrong
            return
        for answer in answers:
            if answer.track_id is not None:
                self.answers[answer.track_id] = answer.probabilities


def _media(info: MediaInfo, pictures: list[Picture]) -> Media:
    return Media(
        info,
        np.stack([picture.rgb for picture in pictures]),
        np.array([picture.time_s for picture in pictures], np.float64),
        _NO_SOUND,
        0,
        "pyav",
    )
