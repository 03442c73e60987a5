"""One model of an ensemble: what it is given of a window, and what it says of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emotion_core.labelling.views import pictures_for
from emotion_core.labelling.windows import Piece
from emotion_core.models.member import Member, TellsMore, dimensions_of, hears, votes
from emotion_core.models.samples import Sample
from emotion_core.sound.features import is_silent

# Answers of one model to several queries, float32 (queries, classes), and which of them it
# could give, bool (queries,).
Answers = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Told:
    """What one model says of several queries.

    Attributes:
        answers: from the sound, from the face, and from all that there is.
        dimensions: float32 (queries, its dimensions), NaN where it was not asked.
    """

    answers: tuple[Answers, Answers, Answers]
    dimensions: np.ndarray


class Judge:
    """One model of an ensemble."""

    def __init__(self, bundle: Member, view: int | None):
        self._bundle = bundle
        self.votes = votes(bundle)
        self.dimensions = dimensions_of(bundle)
        self._view = view
        recipe = bundle.recipe
        self.hears = hears(bundle)
        # what the network was never trained on it cannot judge, even if its recipe has a use for it
        self._sees = recipe.video is not None and "face" in bundle.modalities
        self.sample_rate = recipe.audio.sample_rate if recipe.audio else 0
        if recipe.audio and self.hears:
            self._features = bundle.features()

    def sound(self, window: Piece) -> np.ndarray | None:
        """Features of the window's sound, None for silence."""
        if not self.hears or is_silent(window.audio):
            return None
        audio = window.audio
        if window.sample_rate != self.sample_rate:
            # decoded at the highest rate that a model of the ensemble wants: what a lower one keeps
            # of it is what it would have kept of the file
            from scipy.signal import resample_poly  # a third of a worker's imports

            audio = resample_poly(audio, self.sample_rate, window.sample_rate)
        (matrix,) = self._features([audio.astype(np.float32)])
        return matrix if len(matrix) else None

    def faces(
        self, window: Piece, track_id: int, fps: float, until_s: float
    ) -> tuple[np.ndarray | None, ...]:
        """The track's face in the pictures that this model is shown; () when in none at all."""
        if not self._sees or self._view is None:
            return ()
        view = self._view
        mine = [
            observation
            for observation in window.observations
            if observation.track_id == track_id and observation.crops[view] is not None
        ]
        if not mine:
            return ()
        crops = {observation.time_s: observation.crops[view] for observation in mine}
        recipe = self._bundle.recipe
        times = pictures_for(recipe, window.times_s, window.start_s, until_s, fps)
        if not any(time in crops for time in times):  # seen, but not in the pictures chosen
            return (max(mine, key=lambda observation: observation.score).crops[view],)
        return tuple(crops.get(time) for time in times)

    def told(self, samples: Sequence[Sample]) -> Told:
        """What it says where it can: a model with dimensions judges the sound or the face alone."""
        heard = np.array([sample.audio is not None for sample in samples])
        seen = np.array([bool(sample.faces) for sample in samples])
        dimensions = np.full((len(samples), len(self.dimensions)), np.nan, np.float32)
        audio = self._predict([Sample(s.audio) for s in samples], heard, dimensions)
        face = self._predict([Sample(None, s.faces) for s in samples], seen, dimensions)
        both = self._predict(samples, heard & seen, dimensions)
        both = np.where((heard & seen)[:, None], both, np.where(heard[:, None], audio, face))
        return Told(((audio, heard), (face, seen), (both, heard | seen)), dimensions)

    def _predict(
        self, samples: Sequence[Sample], which: np.ndarray, dimensions: np.ndarray
    ) -> np.ndarray:
        """Answers to those samples; fills in their rows of ``dimensions``."""
        answers = np.zeros((len(samples), len(self._bundle.label_set.labels)), np.float32)
        if not which.any():
            return answers
        chosen = [sample for sample, asked in zip(samples, which, strict=True) if asked]
        if isinstance(self._bundle, TellsMore):
            told = self._bundle.told(chosen)
            dimensions[which] = told.dimensions
            if self.votes:
                answers[which] = told.probabilities
        else:
            answers[which] = self._bundle.predict(chosen)
        return answers
