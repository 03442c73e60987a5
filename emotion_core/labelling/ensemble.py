"""One model, or several together, asked about the tracks and the sound of windows."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.clips.work import Segment
from emotion_core.labelling.judging import Answers, Judge
from emotion_core.labelling.speakers import voice_of
from emotion_core.labelling.voices import has_voice
from emotion_core.labelling.windows import Piece
from emotion_core.models.member import Member
from emotion_core.models.samples import Sample
from emotion_core.models.together import Together, mean_of_answers


@dataclass(frozen=True)
class Query:
    """What is asked: one track in one window, or the window's sound.

    Attributes:
        start_s: where the window starts, seconds.
        end_s: where it ends.
        track_id: the track; None for sound alone.
        samples: what each model of the ensemble gets to see and hear; a model that cannot judge
            anything of it has an empty sample.
        box: x1 y1 x2 y2 as fractions of the picture, where the face was seen best; None for sound.
        score: the detector's score there.
        time_s: when that was, seconds.
        speaking: how well the track's mouth goes with the sound; None where that was not asked.
    """

    start_s: float
    end_s: float
    track_id: int | None
    samples: tuple[Sample, ...]
    box: tuple[float, ...] | None = None
    score: float | None = None
    time_s: float | None = None
    speaking: float | None = None


class Ensemble(Together[Member]):
    """Models that answer together, each from features made by its own recipe's settings.

    The answer to a query is the mean of what those models say that can judge something of it,
    weighted alike; so are the answers from the sound alone and from the face alone. A model that
    judges both gives its answer to both at once, and to each with the other one hidden. Dimensions
    that some of them tell (``DIMENSIONS``) are no answer: they are the mean of those who tell them,
    and a model that tells nothing else has no vote.

    Args:
        models: as ``Together`` takes them.

    Raises:
        UsageError: see there.
    """

    def __init__(self, models: Sequence[Member]):
        super().__init__(models)
        places = iter(range(len(self.views)))
        self._members = [Judge(m, next(places) if m.recipe.video else None) for m in self.models]

    def queries(
        self, window: Piece, fps: float, pictures_end_s: float = math.inf
    ) -> Iterator[Query]:
        """What there is to ask about a window.

        One query for each track; the sound goes with the one whose it is (``speakers.voice_of``),
        else it is a query of its own. Sound without a voice is not asked about.

        Args:
            window: with the crops of ``views`` and sound at ``sample_rate``.
            fps: mean frame rate of the video.
            pictures_end_s: when its pictures end: sound may go on.
        """
        seen_until_s = min(window.end_s, pictures_end_s)
        heard, voice = has_voice(window), voice_of(window)
        sounds = [member.sound(window) if heard else None for member in self._members]
        nothing = [None] * len(sounds)
        tracks = window.track_ids()
        for track_id in tracks:
            seen = [
                observation
                for observation in window.observations
                if observation.track_id == track_id
            ]
            best = max(seen, key=lambda observation: observation.score)
            samples = tuple(
                Sample(sound, member.faces(window, track_id, fps, seen_until_s))
                for member, sound in zip(
                    self._members, sounds if voice.track_id == track_id else nothing, strict=True
                )
            )
            if self._answerable(samples):
                yield Query(
                    window.start_s,
                    window.end_s,
                    track_id,
                    samples,
                    best.box,
                    best.score,
                    best.time_s,
                    voice.scores.get(track_id),
                )
        samples = tuple(Sample(sound) for sound in sounds)
        if voice.track_id is None and self._answerable(samples):
            yield Query(window.start_s, window.end_s, None, samples)

    def _answerable(self, samples: Sequence[Sample]) -> bool:
        """Whether a model that has a vote can judge something of it."""
        return any(
            member.votes and (sample.audio is not None or bool(sample.faces))
            for member, sample in zip(self._members, samples, strict=True)
        )

    def answers(self, queries: Sequence[Query]) -> list[Segment]:
        """What the models say to each query, in order."""
        if not queries:
            return []
        given = [
            member.told([q.samples[number] for q in queries])
            for number, member in enumerate(self._members)
        ]
        voting = [each.answers for each, m in zip(given, self._members, strict=True) if m.votes]
        audio, face, both = (_mean([answers[kind] for answers in voting]) for kind in range(3))
        dimensions = self._mean_dimensions([each.dimensions for each in given])
        segments = []
        for row, query in enumerate(queries):
            answer = both[row]
            assert answer is not None
            heard, seen = audio[row], face[row]
            segments.append(
                Segment(
                    start_s=query.start_s,
                    end_s=query.end_s,
                    track_id=query.track_id,
                    face_box=query.box,
                    face_score=query.score,
                    face_time_s=query.time_s,
                    speaking=query.speaking,
                    probabilities=answer,
                    audio_probabilities=heard,
                    face_probabilities=seen,
                    modalities=("audio",) * (heard is not None) + ("face",) * (seen is not None),
                    dimensions=dimensions[row] if self.dimensions else None,
                )
            )
        return segments

    def _mean_dimensions(self, given: Sequence[np.ndarray]) -> np.ndarray:
        """Float32 (queries, dimensions), NaN where no model could tell."""
        found = np.full((len(given[0]), len(self.dimensions)), np.nan, np.float32)
        for place, name in enumerate(self.dimensions):
            theirs = [
                values[:, member.dimensions.index(name)]
                for values, member in zip(given, self._members, strict=True)
                if name in member.dimensions
            ]
            known = np.ma.masked_invalid(np.stack(theirs))
            found[:, place] = known.mean(axis=0).filled(np.nan)
        return found


def _mean(given: Sequence[Answers]) -> list[np.ndarray | None]:
    """The mean answer to each query, None where no model could give one."""
    answers = np.stack([answer for answer, _ in given])
    can = np.stack([able for _, able in given])
    asked = np.flatnonzero(can.any(axis=0))
    found: list[np.ndarray | None] = [None] * can.shape[1]
    if len(asked):
        mean = mean_of_answers(list(answers[:, asked]), list(can[:, asked]))
        for place, row in enumerate(asked):
            found[row] = mean[place]
    return found
