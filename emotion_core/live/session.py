"""A session: what a source gives, answered while it plays."""

import io
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
from PIL import Image

from emotion_core.clips.work import Segment
from emotion_core.errors import ClipError
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelStep
from emotion_core.labelling.windows import Piece, overlapping
from emotion_core.live.board import Board, Meter, as_face
from emotion_core.live.front import Front, Status, Taken
from emotion_core.live.gathering import Gathering
from emotion_core.live.looking import Looking
from emotion_core.live.source import Source
from emotion_core.live.state import Moment, Snapshot
from emotion_core.media.shown import TOLERANCE_S
from emotion_core.media.types import Media, MediaInfo

SHOWN_SIDE = 640
_QUALITY = 80
# A page hears of a source that gives nothing at least this often.
_TELL_S = 1.0
_TURN_S = 0.25
# Windows without an answer that the session's row names.
_MOST_TROUBLES = 20


class Keeper(Protocol):
    """Keeps what is answered (``saving.Saving``)."""

    def segments(self, new: list[Segment], seen: Seen, seconds: float) -> None:
        """A window's answers, and what has been seen and spent so far."""
        ...

    def finish(self, seen: Seen, seconds: float) -> None:
        """The session has ended."""
        ...


class LiveSession:
    """``state.Session``: one source, the models, and what they say.

    One thread asks the models. It takes the newest picture, follows its faces, and asks about each
    window, as labelling does, when its last piece is there.

    Args:
        step: the models, as labelling has them.
        source: opened, and playing into ``front``.
        front: where it plays into.
        file: the source is a file.
        models: lines to show of them.
        keeper: keeps the answers; None: nobody does.
        clock: the one that pictures arrive by.
    """

    def __init__(
        self,
        step: LabelStep,
        source: Source,
        front: Front,
        file: bool,
        models: tuple[str, ...] = (),
        keeper: Keeper | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        assert front.info is not None, "the source is open"
        self.labels = tuple(step.ensemble.labels)
        self.models = models
        self._step, self._source, self._front, self._keeper = step, source, front, keeper
        self._clock, self._file = clock, file
        self._info: MediaInfo = front.info
        self._board, self._meter = Board(), Meter(clock)
        self._seen = Seen(info=front.info)
        self._looking = Looking(step, front.info, self._seen)
        # also of a stream without sound: it may come back with some
        self._gathering = Gathering(step.windowing, step.ensemble.sample_rate or 0, not file)
        self._picture, self._picture_s, self._reached_s = b"", 0.0, 0.0
        self._voice: Moment | None = None
        self._speaking: int | None = None
        self._told, self._status, self._dropped = -np.inf, Status(), 0
        self._trouble = ""  # told for as long as there is nothing to say of the source
        self._last = Status("ended")
        self._busy_s = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="live session")

    # --- for the page ------------------------------------------------------------------------

    def newest(self, after: int, timeout: float) -> Snapshot | None:
        """See ``state.Session``."""
        return self._board.newest(after, timeout)

    def pause(self) -> None:
        """See ``state.Session``."""
        self._source.pause()

    def resume(self) -> None:
        """See ``state.Session``."""
        self._source.resume()

    def stop(self) -> None:
        """End it; what was heard and seen until now is still answered. Also twice."""
        self._source.close()

    # --- for the command ---------------------------------------------------------------------

    def start(self) -> None:
        """Begin to answer."""
        if self._step.speech is not None:
            self._step.speech.begin()
        self._thread.start()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everything is answered and kept; whether it is.

        Raises whatever ended the session before its time.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._error is not None:
            raise self._error
        return True

    # --- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        try:
            for window in overlapping(self._pieces(), self._step.windowing):
                began = self._clock()
                self._answered(window, self._answers(window))
                self._busy_s += self._clock() - began
            if self._keeper is not None:
                self._keeper.finish(self._seen, self._busy_s)
        except BaseException as error:  # told by ``join``, in the thread of the command
            self._error = error
            self._last = Status("ended", "an error ended it: the terminal says which")
        finally:
            self._source.close()
            self._status = self._last
            self._publish(self._reached_s, ())

    def _answers(self, window: Piece) -> list[Segment]:
        """What the models say; nothing of a window that one of them fails at, which is told."""
        queries = list(self._step.asked(window, self._seen))
        try:
            return self._step.ensemble.answers(queries)
        except ClipError as error:
            self._trouble = f"no answer about {window.start_s:.0f} s: {error}"
            if len(self._seen.troubles) < _MOST_TROUBLES:
                self._seen.troubles[self._trouble] = "error"
            return []

    def _pieces(self) -> Iterator[Piece]:
        while True:
            taken = self._front.take(_TURN_S)
            self._dropped = taken.dropped
            changed = self._took(taken.status)
            for sound in taken.sound:
                self._gathering.heard(sound)
            self._reached_s = max(self._reached_s, taken.ready_s)
            if taken.picture is not None:
                began = self._clock()
                self._look(taken)
                self._busy_s += self._clock() - began
            elif changed or self._clock() - self._told >= _TELL_S:
                self._publish(self._reached_s, ())
            for piece in self._gathering.due(taken.ready_s):
                yield self._whole(piece, piece.start_s + self._step.windowing.piece_s)
            if taken.ended:
                yield from self._rest(taken)
                return

    def _took(self, status: Status) -> bool:
        """Whether that is news. What has ended is told once all of it has been answered."""
        if status.source == "ended":
            self._last = status
            return False
        changed, self._status = status != self._status, status
        return changed

    def _look(self, taken: Taken) -> None:
        picture = taken.picture
        assert picture is not None
        self._gathering.seen(self._looking.look(picture, taken.before))
        self._picture, self._picture_s = _jpeg(picture.rgb), picture.time_s
        self._meter.answered(picture.arrived)
        self._publish(picture.time_s, ())

    def _rest(self, taken: Taken) -> Iterator[Piece]:
        """The pieces up to where labelling ends a file, or to where a stream was left."""
        end_s = taken.end_s
        if self._file:
            chunk_s = self._step.windowing.chunk_s
            start_s = chunk_s * np.ceil((end_s - TOLERANCE_S) / chunk_s - 1)
            last_s = max(self._info.duration_s, self._gathering.heard_s, self._picture_s)
            end_s = self._step.chunk_end(max(0.0, start_s), last_s)
        pieces = list(self._gathering.rest(end_s))
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            yield self._whole(piece, np.inf if last else piece.end_s, taken.warnings * last)

    def _whole(self, piece: Piece, until_s: float, warnings: tuple[str, ...] = ()) -> Piece:
        """The piece with the speech in it, of which notice has been taken."""
        speech = self._step.speech
        if speech is not None:
            heard = speech.speech(piece.audio, piece.start_s, until_s)
            piece = replace(piece, speech_s=heard)
        frames = np.empty((len(piece.times_s), 0, 0, 3), np.uint8)
        decoder = "pyav" if len(frames) else ""
        media = Media(
            self._info, frames, np.array(piece.times_s), piece.audio, piece.sample_rate, decoder,
            warnings,
        )  # fmt: skip
        self._seen.add(media, piece)
        return piece

    def _answered(self, window: Piece, segments: list[Segment]) -> None:
        middle_s = (window.start_s + window.end_s) / 2
        moments = []
        self._speaking = None
        for segment in segments:
            moments.append(self._moment(middle_s, segment.track_id, segment.probabilities))
            if segment.audio_probabilities is not None:
                self._speaking = segment.track_id
                self._voice = self._moment(middle_s, segment.track_id, segment.audio_probabilities)
        if self._keeper is not None:
            self._keeper.segments(segments, self._seen, self._busy_s)
        self._publish(max(self._reached_s, self._picture_s), tuple(moments))

    def _moment(self, time_s: float, who: int | None, answer: np.ndarray) -> Moment:
        probabilities = tuple(answer.tolist())
        return Moment(time_s, who, self.labels[int(answer.argmax())], probabilities)

    def _publish(self, time_s: float, moments: tuple[Moment, ...]) -> None:
        self._told = self._clock()
        answers = self._looking.answers
        faces = tuple(
            as_face(face.track_id, face.box, answers.get(face.track_id), self.labels,
                    face.track_id == self._speaking)
            for face in self._looking.faces
        )  # fmt: skip
        status = replace(self._status, note=self._status.note or self._trouble)
        figures = self._meter.figures(self._dropped, status)
        self._board.publish(
            Snapshot(0, time_s, self._picture, faces, self._voice, moments, figures)
        )


def _jpeg(rgb: np.ndarray) -> bytes:
    """The picture, at most ``SHOWN_SIDE`` pixels wide."""
    image = Image.fromarray(rgb)
    image.thumbnail((SHOWN_SIDE, rgb.shape[0]))
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY)
    return buffer.getvalue()
