"""Who publishes each corpus, on what terms, and how much of it there is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from emotion_core.corpora.ravdess import SPEAKERS as RAVDESS_SPEAKERS

# RAVDESS: nobody recorded songs of actor 18.
WITHOUT_SONGS = "18"


@dataclass(frozen=True)
class Checksum:
    """What a published file has to hash to.

    Attributes:
        algorithm: as ``hashlib`` calls it.
        value: in hexadecimal digits, lower case.
    """

    algorithm: str
    value: str


@dataclass(frozen=True)
class Record:
    """A machine-readable list of the files, asked for each time: it is the publisher's word.

    Attributes:
        url: of the JSON document.
        form: ``zenodo`` or ``dataverse`` (see ``listings``).
        content: where a file's bytes are, with its name or id for ``{}``.
    """

    url: str
    form: str
    content: str


@dataclass(frozen=True)
class Source:
    """One corpus.

    Attributes:
        title, licence, citation, page: as its publishers have them.
        clips: utterances that were published (of RAVDESS: speech).
        by: what ``each`` goes by: ``speaker`` or ``subset``.
        each: clips of each speaker or subset, where all that is known; of RAVDESS: speech.
        record: where the files are listed; None: nobody may simply take them.
        by_hand: how to get them then, and what ``--from`` should be given.
        known: size in bytes and checksum of files whose record cannot be reached.
    """

    title: str
    licence: str
    citation: str
    page: str
    clips: int
    by: str = "speaker"
    each: Mapping[str, int] = field(default_factory=dict)
    record: Record | None = None
    by_hand: str = ""
    known: Mapping[str, tuple[int, Checksum]] = field(default_factory=dict)


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "ravdess": Source(
            title="RAVDESS, Ryerson Audio-Visual Database of Emotional Speech and Song",
            licence="CC BY-NC-SA 4.0: no commercial use, what is made of it under the same terms",
            citation="Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of "
            "Emotional Speech and Song (RAVDESS). PLoS ONE 13(5): e0196391, "
            "doi 10.1371/journal.pone.0196391",
            page="https://zenodo.org/records/1188976",
            clips=1440,
            each={speaker: 60 for speaker in RAVDESS_SPEAKERS},
            record=Record(
                "https://zenodo.org/api/records/1188976",
                "zenodo",
                "https://zenodo.org/api/records/1188976/files/{}/content",
            ),
            # of the two archives of sound; those of video are in the record only
            known={
                "Audio_Speech_Actors_01-24.zip": (
                    208_468_073,
                    Checksum("md5", "bc696df654c87fed845eb13823edef8a"),
                ),
                "Audio_Song_Actors_01-24.zip": (
                    225_505_317,
                    Checksum("md5", "5411230427d67a21e18aa4d466e6d1b9"),
                ),
            },
        ),
        "tess": Source(
            title="TESS, Toronto Emotional Speech Set",
            licence="CC BY-NC-ND 4.0: no commercial use, no adaptations",
            citation="Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). "
            "Borealis, doi 10.5683/SP2/E8H2MF",
            page="https://borealisdata.ca/dataset.xhtml?persistentId=doi:10.5683/SP2/E8H2MF",
            clips=2800,
            each={"OAF": 1400, "YAF": 1400},
            record=Record(
                "https://borealisdata.ca/api/datasets/:persistentId/versions/:latest-published/"
                "files?persistentId=doi:10.5683/SP2/E8H2MF",
                "dataverse",
                "https://borealisdata.ca/api/access/datafile/{}",
            ),
        ),
        "savee": Source(
            title="SAVEE, Surrey Audio-Visual Expressed Emotion",
            licence="for research, after registration",
            citation="Haq S, Jackson PJB (2010). Multimodal emotion recognition. In: Machine "
            "Audition: Principles, Algorithms and Systems, IGI Global, pp. 398-423",
            page="http://kahlan.eps.surrey.ac.uk/savee/",
            clips=480,
            each={"DC": 120, "JE": 120, "JK": 120, "KL": 120},
            by_hand="register there, download its archives, and give --from the folder that holds "
            "them, or one of them",
        ),
        "cremad": Source(
            title="CREMA-D, Crowd-sourced Emotional Multimodal Actors Dataset",
            licence="ODbL 1.0, its content under DbCL 1.0",
            citation="Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D. "
            "IEEE Transactions on Affective Computing 5(4): 377-390, "
            "doi 10.1109/TAFFC.2014.2336244",
            page="https://github.com/CheyneyComputerScience/CREMA-D",
            clips=7442,
            by_hand="its files are in Git LFS: git lfs install, then git clone "
            "https://github.com/CheyneyComputerScience/CREMA-D.git, and give --from that folder",
        ),
        "fer2013": Source(
            title="FER2013, faces of the facial expression recognition challenge",
            licence="as the challenge's rules on Kaggle grant: research",
            citation="Goodfellow IJ et al. (2013). Challenges in representation learning: a report "
            "on three machine learning contests. ICONIP, arXiv 1307.0414",
            page="https://www.kaggle.com/c/"
            "challenges-in-representation-learning-facial-expression-recognition-challenge",
            clips=35_887,
            by="subset",
            each={"train": 28_709, "PublicTest": 3589, "PrivateTest": 3589},
            by_hand="log in there, accept the rules, download and unpack it, and give --from the "
            "folder (or the ZIP file of a copy in class folders)",
        ),
    }
)
