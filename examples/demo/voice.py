"""Speech-like sound whose prosody follows an emotion: a source, resonances, syllables.

A source-filter synthesis (Fant 1960): a train of glottal pulses with some breath in it runs through
four resonances per vowel; consonants are short noises. How pitch, its range, loudness, rate and
voice quality change with emotion follows the reviews of Juslin & Laukka (2003) and Banse & Scherer
(1996). Nobody could understand a word of it.
"""

from dataclasses import astuple, dataclass

import numpy as np
from scipy.signal import butter, lfilter, resample_poly, sosfilt

from examples.demo.actors import Voice

RATE = 16000  # of the synthesis; the files hold three times that, as RAVDESS does
FILE_RATE = 48000
ENVELOPE_RATE = 100  # values a second of how far the mouth is open

# first three formants in Hz (Peterson & Barney 1952, men), and how far the mouth is open
_VOWELS = {
    "i": (270, 2290, 3010, 0.3), "e": (530, 1840, 2480, 0.6), "a": (730, 1090, 2440, 1.0),
    "o": (570, 840, 2410, 0.7), "u": (300, 870, 2240, 0.3), "@": (500, 1350, 2390, 0.5),
}  # fmt: skip
_BANDWIDTHS = (70.0, 100.0, 140.0, 200.0)

# The vowels of "kids are talking by the door" and "dogs are sitting by the door", RAVDESS's
# statements 01 and 02; a consonant before each: s hissed, t a burst, m hummed, - none.
STATEMENTS = {1: "ti -a to mi ba ma to", 2: "to -a si mi ba ma to"}
_STRESSED = (0, 2, 6)


@dataclass(frozen=True)
class Prosody:
    """What an emotion does to a voice.

    Attributes:
        pitch: semitones above the speaker's own.
        spread: semitones, how far accents reach.
        slope: semitones gained from the first syllable to the last.
        rate: multiplies the syllable rate.
        level_db: loudness.
        bright_db: less (or more) loss of the source per octave.
        breath: noise added to the source.
        shake: slow tremor (6 Hz) and irregular periods.
        lips: resonances higher (spread lips, a smile; Tartter 1980) or lower (rounded), relative.
    """

    pitch: float = 0.0
    spread: float = 2.0
    slope: float = -2.0
    rate: float = 1.0
    level_db: float = 0.0
    bright_db: float = 0.0
    breath: float = 0.0
    shake: float = 0.0
    lips: float = 0.0


PROSODY = {
    "neutral": Prosody(),
    "calm": Prosody(-1.0, 1.6, -2.0, 0.82, -5.0, -2.0, 0.08, 0.0, 0.0),
    "happy": Prosody(4.0, 4.5, 0.5, 1.10, 3.0, 1.5, 0.0, 0.1, 0.09),
    "sad": Prosody(-1.5, 1.2, -3.5, 0.72, -7.0, -3.0, 0.14, 0.3, -0.04),
    "angry": Prosody(4.0, 4.0, -3.0, 1.15, 8.0, 4.0, 0.0, 0.3, 0.0),
    "fearful": Prosody(6.5, 1.8, 0.0, 1.28, 0.0, 0.0, 0.12, 1.0, 0.03),
    "disgust": Prosody(-2.5, 2.6, -4.5, 0.82, 1.0, 1.5, 0.03, 0.6, -0.02),
    "surprised": Prosody(7.0, 5.5, 6.0, 0.98, 3.0, 1.0, 0.07, 0.1, -0.06),
}

# How far people and takes differ in each field: one standard deviation.
_SPREADS = np.array([0.7, 0.5, 0.8, 0.045, 1.3, 0.6, 0.015, 0.08, 0.015])


def acted(
    emotion: str, strength: float, slip: str, slip_share: float, habits: np.ndarray
) -> Prosody:
    """An emotion's prosody at some strength, with a little of another one and a person's habits.

    Args:
        emotion, slip: canonical emotions.
        strength: 0 neutral, 1 as in ``PROSODY``.
        slip_share: how much of the difference to neutral is ``slip``'s, 0 to 1.
        habits: standard normal, (9,), one per field.
    """
    neutral, wanted, other = (
        np.array(astuple(PROSODY[name])) for name in ("neutral", emotion, slip)
    )
    mixed = neutral + strength * ((1 - slip_share) * wanted + slip_share * other - neutral)
    values = mixed + habits * _SPREADS
    values[[1, 6, 7]] = np.maximum(values[[1, 6, 7]], 0.0)
    values[3] = np.clip(values[3], 0.55, 1.6)
    return Prosody(*(float(value) for value in values))


def speak(
    voice: Voice, prosody: Prosody, statement: int, seconds: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A statement, said as often as fits.

    Args:
        voice: whose.
        prosody: how.
        statement: 1 or 2.
        seconds: length of the sound; speech begins and ends within it.
        rng: everything that differs between two takes.

    Returns:
        Sound, float32 (seconds * 48000,), in [-1, 1]; and how far the mouth is open, float64
        (seconds * 100,), 0 to 1.
    """
    n = round(seconds * RATE)
    syllables = _syllables(voice, prosody, statement, seconds, rng)
    loud, opened, vowels = _envelopes(syllables, n)
    source = _source(voice, prosody, syllables, n, rng)
    scale = voice.formants * (1 + prosody.lips)
    sound = sum(
        (loud * vowels[name] * _resonate(source, name, scale) for name in vowels),
        np.zeros(n),
    )
    sound = sound + _consonants(syllables, n, rng)
    # louder voices are louder files, but never clip; 0 dB is about -23 dBFS
    sound *= 10 ** ((prosody.level_db - 23) / 20) / (np.sqrt(np.mean(sound**2)) + 1e-9)
    hum = lfilter([1.0], [1.0, -0.9], rng.normal(size=n))
    sound = sound + hum * 10 ** ((-23 - voice.noise_db) / 20) / hum.std()
    wide = resample_poly(np.tanh(sound), FILE_RATE // RATE, 1)
    step = RATE // ENVELOPE_RATE
    return wide.astype(np.float32), opened[: n // step * step : step]


@dataclass(frozen=True)
class _Syllable:
    consonant: str
    vowel: str
    start: float  # seconds
    length: float
    pitch: float  # semitones above the prosody's level
    stress: float


def _syllables(
    voice: Voice, prosody: Prosody, statement: int, seconds: float, rng: np.random.Generator
) -> list[_Syllable]:
    words = STATEMENTS[statement].split()
    mean = 1 / (voice.rate * prosody.rate)
    # what does not fit at this rate is said a little faster, as people do when time is short
    room = seconds - 0.3
    mean = min(mean, room / len(words))
    said = max(1, int(room // (mean * len(words) * 1.15)))
    start = float(rng.uniform(0.3, 0.7)) * max(0.0, room - said * mean * len(words) * 1.1) + 0.12
    result: list[_Syllable] = []
    for _ in range(said):
        for i, word in enumerate(words):
            along = i / (len(words) - 1)
            stress = 1.0 if i in _STRESSED else 0.45
            pitch = prosody.slope * (along - 0.5) + prosody.spread * (stress - 0.6)
            pitch += rng.normal() * 0.25 * prosody.spread
            length = mean * float(rng.uniform(0.85, 1.15)) * (1.25 if i == 6 else 0.96)
            result.append(_Syllable(word[0], word[1], start, length, pitch, stress))
            start += length
        start += float(rng.uniform(0.5, 1.0)) * mean
    return [s for s in result if s.start + s.length < seconds]


def _envelopes(
    syllables: list[_Syllable], n: int
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Loudness and mouth opening per sample, and which vowel is heard."""
    loud, opened = np.zeros(n), np.zeros(n)
    vowels = {s.vowel: np.zeros(n) for s in syllables}
    for s in syllables:
        a, b = round(s.start * RATE), round((s.start + s.length) * RATE)
        arch = np.sin(np.linspace(0, np.pi, b - a)) ** 0.6
        loud[a:b] = arch * (0.7 + 0.3 * s.stress)
        opened[a:b] = arch * _VOWELS[s.vowel][3] * (0.6 + 0.4 * s.stress)
        vowels[s.vowel][a:b] = 1.0
    return loud, opened, vowels


def _source(
    voice: Voice, prosody: Prosody, syllables: list[_Syllable], n: int, rng: np.random.Generator
) -> np.ndarray:
    """Glottal pulses along the pitch contour, breath, and the slope of the spectrum."""
    t = np.arange(n) / RATE
    middles = [s.start + s.length / 2 for s in syllables]
    contour = np.interp(t, middles, [s.pitch for s in syllables]) if syllables else np.zeros(n)
    tremor = 0.5 * prosody.shake * np.sin(2 * np.pi * 6.0 * t + rng.uniform(0, 6))
    drift = lfilter([0.02], [1, -0.98], rng.normal(size=n // 40 + 1)).repeat(40)[:n]
    wobble = (0.8 + 2.0 * prosody.shake) * drift
    hertz = voice.pitch_hz * 2 ** ((prosody.pitch + contour + tremor + wobble) / 12)
    phase = np.cumsum(np.clip(hertz, 50, 700)) / RATE % 1.0
    # Rosenberg's pulse: rises over 40 % of the period, falls over 16 %, then the cords are shut
    rising = 0.5 * (1 - np.cos(np.pi * phase / 0.4))
    falling = np.cos(np.pi / 2 * (phase - 0.4) / 0.16)
    pulse = np.where(phase < 0.4, rising, np.where(phase < 0.56, falling, 0.0))
    flow = np.diff(pulse, prepend=0.0)
    noise = rng.normal(size=n) * (0.3 + 0.7 * (phase < 0.56))
    breath = voice.breath + prosody.breath
    mixed = flow / flow.std() * (1 - breath) + noise * breath
    loss = np.clip(voice.tilt_db - prosody.bright_db, -5, 5)
    # one pole (a loss) or one zero (a gain) of high frequencies
    dull = lfilter([1.0], [1.0, -0.12 * loss], mixed) if loss > 0 else mixed
    return dull if loss > 0 else lfilter([1.0, 0.12 * loss], [1.0], dull)


def _resonate(source: np.ndarray, vowel: str, scale: float) -> np.ndarray:
    """The source through the four resonances of a vowel."""
    sound = source
    formants = (*_VOWELS[vowel][:3], 3500.0)
    for hertz, width in zip(formants, _BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        angle = 2 * np.pi * min(hertz * scale, 0.47 * RATE) / RATE
        a = [1.0, -2 * radius * np.cos(angle), radius**2]
        sound = lfilter([sum(a)], a, sound)  # gain 1 at 0 Hz
    return sound / (sound.std() + 1e-9)


def _consonants(syllables: list[_Syllable], n: int, rng: np.random.Generator) -> np.ndarray:
    sound = np.zeros(n)
    bands = {"s": (4000, 7500), "t": (2000, 6000), "b": (300, 1500), "m": (100, 400)}
    lengths = {"s": 0.09, "t": 0.02, "b": 0.015, "m": 0.05}
    for s in syllables:
        if s.consonant not in bands:
            continue
        low, high = bands[s.consonant]
        size = round(lengths[s.consonant] * RATE)
        a = round(s.start * RATE)
        sos = butter(2, [low, high], "bandpass", fs=RATE, output="sos")
        burst = sosfilt(sos, rng.normal(size=size)) * np.hanning(size)
        b = min(n, a + size)
        sound[a:b] += 0.5 * burst[: b - a] / (burst.std() + 1e-9) * 0.4
    return sound
