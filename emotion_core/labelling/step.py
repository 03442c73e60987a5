"""Any video -> who felt what when: the one step behind ``jobs/label.py``."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from emotion_core.clips.clip import fetched
from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork, Outcome, Segment
from emotion_core.engine.gpu import check_torch_gpu
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.errors import ClipError
from emotion_core.faces.types import Detector
from emotion_core.labelling.ensemble import Ensemble, Query
from emotion_core.labelling.identity import TrackFaces
from emotion_core.labelling.limits import Limits
from emotion_core.labelling.mouths import MouthReader, with_mouths
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.tracks import TrackFinder
from emotion_core.labelling.views import samplings
from emotion_core.labelling.voices import has_voice
from emotion_core.labelling.windows import Piece, Windowing, split, windows
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.media.types import DecodePlan, Media, MediaInfo
from emotion_core.models.member import Member
from emotion_core.sound.speech import SpeechFinder
from emotion_core.storage.schemas import SEVERAL_PEOPLE

# Queries that the networks answer in one batch.
BATCH = 32

# With nothing but these, what there was has been labelled, if it was nothing.
NOBODY = frozenset({"no_audio", "no_face", "no_speech"})

# One video at a time: its decoder keeps a CPU busy. A GPU has room for the models four times.
NEEDS = Needs(cpus=1, memory_bytes=900 << 20)
GPU_SHARE = 0.25


def label_step(make: Callable[[str], "LabelStep"], more_bytes: int = 0) -> DeclaredStep:
    """Labelling, on a GPU where one is in reach.

    Args:
        make: called in the worker, with ``cpu`` or ``cuda``.
        more_bytes: what the models hold beyond the usual.
    """
    needs = replace(NEEDS, memory_bytes=NEEDS.memory_bytes + more_bytes)
    on_gpu = Variant(partial(_on_gpu, make), replace(needs, gpus=GPU_SHARE))
    return DeclaredStep(Variant(partial(make, "cpu"), needs), on_gpu)


def _on_gpu(make: Callable[[str], "LabelStep"]) -> "LabelStep":
    check_torch_gpu()
    return make("cuda")


@dataclass(frozen=True)
class LabelOptions:
    """What is looked at, as far as the user decides it.

    Attributes:
        windowing: length and hop of the windows.
        fps: pictures a second that are searched for faces; None leaves it to the models.
        min_face: smallest face, pixels of the shorter side of its box in the picture as the models
            see it; None leaves it to the models.
        exact: every picture is searched for faces as a whole, not only one a second and the first
            of each shot (``faces.following``). So it is anyway in a clip of one window.
        any_sound: models hear every window that is not silent; else only those with speech.
        speakers: mouths are looked at, to tell whose the sound is (``speakers.voice_of``).
    """

    windowing: Windowing = Windowing()
    fps: float | None = None
    min_face: int | None = None
    exact: bool = False
    any_sound: bool = False
    speakers: bool = False


class LabelStep:
    """Labels each video, window by window as they leave the decoder.

    A window gives one segment per track; one for the sound alone when nobody is in view, or when
    several people are, because then the sound belongs to nobody in particular.

    Args:
        bundles: the models, which answer together (``ensemble.Ensemble``).
        detector: None when no bundle has a use for one.
        options: windows and pictures.
        limits: how long things may take.
        clock: seconds that pass.
        known_by: makes what gathers the faces of a video's tracks; None: nobody is known again.
    """

    def __init__(
        self,
        bundles: Sequence[Member],
        detector: Detector | None,
        options: LabelOptions = LabelOptions(),  # noqa: B008 - frozen
        limits: Limits = Limits(),  # noqa: B008
        clock: Callable[[], float] = time.monotonic,
        known_by: Callable[[], TrackFaces] | None = None,
    ):
        self.known_by = known_by
        self.ensemble = Ensemble(bundles)
        self.detector = detector
        self.windowing = options.windowing
        self.exact = options.exact
        self.limits = limits
        self.clock = clock
        self.decoder = IsolatedDecoder(limits.piece_s)
        rate = self.ensemble.sample_rate
        self.speech = SpeechFinder(rate) if rate is not None and not options.any_sound else None
        views = self.ensemble.views
        if options.min_face is not None:
            views = tuple(replace(view, min_face=options.min_face) for view in views)
        self.views = views
        detects = detector is not None and any(view.detect for view in views)
        self._provider = detector.provider if detector is not None and detects else None
        wanted = samplings(views, options.fps)
        self.plan = DecodePlan(
            video=wanted[0] if wanted else None,
            sample_rate=self.ensemble.sample_rate,
            decoder="pyav",
            also=wanted[1:],
            # of a clip that is one window, the pictures that preprocessing takes
            span_s=options.windowing.window_s,
            short_s=options.windowing.short_s,
        )
        self.speakers = options.speakers and detects and self.ensemble.hears

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        return each(works, "label", self._label)

    def _label(self, work: ClipWork) -> ClipWork:
        seen = Seen(self.known_by() if self.known_by else None)
        segments: list[Segment] = []
        queries: list[Query] = []
        for window in windows(self._pieces(work, seen), self.windowing):
            queries += self.asked(window, seen)
            if len(queries) >= BATCH:
                segments += self.ensemble.answers(queries)
                queries = []
        segments += self.ensemble.answers(queries)
        return self.result(work, seen, segments)

    def asked(self, window: Piece, seen: Seen) -> Iterator[Query]:
        """What there is to ask about a window, of which ``seen`` takes notice."""
        assert seen.info is not None
        seen.several_people |= len(window.track_ids()) > 1
        seen.voice |= has_voice(window)
        if seen.faces is not None:
            seen.faces.saw(window.track_ids())
        return self.ensemble.queries(window, seen.info.fps, seen.info.pictures_end_s)

    def result(self, work: ClipWork, seen: Seen, segments: Sequence[Segment]) -> ClipWork:
        """The video with its segments, and with what its row tells of it."""
        done = work.with_(
            segments=tuple(segments),
            n_tracks=len(seen.tracks),
            no_face_s=seen.no_face_s if self.views else None,
            no_sound_s=seen.no_sound_s if self.ensemble.hears else None,
            speech_s=seen.speech_s if self.speech is not None else None,
            no_speech_s=max(0.0, seen.end_s - seen.speech_s) if self.speech is not None else None,
            duration_s=seen.end_s,
            decoder=seen.decoder or None,
            face_provider=self._provider if seen.pictures else None,
            outcome=self._outcome(work.outcome, seen, segments),
            notes=(SEVERAL_PEOPLE,) * seen.several_people,
        )
        return done if seen.faces is None else seen.faces.applied(done)

    def _pieces(self, work: ClipWork, seen: Seen) -> Iterator[Piece]:
        finder: TrackFinder | None = None
        mouths: MouthReader | None = None
        started = self.clock()
        if self.speech is not None:
            self.speech.begin()
        with fetched(work.clip) as path:
            chunks = self._chunks(path, started)
            while True:
                try:
                    start_s, media = next(chunks)
                except StopIteration:
                    return
                except ClipError as error:
                    if seen.info is None:
                        raise
                    seen.stopped(error)  # what was labelled before is worth keeping
                    return
                if finder is None:
                    finder = self.finder(media.info, seen)
                    mouths = self.mouths(media.info)
                looked_at = media if mouths is None else mouths.for_models(media)
                chunk = finder.piece(looked_at, start_s, self._end(start_s, media))
                if mouths is not None:
                    chunk = replace(chunk, mouths=mouths.read(media, chunk))
                if self.speech is not None:
                    until_s = start_s + self.windowing.chunk_s
                    heard = self.speech.speech(media.audio, start_s, until_s)
                    chunk = replace(chunk, speech_s=heard)
                seen.add(media, chunk)
                yield from split(chunk, self.windowing.piece_s)

    def finder(self, info: MediaInfo, seen: Seen) -> TrackFinder:
        """What follows the faces of one video."""
        return TrackFinder(self.views, self.detector, self._exact(info), seen.faces)

    def mouths(self, info: MediaInfo) -> MouthReader | None:
        """What looks at the mouths of one video; None: nobody asked whose the sound is."""
        if not self.speakers:
            return None
        assert self.detector is not None
        return MouthReader(self.plan, info, self.detector)

    def _exact(self, info: MediaInfo) -> bool:
        """Also for a clip of one window: it is shown to the models as ``preprocess`` shows it."""
        one_window_s = self.windowing.window_s + self.windowing.short_s
        return self.exact or info.duration_s <= one_window_s

    def _chunks(self, path: Path, started: float) -> Iterator[tuple[float, Media]]:
        """Each chunk of the file with its place, as long as the time limits allow."""
        chunk_s, most_s = self.windowing.chunk_s, self.limits.video_s
        plan = with_mouths(self.plan) if self.speakers else self.plan
        chunks = self.decoder.stream(str(path), plan, chunk_s)
        number = 0
        while True:
            left_s = started + most_s - self.clock()
            self.decoder.timeout_s = max(0.001, min(self.limits.piece_s, left_s))
            try:
                if left_s <= 0:
                    raise ClipError("label", "timeout")
                media = next(chunks)
            except StopIteration:
                return
            except ClipError:
                if left_s > self.limits.piece_s or self.clock() - started < most_s:
                    raise
                message = f"timeout: labelling took longer than {most_s:g} s"
                raise ClipError("label", message) from None
            finally:  # what is left of this video's time is no other's limit
                self.decoder.timeout_s = self.limits.piece_s
            yield number * chunk_s, media
            number += 1

    def _end(self, start_s: float, media: Media) -> float:
        """Where a chunk ends: a whole chunk on, or earlier where the file ends."""
        if media.info.kind == "image":
            return start_s
        heard = start_s + media.audio.size / media.sample_rate if media.sample_rate else start_s
        seen = float(media.frame_times_s[-1]) if len(media.frame_times_s) else start_s
        return self.chunk_end(start_s, max(media.info.duration_s, heard, seen))

    def chunk_end(self, start_s: float, end_s: float) -> float:
        """Where a chunk ends that starts at ``start_s``.

        Args:
            start_s: its start.
            end_s: where the file ends. Headers may promise less than there is, which never cuts
                off what was heard or seen.
        """
        return min(start_s + self.windowing.chunk_s, max(end_s, start_s))

    def _outcome(self, outcome: Outcome, seen: Seen, segments: Sequence[Segment]) -> Outcome:
        info = seen.info
        if info is None:
            return outcome.fail("decode", "empty", "empty: no sound and no picture in it")
        for message, reason in seen.troubles.items():
            outcome = outcome.degrade("decode", reason, message)
        if self.ensemble.hears and info.kind == "video" and not seen.sounding:
            held = "nothing but silence" if info.has_audio else "no sound stream"
            outcome = outcome.degrade("decode", "no_audio", held)
        if self.speech is not None and seen.sounding and not seen.voice:
            outcome = outcome.degrade("audio", "no_speech", "sound, but nobody speaks in it")
        if self.views and seen.pictures and not seen.tracks:
            outcome = outcome.degrade("faces", "no_face", "no face in any picture")
        if segments:
            return outcome
        if set(outcome.reasons) - NOBODY:
            return outcome.fail("label", outcome.reasons[0], "so there was nothing to label")
        if outcome.reasons:  # all of it was looked at: nobody is in it
            return outcome.degrade("label", outcome.reasons[0], "so there is nothing to label")
        return outcome.fail("label", "empty", f"empty: {info.kind} without anything to label")
