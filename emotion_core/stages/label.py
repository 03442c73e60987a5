"""Any video -> who felt what when: the one step behind ``jobs/label.py``."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from emotion_core import storage
from emotion_core.bundle import Bundle
from emotion_core.errors import ClipError
from emotion_core.faces.types import Detector
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan, Media, MediaInfo
from emotion_core.samples import Sample
from emotion_core.specs import VideoSpec
from emotion_core.stages.each import each
from emotion_core.stages.people import PeopleFinder
from emotion_core.stages.sound import batch_features
from emotion_core.stages.windows import Piece, Windowing, windows
from emotion_core.stages.work import ClipWork, Outcome, Segment

# Answers that are asked of the network in one batch.
BATCH = 32

# Sound whose loudest sample is below this (-80 dB of full scale) is silence, not speech.
SILENCE = 1e-4


@dataclass(frozen=True)
class _Question:
    """What the network is asked: one person in one window, or the window's sound."""

    window: Piece
    face_id: int | None
    box: tuple[float, ...] | None
    score: float | None
    sample: Sample

    @property
    def modalities(self) -> tuple[str, ...]:
        sound = ("audio",) if self.sample.audio is not None else ()
        return (*sound, "face") if self.sample.faces else sound


@dataclass
class _Seen:
    """What a video turned out to hold, gathered while it streams by."""

    people: set[int] = field(default_factory=set)
    crowd: bool = False
    pictures: bool = False
    info: MediaInfo | None = None
    end_s: float = 0.0
    decoder: str = ""
    warnings: list[str] = field(default_factory=list)

    def add(self, media: Media, piece: Piece) -> None:
        self.info = media.info
        self.pictures |= len(media.frames) > 0
        self.people.update(piece.people())
        self.decoder = self.decoder or media.decoder
        self.end_s = piece.end_s
        self.warnings += [warning for warning in media.warnings if warning not in self.warnings]


class LabelStep:
    """Labels each video, window by window as they leave the decoder.

    A window gives one row per person; a row for the sound alone when nobody is in view, or when
    several people are, because then the sound belongs to nobody in particular. People are looked
    for with a model that was only trained on sound as well: it matters whose sound it is.

    Args:
        bundle: the model and the settings its features were made with.
        detector: None when the bundle's recipe has no use for one.
        windowing: length and hop of the windows.
        timeout_s: the longest that decoding one piece of a video may take.
    """

    def __init__(
        self,
        bundle: Bundle,
        detector: Detector | None,
        windowing: Windowing,
        timeout_s: float,
        device: str = "cpu",
    ):
        self.bundle = bundle
        self.detector = detector
        self.windowing = windowing
        self.decoder = IsolatedDecoder(timeout_s)
        recipe, features = bundle.recipe, bundle.info.features
        # what the network was never trained on it cannot judge, even if its recipe has a use for it
        self.judges_faces = "face" in bundle.info.modalities
        self.features = (
            batch_features(recipe.audio, features["audio_backend"], device)
            if recipe.audio and "audio" in bundle.info.modalities
            else None
        )
        self.plan = DecodePlan(
            video=piece_sampling(recipe.video, windowing) if recipe.video else None,
            sample_rate=recipe.audio.sample_rate if recipe.audio else None,
            decoder=features["decoder"],
        )

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return each(works, "label", self._label)

    def _label(self, work: ClipWork) -> ClipWork:
        seen = _Seen()
        segments: list[Segment] = []
        questions: list[_Question] = []
        for window in windows(self._pieces(work, seen), self.windowing):
            seen.crowd |= len(window.people()) > 1
            questions += self._questions(window)
            if len(questions) >= BATCH:
                segments += self._answers(questions)
                questions = []
        segments += self._answers(questions)
        return work.with_(
            segments=tuple(segments),
            n_people=len(seen.people),
            duration_s=seen.end_s,
            decoder=seen.decoder or None,
            outcome=self._judge(work.outcome, seen, segments),
        )

    def _pieces(self, work: ClipWork, seen: _Seen) -> Iterator[Piece]:
        finder = PeopleFinder(self.bundle.recipe.video, self.detector)
        piece_s = self.windowing.piece_s
        with storage.local_copy(work.clip["uri"], work.clip["member"]) as path:
            stream = enumerate(self.decoder.stream(str(path), self.plan, piece_s))
            while True:
                try:
                    index, media = next(stream)
                except StopIteration:
                    return
                except ClipError as error:
                    if seen.info is None:
                        raise
                    # what was labelled before the file broke is worth keeping
                    seen.warnings.append(f"stops at {seen.end_s:.1f} s: {error}")
                    return
                start = index * piece_s
                piece = finder.piece(media, start, _end(start, piece_s, media))
                seen.add(media, piece)
                yield piece

    def _questions(self, window: Piece) -> Iterator[_Question]:
        sound = self._sound(window)
        people = window.people()
        for face_id in people:
            sights = {s.time_s: s for s in window.sights if s.face_id == face_id}
            best = max(sights.values(), key=lambda sight: sight.score)
            crops = tuple(
                sights[time].crop if time in sights else None for time in self._slots(window)
            )
            if all(crop is None for crop in crops):  # seen, but not in the pictures chosen
                crops = (best.crop,)
            sample = Sample(
                audio=sound if len(people) == 1 else None,
                faces=crops if self.judges_faces else (),
            )
            if sample.audio is not None or sample.faces:
                yield _Question(window, face_id, best.box, best.score, sample)
        if sound is not None and len(people) != 1:
            yield _Question(window, None, None, None, Sample(audio=sound))

    def _sound(self, window: Piece) -> np.ndarray | None:
        if self.features is None or not window.audio.size:
            return None
        if np.abs(window.audio).max() < SILENCE:
            return None
        (matrix,) = self.features([window.audio])
        return matrix if len(matrix) else None

    def _slots(self, window: Piece) -> list[float]:
        """Times of the pictures that the network is shown: no more than it was trained with."""
        video, times = self.bundle.recipe.video, window.times_s
        most = video.count if video and video.sampling == "uniform" else len(times)
        if len(times) <= most:
            return list(times)
        return [times[i] for i in np.linspace(0, len(times) - 1, most).round().astype(int)]

    def _answers(self, questions: list[_Question]) -> list[Segment]:
        if not questions:
            return []
        answers = self.bundle.predict([question.sample for question in questions])
        return [
            Segment(
                start_s=question.window.start_s,
                end_s=question.window.end_s,
                face_id=question.face_id,
                face_box=question.box,
                face_score=question.score,
                probabilities=probabilities,
                modalities=question.modalities,
            )
            for question, probabilities in zip(questions, answers, strict=True)
        ]

    def _judge(self, outcome: Outcome, seen: _Seen, segments: list[Segment]) -> Outcome:
        recipe, info = self.bundle.recipe, seen.info
        if info is None:
            return outcome.fail("decode", "empty", "empty: no sound and no picture in it")
        for warning in seen.warnings:
            if not warning.startswith("decoder:"):
                outcome = outcome.degrade("decode", "cut", warning)
        if recipe.audio and info.kind == "video" and not info.has_audio:
            outcome = outcome.degrade("decode", "no_audio", "no sound stream")
        if recipe.video and seen.pictures and not seen.people:
            outcome = outcome.degrade("faces", "no_face", "no face in any picture")
        if seen.crowd:
            outcome = outcome.degrade("faces", "several_people", "several people in one window")
        if segments:
            return outcome
        if outcome.reasons:
            return outcome.fail("label", outcome.reasons[0], "so there was nothing to label")
        return outcome.fail("label", "empty", f"empty: {info.kind} without anything to label")


def piece_sampling(video: VideoSpec, windowing: Windowing) -> VideoSpec:
    """How to sample a piece so that a window gets the pictures that the recipe wants of a clip."""
    if video.sampling != "uniform":
        return video
    share = video.count * windowing.piece_s / windowing.window_s
    return replace(video, count=max(1, round(share)))


def _end(start_s: float, piece_s: float, media: Media) -> float:
    """Where a piece ends: a whole piece on, or earlier where the file ends."""
    full = start_s + piece_s
    if media.info.kind == "image":
        return start_s
    heard = start_s + media.audio.size / media.sample_rate if media.sample_rate else start_s
    seen = float(media.frame_times_s[-1]) if len(media.frame_times_s) else start_s
    # headers may promise less than there is, never cut off what was heard or seen
    return min(full, max(media.info.duration_s, heard, seen))
