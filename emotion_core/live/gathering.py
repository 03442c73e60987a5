"""What comes picture by picture and block by block becomes the pieces that windows are made of."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from emotion_core.faces.mouths import MouthPicture
from emotion_core.labelling.windows import Piece, Windowing
from emotion_core.live.orders import Sound

_DECIMALS = 6  # as ``labelling.windows`` rounds its edges


class Gathering:
    """Pieces of a session, each given once nothing more can come for it.

    What comes later than its piece is left out. Memory is that of the pieces not yet given.

    Args:
        windowing: how long a piece is.
        sample_rate: of the sound, Hz; 0: there is none.
        silence: what is missing of the sound is silence, also at the end of a piece: sound may go
            on after a source was lost. Of a file sound that stops is missing, as labelling has it.
    """

    def __init__(self, windowing: Windowing, sample_rate: int, silence: bool):
        self._windowing, self._rate, self._silence = windowing, sample_rate, silence
        self._number = 0
        self._seen: deque[Piece] = deque()
        self._mouths: deque[MouthPicture] | None = None
        self._heard: deque[Sound] = deque()
        self.heard_s = 0.0

    def seen(self, picture: Piece) -> None:
        """What was found in one picture, and in the mouths since the one before; in order."""
        self._seen.append(picture)
        if picture.mouths is not None:
            self._mouths = deque() if self._mouths is None else self._mouths
            self._mouths.extend(picture.mouths)

    def heard(self, sound: Sound) -> None:
        """One more block of sound."""
        if len(sound.samples):
            self._heard.append(sound)
            self.heard_s = (sound.first + len(sound.samples)) / self._rate

    def due(self, ready_s: float) -> Iterator[Piece]:
        """All pieces that are complete, of a source that has told all until ``ready_s``.

        A piece waits until what follows it is no short tail, which would belong to it.
        """
        while ready_s - self._edge(self._number + 1) >= self._windowing.short_s:
            yield self._cut(self._edge(self._number + 1), last=False)

    def rest(self, end_s: float) -> Iterator[Piece]:
        """What remains when the source has ended at ``end_s``."""
        while end_s - self._edge(self._number + 1) >= self._windowing.short_s:
            yield self._cut(self._edge(self._number + 1), last=False)
        if end_s > self._edge(self._number) or self._seen or self._heard:
            yield self._cut(max(end_s, self._edge(self._number)), last=True)

    def _edge(self, number: int) -> float:
        return round(number * self._windowing.piece_s, _DECIMALS)

    def _cut(self, end_s: float, last: bool) -> Piece:
        start_s = self._edge(self._number)
        self._number += 1
        until_s = math.inf if last else end_s
        mine = []
        while self._seen and self._seen[0].start_s < until_s:
            seen = self._seen.popleft()
            if seen.start_s >= start_s:  # else its piece has been cut already
                mine.append(seen)
        mouths: list[MouthPicture] = []
        while self._mouths and self._mouths[0].time_s < until_s:
            mouth = self._mouths.popleft()
            if mouth.time_s >= start_s:
                mouths.append(mouth)
        audio = self._audio(start_s, None if last else end_s)
        return Piece(
            start_s,
            end_s,
            audio,
            self._rate if len(audio) else 0,
            tuple(time for each in mine for time in each.times_s),
            tuple(observation for each in mine for observation in each.observations),
            mouths=None if self._mouths is None else tuple(mouths),
        )

    def _audio(self, start_s: float, end_s: float | None) -> np.ndarray:
        """The sound between, float32 (samples,); holes are silent."""
        if not self._rate:
            return np.empty(0, np.float32)
        begin = round(start_s * self._rate)
        heard = round(self.heard_s * self._rate)
        until = heard if end_s is None else round(end_s * self._rate)
        if not self._silence or end_s is None:
            until = min(until, heard)
        audio = np.zeros(max(0, until - begin), np.float32)
        while self._heard and self._heard[0].first < begin + len(audio):
            block = self._heard.popleft()
            at = block.first - begin
            from_, to = max(0, -at), min(len(block.samples), len(audio) - at)
            if to > from_:
                audio[at + from_ : at + to] = block.samples[from_:to]
            if to < len(block.samples):
                rest = replace(block, first=block.first + to, samples=block.samples[to:])
                self._heard.appendleft(rest)
                break
        return audio
