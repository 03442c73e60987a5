"""Whose voice it is: mouths that open as the sound swells.

The opening of each mouth and the loudness of the sound, both without what is slower than a second
or quicker than an eighth of it, are held against each other, the mouth up to 0.16 s later. Of
somebody who speaks they go together, of anybody else by chance, which gets rarer the longer the
window. ``benchmarks/speakers.py`` measures how often that is right.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emotion_core.faces.mouths import MouthPicture, openings
from emotion_core.labelling.voices import has_voice
from emotion_core.labelling.windows import Piece

# Pictures a second in which mouths are looked at: half as many find half as many speakers.
MOUTH_FPS = 25.0

# A track speaks from a correlation of this on, divided by the root of the window's seconds: chance
# reaches so much further in short windows. Longer windows than measured are held to the same.
_CLEAR = 0.7
_LONGEST_S = 4.0
# ... and by so much more than any other track.
_MARGIN = 0.1
# Below this the only face in view does not speak; of a shorter window nobody can tell.
_AWAY = 0.15
_AWAY_FROM_S = 2.0

_BAND_HZ = (1.0, 8.0)
_VOICE_HZ = (200.0, 4000.0)
_LAGS = range(-1, 5)  # pictures
_DYNAMICS = 4.0  # powers of ten below the loudest moment that still count
_LEAST_S = 0.8
_LEAST_SEEN = 0.7  # share of the window's pictures


@dataclass(frozen=True)
class Voice:
    """Whose the sound of a window is.

    Attributes:
        track_id: None: nobody's in particular.
        scores: how well each track's mouth goes with the sound, -1 to 1, as far as it was asked.
    """

    track_id: int | None
    scores: Mapping[int, float]


def voice_of(window: Piece) -> Voice:
    """Whose the sound of a window is.

    Without pictures of mouths (``Piece.mouths`` is None) that of whoever is in view alone. With
    them that of the track that clearly speaks; else of whoever is in view alone and may.
    """
    tracks = window.track_ids()
    alone = tracks[0] if len(tracks) == 1 else None
    scores = _scores(window, tracks)
    length_s = window.end_s - window.start_s
    if alone is not None:
        doubtful = scores.get(alone, 1.0) < _AWAY and length_s >= _AWAY_FROM_S
        return Voice(None if doubtful else alone, scores)
    return Voice(_clear(scores, tracks, length_s), scores)


def _clear(scores: Mapping[int, float], tracks: list[int], length_s: float) -> int | None:
    if not scores:
        return None
    best = max(scores, key=lambda track: scores[track])
    # of whom nothing is known may be the one who speaks, but then the best does not by chance
    second = max((scores[track] for track in scores if track != best), default=-1.0)
    enough = _CLEAR / np.sqrt(min(length_s, _LONGEST_S))
    return best if scores[best] >= enough and scores[best] - second >= _MARGIN else None


def _scores(window: Piece, tracks: list[int]) -> dict[int, float]:
    seconds = min(len(window.audio) / max(window.sample_rate, 1), window.end_s - window.start_s)
    if not window.mouths or seconds < _LEAST_S or not has_voice(window):
        return {}
    count = int(seconds * MOUTH_FPS)
    swells = _band(_loudness(window.audio, window.sample_rate, count))
    scores = {}
    for track in tracks:
        mine = [picture for picture in window.mouths if picture.track_id == track]
        if len(mine) >= _LEAST_SEEN * count:
            scores[track] = _agreement(_opening(mine, window.start_s, count), swells)
    return scores


def _opening(pictures: list[MouthPicture], start_s: float, count: int) -> np.ndarray:
    """float64 (count,): ``openings`` at regular times, those that are missing in between."""
    times = start_s + (np.arange(count) + 0.5) / MOUTH_FPS
    return _band(np.interp(times, [p.time_s for p in pictures], openings(pictures)))


def _loudness(audio: np.ndarray, rate: int, count: int) -> np.ndarray:
    """float64 (count,): logarithm of the power of the band of voices around each picture."""
    from scipy.signal import butter, sosfilt

    band = (_VOICE_HZ[0], min(_VOICE_HZ[1], 0.45 * rate))
    power = sosfilt(butter(2, band, "bandpass", fs=rate, output="sos"), audio) ** 2
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    middles = (np.arange(count) + 0.5) / MOUTH_FPS
    first, last = (
        np.clip(np.round((middles + shift) * rate).astype(int), 0, len(audio))
        for shift in (-1 / MOUTH_FPS, 1 / MOUTH_FPS)
    )
    loudness = np.log10((sums[last] - sums[first]) / np.maximum(last - first, 1) + 1e-6)
    return np.maximum(loudness, loudness.max() - _DYNAMICS)


def _band(values: np.ndarray) -> np.ndarray:
    """What changes neither too slowly nor too quickly for a mouth that speaks."""
    from scipy.signal import butter, sosfiltfilt

    return sosfiltfilt(butter(2, _BAND_HZ, "bandpass", fs=MOUTH_FPS, output="sos"), values)


def _agreement(opening: np.ndarray, swells: np.ndarray) -> float:
    """The largest correlation of the two, with the mouth a little later than the sound."""
    count = len(swells)
    found = []
    for lag in _LAGS:
        seen = opening[max(0, lag) : count + min(0, lag)]
        heard = swells[max(0, -lag) : count - max(0, lag)]
        seen, heard = seen - seen.mean(), heard - heard.mean()
        found.append(float(seen @ heard / (np.linalg.norm(seen) * np.linalg.norm(heard) + 1e-9)))
    return max(found)
