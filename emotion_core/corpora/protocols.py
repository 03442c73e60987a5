"""The published protocols with fixed speakers, as data.

What their authors published is who is tested. Validation speakers are ours, taken from the training
side by a fixed rule:

* ``luna5``, ``emobox6``: two men and two women (odd and even actors), the first ones met going
  through the folds after the test fold, in order and around, each fold in order of its numbers;
* ``savee4``: the next speaker (DC, JE, JK, KL, and around);
* ``cremad5``: the first nine of the next fold, in order of their numbers and around;
* ``elte`` has published validation speakers.

``cremad5`` is ours as a whole: EmoBox divides CREMA-D clip by clip, all 91 actors on both sides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emotion_core.corpora import cremad, ravdess, savee


@dataclass(frozen=True)
class Sides:
    """Which speakers of ``corpus`` are on which side; others are outside the protocol."""

    corpus: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


def _actors(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{number:02d}" for number in numbers)


# ELTE notebook: RAVDESS actors 1-17, 18-22, 23-24.
ELTE = Sides("ravdess", _actors(*range(1, 18)), _actors(*range(18, 23)), _actors(*range(23, 25)))

# Luna-Jimenez et al. 2021 (doi 10.3390/s21227665) and 2022 (doi 10.3390/app12010327): held-out
# actors of the five folds.
LUNA5 = (
    _actors(2, 5, 14, 15, 16),
    _actors(3, 6, 7, 13, 18),
    _actors(10, 11, 12, 19, 20),
    _actors(8, 17, 21, 23, 24),
    _actors(1, 4, 9, 22),
)

# EmoBox (Ma et al. 2024, arXiv 2406.07162): test actors of the six folds.
EMOBOX6 = (
    _actors(1, 11, 20, 21),
    _actors(4, 10, 12, 14),
    _actors(8, 9, 19, 23),
    _actors(3, 5, 7, 24),
    _actors(2, 15, 16, 18),
    _actors(6, 13, 17, 22),
)

# Ours: every fifth actor, 1001 in the first fold, 1002 in the second, 1006 in the first again. So
# each fold tests 18 or 19 people, 7 to 12 of them men.
CREMAD5 = tuple(cremad.SPEAKERS[fold::5] for fold in range(5))


def _cremad_fold(fold: int) -> Sides:
    validation = CREMAD5[(fold + 1) % len(CREMAD5)][:9]
    return with_rest("cremad", cremad.SPEAKERS, validation, CREMAD5[fold])


def _ravdess_fold(folds: tuple[tuple[str, ...], ...], fold: int) -> Sides:
    after = [actor for step in range(1, len(folds)) for actor in folds[(fold + step) % len(folds)]]
    men = [actor for actor in after if int(actor) % 2][:2]
    women = [actor for actor in after if not int(actor) % 2][:2]
    return with_rest("ravdess", ravdess.SPEAKERS, tuple(sorted(men + women)), folds[fold])


def with_rest(
    corpus: str, speakers: tuple[str, ...], validation: tuple[str, ...], test: tuple[str, ...]
) -> Sides:
    """Sides of ``corpus`` in which everybody of ``speakers`` who is on no other side trains."""
    train = tuple(speaker for speaker in speakers if speaker not in (*validation, *test))
    return Sides(corpus, train, validation, test)


def speakers_after(speakers: tuple[str, ...], test: str, count: int) -> tuple[str, ...]:
    """The next ``count`` of ``speakers`` after ``test``, around the end."""
    place = speakers.index(test)
    return (*speakers[place + 1 :], *speakers[:place])[:count]


# Every protocol with fixed speakers: name -> its folds.
PROTOCOLS: Mapping[str, tuple[Sides, ...]] = MappingProxyType(
    {
        "elte": (ELTE,),
        "luna5": tuple(_ravdess_fold(LUNA5, fold) for fold in range(len(LUNA5))),
        "emobox6": tuple(_ravdess_fold(EMOBOX6, fold) for fold in range(len(EMOBOX6))),
        "savee4": tuple(
            with_rest(
                "savee", savee.SPEAKERS, speakers_after(savee.SPEAKERS, speaker, 1), (speaker,)
            )
            for speaker in savee.SPEAKERS
        ),
        "cremad5": tuple(_cremad_fold(fold) for fold in range(len(CREMAD5))),
    }
)
