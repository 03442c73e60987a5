"""What each split is for, in words: ``train --list-splits`` and ``docs/protocols.md`` show it.

Who is tested in which fold is taken from ``protocols``, so that no page can say otherwise. After a
change ``python -m emotion_core.corpora.explained > docs/protocols.md`` writes the page anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from emotion_core.corpora.protocols import PROTOCOLS, Sides


@dataclass(frozen=True)
class CorpusFacts:
    """What a corpus's publishers say of it.

    Attributes:
        people: who speaks or is shown.
        clips: how many there are.
        classes: the emotions, by their canonical names.
        source: citation.
    """

    people: str
    clips: str
    classes: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Explained:
    """One way to divide clips into sides.

    Attributes:
        spec: as ``--split`` takes it, ``N..M`` for any of these folds.
        corpora: what it is about: a key of ``FACTS``, or words.
        sides: who is where, in words.
        source: who published it; ours where nobody did.
        use: when to choose it.
        apart: whether a speaker is on one side only.
    """

    spec: str
    corpora: str
    sides: str
    source: str
    use: str
    apart: bool = True

    @property
    def name(self) -> str:
        """The word before the colon, as ``PROTOCOLS`` has it."""
        return self.spec.partition(":")[0]


_SEVEN = ("neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised")

FACTS: Mapping[str, CorpusFacts] = MappingProxyType(
    {
        "ravdess": CorpusFacts(
            "24 actors, 12 women (even numbers) and 12 men",
            "1,440 of speech; 1,012 of song, which 23 actors sing without disgust and surprise",
            (_SEVEN[0], "calm", *_SEVEN[1:]),
            "Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391",
        ),
        "savee": CorpusFacts(
            "4 men, DC, JE, JK and KL", "480", _SEVEN, "Haq & Jackson, University of Surrey"
        ),
        "tess": CorpusFacts(
            "2 women, OAF and YAF",
            "2,800",
            _SEVEN,
            "Pichora-Fuller & Dupuis 2020, doi 10.5683/SP2/E8H2MF",
        ),
        "cremad": CorpusFacts(
            "91 actors, 43 women and 48 men, 1001 to 1091",
            "7,442",
            tuple(name for name in _SEVEN if name != "surprised"),
            "Cao et al. 2014, doi 10.1109/TAFFC.2014.2336244",
        ),
        "fer2013": CorpusFacts(
            "nobody knows who", "35,887 faces", _SEVEN, "Goodfellow et al. 2013, arXiv 1307.0414"
        ),
    }
)

EXPLAINED = (
    Explained(
        "elte",
        "ravdess",
        "actors 1 to 17 train, 18 to 22 validate, 23 and 24 are tested",
        "notebook of the ELTE course behind timedist-blstm",
        "to compare with that notebook, or for a first look: one training, but only two people are "
        "tested, so the figure is uncertain by many points",
    ),
    Explained(
        "luna5:0..4",
        "ravdess",
        "five folds of four or five actors",
        "Luna-Jimenez et al. 2021, doi 10.3390/s21227665, and 2022, doi 10.3390/app12010327",
        "to compare with their figures of sound and faces",
    ),
    Explained(
        "emobox6:0..5",
        "ravdess",
        "six folds of four actors",
        "EmoBox, Ma et al. 2024, arXiv 2406.07162",
        "to compare with EmoBox's figures of large speech encoders; the choice for RAVDESS where "
        "nothing else decides",
    ),
    Explained(
        "savee4:0..3",
        "savee",
        "each of the four men is tested once",
        "EmoBox, Ma et al. 2024, arXiv 2406.07162",
        "for SAVEE; the folds differ much, for each is one person",
    ),
    Explained(
        "cremad5:0..4",
        "cremad",
        "five folds, of every fifth actor",
        "ours, not published: EmoBox divides CREMA-D clip by clip, all 91 actors on both sides",
        "for CREMA-D and people whom the model has not met; not comparable with EmoBox's figure",
    ),
    Explained(
        "loso:SPEAKER",
        "any corpus that names its speakers",
        "one speaker is tested, the next fifth of the others validates",
        "ours; leave one speaker out is common practice",
        "for folders and manifests of your own: loso:all is every speaker, loso:folder/all those "
        "of one corpus",
    ),
    Explained(
        "random",
        "any corpus; random:tess takes one",
        "a fifth of the clips is tested, drawn at random, and a tenth of the others validates",
        "what many papers did",
        "to reproduce what was published with it, and for nothing else: the same people train and "
        "are tested, which can add tens of points",
        apart=False,
    ),
    Explained(
        "fer2013",
        "fer2013",
        "PublicTest is tested (fer2013:private: PrivateTest), a tenth of the others validates",
        "Goodfellow et al. 2013, arXiv 1307.0414",
        "for FER2013; who is on a picture is not known, so the same face may be on two sides",
        apart=False,
    ),
    Explained(
        "everybody",
        "any corpus; everybody:savee takes one",
        "every clip trains, nothing validates or is tested",
        "ours",
        "for the model that you ship, after its folds have been measured (train --figures); or "
        "joined to another: savee4:0+everybody:ravdess",
    ),
)


_INTRODUCTION = """\
# Protocols

Who trains, who validates and who is tested, for `--split` of `train` and `evaluate`. A figure
means something only together with its protocol: the same model gains tens of points where it is
tested on people from whom it learned. `python jobs/train.py --list-splits` shows the second table.
The code makes this page (`emotion_core/corpora/explained.py`), and a test compares them.

- Measure new people: a protocol of the corpus that keeps speakers apart, every fold (`:all`).
- Compare with a paper: its protocol and its classes (`--option recipe.label_set=emotions8`).
- Several corpora: `A+B` joins one protocol each, such as `emobox6:0+savee4:0`.
- Songs: the RAVDESS protocols were published for speech, which is what `preprocess` takes
  (`--channel`). Features made with `--channel all`, or before there was that option, may hold
  songs too. These are on the side of their actor, and `train` and `evaluate` say how many.
- Votes: `train --labels-from votes` learns what a crowd took CREMA-D's clips for. Figures are
  against the emotion that was to be played, with votes as without.
"""

_ABOUT_FOLDS = """\
Everybody who is neither tested nor validates trains. Validation speakers, who choose the epoch,
come from the training side by a fixed rule (`emotion_core/corpora/protocols.py`); only `elte`
published its own.
"""


def protocols_page() -> str:
    """``docs/protocols.md``, Markdown."""
    return "\n".join([_INTRODUCTION, *_corpora(), *_splits(), *_folds()])


def _corpora() -> Iterator[str]:
    yield "## Corpora"
    yield ""
    yield "| corpus | people | clips | classes | source |"
    yield "|---|---|---|---|---|"
    for name, facts in FACTS.items():
        classes = f"{len(facts.classes)}: {', '.join(facts.classes)}"
        yield f"| `{name}` | {facts.people} | {facts.clips} | {classes} | {facts.source} |"
    yield ""


def _splits() -> Iterator[str]:
    yield "## Splits"
    yield ""
    yield "| split | corpus | sides | speakers apart | published by | use it |"
    yield "|---|---|---|---|---|---|"
    for each in EXPLAINED:
        apart = "yes" if each.apart else "**no**"
        yield (
            f"| `{each.spec}` | {each.corpora} | {each.sides} | {apart} | {each.source} | "
            f"{each.use} |"
        )
    yield ""


def _folds() -> Iterator[str]:
    yield "## Folds"
    yield ""
    yield _ABOUT_FOLDS
    yield "| fold | train | validation | test |"
    yield "|---|---|---|---|"
    for name, folds in PROTOCOLS.items():
        for number, sides in enumerate(folds):
            spec = name if len(folds) == 1 else f"{name}:{number}"
            yield f"| `{spec}` | {_fold(sides)} |"
    yield ""


def _fold(sides: Sides) -> str:
    validation, test = (" ".join(each) for each in (sides.validation, sides.test))
    return f"{len(sides.train)} speakers | {validation} | {test}"


if __name__ == "__main__":
    print(protocols_page(), end="")
