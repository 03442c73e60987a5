"""What a video turned out to hold, gathered while it streams by."""

from dataclasses import dataclass, field

import numpy as np

from emotion_core.errors import ClipError
from emotion_core.labelling.identity import TrackFaces
from emotion_core.labelling.windows import Piece
from emotion_core.media.types import Media, MediaInfo
from emotion_core.sound.features import SILENCE, is_silent
from emotion_core.sound.speech import FRAME_S

# Silence is looked for in stretches of this length.
_STRETCH_S = 0.1


@dataclass
class Seen:
    """Everything that a video's row tells of it, but how it fared."""

    faces: TrackFaces | None = None
    tracks: set[int] = field(default_factory=set)
    several_people: bool = False  # in one window
    pictures: bool = False
    info: MediaInfo | None = None
    end_s: float = 0.0
    no_face_s: float = 0.0
    unlooked_s: float = 0.0  # of these, before the first picture that was looked at
    faceless: bool | None = None  # the last picture that was looked at
    no_sound_s: float = 0.0
    sounding: bool = False
    speech_s: float = 0.0
    voice: bool = False  # in a window
    decoder: str = ""
    troubles: dict[str, str] = field(default_factory=dict)  # message -> reason

    def add(self, media: Media, piece: Piece) -> None:
        self.info = media.info
        self.pictures |= len(media.frames) > 0
        self.tracks.update(piece.track_ids())
        self.decoder = self.decoder or media.decoder
        self.end_s = piece.end_s
        self._look(piece)
        self.no_sound_s += _without_sound(piece)
        self.sounding |= not is_silent(piece.audio)
        self.speech_s += len(piece.speech_s or ()) * FRAME_S
        for warning in media.warnings:
            if not warning.startswith("decoder:"):
                self.troubles.setdefault(warning, "cut")

    def _look(self, piece: Piece) -> None:
        """Of a stretch without a sampled picture counts the picture before, or the first one."""
        assert self.info is not None
        length = piece.end_s - piece.start_s
        if piece.times_s:
            with_face = {observation.time_s for observation in piece.observations}
            faceless = [time not in with_face for time in piece.times_s]
            self.no_face_s += length * sum(faceless) / len(faceless)
            if self.faceless is None and not faceless[0]:
                self.no_face_s -= self.unlooked_s
            self.faceless = faceless[-1]
        elif self.faceless is not False or piece.start_s >= self.info.pictures_end_s:
            self.no_face_s += length
            if self.faceless is None and piece.start_s < self.info.pictures_end_s:
                self.unlooked_s += length

    def stopped(self, error: ClipError) -> None:
        """The rest of the video is not to be had."""
        message = " ".join(str(error).split())
        word = message.split(":", 1)[0]
        reason = word if word in ("timeout", "crash") else "cut"
        self.troubles[f"stops at {self.end_s:.1f} s: {message}"] = reason


def _without_sound(piece: Piece) -> float:
    """Seconds of a stretch in which there is no sound, or nothing but silence."""
    length = piece.end_s - piece.start_s
    if not piece.sample_rate or not len(piece.audio):
        return length
    size = max(1, round(_STRETCH_S * piece.sample_rate))
    loudest = np.maximum.reduceat(np.abs(piece.audio), np.arange(0, len(piece.audio), size))
    sounding = size * int((loudest >= SILENCE).sum()) / piece.sample_rate
    return max(0.0, length - sounding)
