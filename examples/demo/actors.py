"""Twenty-four made-up actors: two photographs, and everything else that tells people apart.

An actor is a function of its number and the seed alone, so a corpus of 24 holds the same actors 1
to 3 as a corpus of 3.
"""

from dataclasses import dataclass

import numpy as np

from emotion_core.recipes.emotions import EMOTIONS
from examples.demo.expression import FIELDS
from examples.demo.photos import PHOTOS, Photo

# In this order any number of actors from 3 has somebody on each side of the published split
# "1-17 train, 18-22 validation, 23-24 test".
ORDER = (1, 18, 23, 2, 3, 19, 24, 4, 5, 6, *range(7, 18), 20, 21, 22)
_ACTOR = 1  # the first number of this module's random streams


@dataclass(frozen=True)
class Look:
    """What an actor's picture is made of.

    Attributes:
        photo: whose face.
        mirrored: left and right swapped.
        eye_distance: pixels of the 1280 x 720 picture.
        centre_x: of the face, pixels.
        wall: RGB of the wall, 0 to 255.
        gains: of red, green and blue.
        gamma, saturation: of the person.
        clothes_hue: turn of the hue below the collar, 0 to 255.
        shape: width of jaw, of forehead, and length of face, relative (0.05 is 5 % more).
    """

    photo: Photo
    mirrored: bool
    eye_distance: float
    centre_x: float
    wall: tuple[float, float, float]
    gains: tuple[float, float, float]
    gamma: float
    saturation: float
    clothes_hue: int
    shape: tuple[float, float, float]


@dataclass(frozen=True)
class Voice:
    """What an actor's sound is made of.

    Attributes:
        pitch_hz: when nothing is felt.
        formants: scale of the resonances (1.0: a vocal tract of 17 cm).
        rate: syllables a second.
        breath: share of noise in the source.
        tilt_db: extra loss per octave of the source.
        noise_db: level of the room's noise below the speech.
    """

    pitch_hz: float
    formants: float
    rate: float
    breath: float
    tilt_db: float
    noise_db: float


@dataclass(frozen=True)
class Actor:
    """One made-up person.

    Attributes:
        number: as in the file names, 1 to 24.
        look, voice: the person.
        face_habits: offset of every expression field per emotion, float64 (8, 12): everybody acts
            each emotion a little differently.
        voice_habits: the same for the prosody's fields, float64 (8, 9), standard normal.
        expressiveness: multiplies every movement.
    """

    number: int
    look: Look
    voice: Voice
    face_habits: np.ndarray
    voice_habits: np.ndarray
    expressiveness: float


# How much people and takes differ in each expression field: one standard deviation.
_SPREADS = {
    "brow_inner": 0.02, "brow_outer": 0.02, "brow_knit": 0.012, "eye_open": 0.08,
    "corner_up": 0.025, "corner_out": 0.025, "upper_lip": 0.012, "nose": 0.01, "cheek": 0.01,
    "jaw": 0.012, "pitch": 0.02, "tilt": 1.5,
}  # fmt: skip
FACE_SPREADS = np.array([_SPREADS[name] for name in FIELDS])


def actor(number: int, seed: int) -> Actor:
    """Actor ``number`` (1 to 24; odd numbers have the lower voices, as in RAVDESS)."""
    rng = np.random.default_rng([seed, _ACTOR, number])
    return Actor(
        number=number,
        look=_look(number, rng),
        voice=_voice(number, rng),
        face_habits=rng.normal(size=(len(EMOTIONS), len(FIELDS))) * FACE_SPREADS,
        voice_habits=rng.normal(size=(len(EMOTIONS), 9)),
        expressiveness=float(rng.uniform(0.8, 1.15)),
    )


def _look(number: int, rng: np.random.Generator) -> Look:
    red, green, blue = (float(v) for v in rng.uniform(0.92, 1.08, 3))
    wall_r, wall_g, wall_b = (float(v) for v in rng.uniform(205, 238) + rng.uniform(-14, 14, 3))
    jaw, forehead, length = (float(v) for v in rng.uniform(-0.07, 0.07, 3))
    return Look(
        # either photograph meets either kind of voice, and each side of the published splits
        photo=PHOTOS[0 if number % 8 in (1, 2, 4, 7) else 1],
        mirrored=bool(rng.random() < 0.5),
        eye_distance=float(rng.uniform(88, 112)),
        centre_x=float(rng.uniform(570, 710)),
        wall=(wall_r, wall_g, wall_b),
        gains=(red, green, blue),
        gamma=float(rng.uniform(0.85, 1.2)),
        saturation=float(rng.uniform(0.6, 1.15)),
        clothes_hue=int(rng.integers(0, 256)),
        shape=(jaw, forehead, length),
    )


def _voice(number: int, rng: np.random.Generator) -> Voice:
    low = number % 2 == 1
    pitch = rng.uniform(95, 145) if low else rng.uniform(165, 235)
    return Voice(
        pitch_hz=float(pitch),
        formants=float(rng.uniform(0.94, 1.06) if low else rng.uniform(1.08, 1.22)),
        rate=float(rng.uniform(4.3, 5.5)),
        breath=float(rng.uniform(0.02, 0.10)),
        tilt_db=float(rng.uniform(-1.5, 1.5)),
        noise_db=float(rng.uniform(32, 46)),
    )
