"""What travels from step to step: one clip, what has been made of it, and how it fared."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emotion_core.errors import ClipError
from emotion_core.faces.crop import FaceCrops
from emotion_core.media.types import Media
from emotion_core.storage.schemas import REASONS
from emotion_core.text import redacted


@dataclass(frozen=True)
class Outcome:
    """How a clip fared: the ``status stage reasons error`` columns of every table of clips.

    ``ok``: everything the recipe wants and the clip is said to hold was there. ``degraded``: some
    of it was missing, the rest was used. ``failed``: there was nothing to work with; of a video to
    be labelled, nothing could be decoded, or only broken parts of it.

    Attributes:
        status: one of these three.
        stage: where it failed, or what was missing first; None when ``ok``.
        reasons: keys of ``storage.schemas.REASONS``, each once; empty when ``ok``.
        error: the same for people, one line; None when ``ok``.
    """

    status: str = "ok"
    stage: str | None = None
    reasons: tuple[str, ...] = ()
    error: str | None = None

    def degrade(self, stage: str, reason: str, message: str) -> "Outcome":
        """This outcome with one more thing that was missing; a failure stays a failure."""
        status = "failed" if self.status == "failed" else "degraded"
        return self._add(status, stage, reason, message)

    def fail(self, stage: str, reason: str, message: str) -> "Outcome":
        """This outcome as a failure."""
        return self._add("failed", stage, reason, message)

    def fail_with(self, error: Exception, stage: str) -> "Outcome":
        """A failure told by an exception: a ``ClipError`` names its reason before the colon."""
        message = " ".join(str(error).split()) or type(error).__name__
        if not isinstance(error, ClipError):
            return self.fail(stage, "error", f"{type(error).__name__}: {message}")
        word = message.split(":", 1)[0]
        fallback = "gone" if error.stage == "fetch" else "error"
        return self.fail(error.stage, word if word in REASONS else fallback, message)

    def _add(self, status: str, stage: str, reason: str, message: str) -> "Outcome":
        assert reason in REASONS, reason
        message = redacted(message)
        error = f"{self.error}; {message}" if self.error else message
        # a failure's stage is where it failed; otherwise the first stage that missed something
        where = stage if status == "failed" and self.status != "failed" else self.stage or stage
        reasons = self.reasons if reason in self.reasons else (*self.reasons, reason)
        return Outcome(status, where, reasons, error)


@dataclass(frozen=True)
class Segment:
    """What one window of a video says of one track, or of its sound alone.

    Attributes:
        start_s: where the window starts, seconds.
        end_s: where it ends.
        track_id: whose, numbered within the video; None when it is only the sound.
        face_box: x1 y1 x2 y2 as fractions of the picture, where the face was seen best.
        face_score: the detector's score there.
        face_time_s: when that was, seconds from the start of the file.
        probabilities: float32 (labels,): the answer.
        modalities: what it rests on: ``audio``, ``face`` or both.
        audio_probabilities: float32 (labels,): the answer from the sound alone; None where that was
            not asked.
        face_probabilities: float32 (labels,): the answer from the face alone; None likewise.
        speaking: how well the track's mouth goes with the sound, -1 to 1; None where that was not
            asked.
        dimensions: float32 (dimensions,) from -1 to 1, of an ensemble that tells any, NaN where it
            could not; they are no answer.
    """

    start_s: float
    end_s: float
    track_id: int | None
    face_box: tuple[float, ...] | None
    face_score: float | None
    face_time_s: float | None
    probabilities: np.ndarray
    modalities: tuple[str, ...]
    audio_probabilities: np.ndarray | None = None
    face_probabilities: np.ndarray | None = None
    speaking: float | None = None
    dimensions: np.ndarray | None = None


@dataclass(frozen=True)
class ClipWork:
    """One clip on its way through the steps.

    Attributes:
        clip: its row of the manifest.
        outcome: how it fared so far; the steps after a failure leave it alone.
        media: decoded pictures and sound; None before decoding and once nobody needs them.
        faces: what the face step made of each picture.
        frame_times_s: the time of each picture, seconds.
        audio_features: (frames, coefficients), what the sound step made: float32, or float16 from
            a pretrained encoder.
        segments: what the label step made.
        n_tracks: people that the label step told apart.
        tracks: how each of these looks, float32 (size,) of length 1, by number; None for one of
            whom nothing tells. None as a whole: nobody asked (``labelling.identity``).
        notes: words of ``NOTES`` that describe what the label step saw.
        no_face_s: seconds in which it saw no face; None: nobody looked.
        no_sound_s: seconds in which it heard no sound; None: nobody listened.
        speech_s: seconds in which it heard somebody speak; None: nobody looked for speech.
        no_speech_s: the other seconds; None likewise.
        duration_s: seconds of media.
        decoder: which library gave the pictures.
        face_provider: what ran the face detector (``Detector.provider``); None: none ran.
        seconds: work spent so far.
    """

    clip: dict[str, Any]
    outcome: Outcome = field(default_factory=Outcome)
    media: Media | None = None
    faces: FaceCrops | None = None
    frame_times_s: tuple[float, ...] = ()
    audio_features: np.ndarray | None = None
    segments: tuple[Segment, ...] = ()
    n_tracks: int = 0
    tracks: tuple[np.ndarray | None, ...] | None = None
    notes: tuple[str, ...] = ()
    no_face_s: float | None = None
    no_sound_s: float | None = None
    speech_s: float | None = None
    no_speech_s: float | None = None
    duration_s: float | None = None
    decoder: str | None = None
    face_provider: str | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        return self.outcome.status == "failed"

    def with_(self, **changes: Any) -> "ClipWork":
        """A copy with these attributes changed."""
        return replace(self, **changes)


def outcome_columns(work: ClipWork) -> dict[str, Any]:
    """The columns that say how a clip fared."""
    outcome = work.outcome
    return {
        "status": outcome.status,
        "stage": outcome.stage,
        "reasons": list(outcome.reasons),
        "error": outcome.error,
    }
