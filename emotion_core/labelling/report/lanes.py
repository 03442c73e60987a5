"""One video's answers as lanes: a person's, a voice's, a face's, or the sound's that is nobody's.

Windows overlap, so they are not drawn as they are: each answer counts for the seconds that it alone
stands for (``labelled_s``), to the start of the lane's next one. That way every second of a person
counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emotion_core.labelling.report.overview import lane_name

NOBODY = -1  # in place of a track_id
ANSWER, VOICE, FACE = "", "voice", "face"
# Agreement beyond chance, of what agreement there could be; less than this is called slight
# (Landis & Koch 1977, "The measurement of observer agreement for categorical data").
_SLIGHT = 0.2


@dataclass(frozen=True)
class Lane:
    """Answers that do not overlap, in order of time; arrays of one length n.

    Attributes:
        track: track_id, ``NOBODY`` for sound that is nobody's in particular.
        name: whose it is, for people.
        kind: ``ANSWER``; or ``VOICE`` or ``FACE``, what the sound or the face alone said.
        start_s, end_s: float64 (n,), seconds from the start of the file that an answer stands for.
        window_s: float64 (n,), the end of the window that it is about.
        p: float32 (n, labels), probabilities.
        blank: bool (n,): the model does not know.
    """

    track: int
    name: str
    kind: str
    start_s: np.ndarray
    end_s: np.ndarray
    window_s: np.ndarray
    p: np.ndarray
    blank: np.ndarray

    @property
    def seconds(self) -> float:
        """How long somebody was seen or heard."""
        return float((self.end_s - self.start_s).sum())

    def within(self, start_s: float, end_s: float) -> "Lane":
        """The answers that stand for some of these seconds."""
        some = (self.end_s > start_s) & (self.start_s < end_s)
        return Lane(
            self.track, self.name, self.kind, self.start_s[some], self.end_s[some],
            self.window_s[some], self.p[some], self.blank[some],
        )  # fmt: skip


def near_chance(labels: int) -> float:
    """The probability below which the likeliest of so many labels is hardly more than a guess.

    It is a fifth of the way from chance to certainty: where calibrated probabilities would make
    Cohen's kappa no more than slight (see ``_SLIGHT``).
    """
    return 1 / labels + _SLIGHT * (1 - 1 / labels)


def lanes(
    segments: pa.Table, labels: Sequence[str], least: float, people: Mapping[int, str]
) -> list[Lane]:
    """Persons by number, each followed by their voice and face where both answered; sound last.

    Args:
        segments: as ``segments_schema``, one video's.
        labels: of the model.
        least: the likeliest label's probability, below which an answer is blank; so is one that is
            marked ``unsure``.
        people: names that tracks were given.
    """
    track = segments["track_id"].fill_null(NOBODY).to_numpy()
    start = segments["start_s"].to_numpy()
    end = start + segments["labelled_s"].to_numpy()
    if (end == start).all():  # a still picture
        end = start + 1.0
    window, unsure = (segments[name].to_numpy() for name in ("end_s", "unsure"))
    answers = {
        kind: np.stack(
            [segments[f"{prefix}p_{label}"].to_numpy().astype(np.float32) for label in labels], 1
        )
        for kind, prefix in ((ANSWER, ""), (VOICE, "audio_"), (FACE, "face_"))
    }
    given = {kind: ~np.isnan(p).any(axis=1) for kind, p in answers.items()}
    found = []
    for number in sorted(np.unique(track).tolist(), key=lambda t: (t == NOBODY, t)):
        mine = track == number
        both = mine & given[VOICE] & given[FACE]
        for kind in (ANSWER, VOICE, FACE) if both.any() else (ANSWER,):
            at = np.flatnonzero(mine if kind == ANSWER else both)
            at = at[np.argsort(start[at], kind="stable")]
            p = answers[kind][at]
            blank = p.max(axis=1) < least
            blank |= unsure[at] if kind == ANSWER else False
            name = people.get(number) or lane_name(None if number == NOBODY else number)
            found.append(Lane(number, name, kind, start[at], end[at], window[at], p, blank))
    return found
