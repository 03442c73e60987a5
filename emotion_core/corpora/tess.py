"""TESS: Toronto Emotional Speech Set (Pichora-Fuller & Dupuis 2020, doi 10.5683/SP2/E8H2MF).

Two women, aged 26 and 64, say "Say the word ..." with 200 words in seven emotions:
``OAF_back_angry.wav``. One published file begins with ``OA_``; ``ps`` is pleasant surprise, which
the folders spell out. Folders are not needed: the name says it all.
"""

import re

from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.media.suffixes import AUDIO
from emotion_core.recipes.emotions import canonical
from emotion_core.storage import FileInfo

NAME = "tess"
LOOKS_FOR = "names like OAF_back_angry.wav (speakers OAF, YAF)"
SPEAKERS = ("OAF", "YAF")

_NAME = re.compile(
    r"(oa|ya)f?_([a-z]+)_"
    r"(angry|anger|disgust|fear|happy|neutral|sad|ps|pleasant[_ ]surprised?)",
    re.IGNORECASE,
)


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """TESS clips below ``uri``; copies of an utterance in several folders are taken once.

    Args:
        uri: a folder or a ZIP file.
        modality: ignored: TESS is sound only.

    Raises:
        UsageError: unreadable URI, or no clip there.
    """
    found = scanning.scan_names(uri, AUDIO, parse)
    taken = scanning.take_once(found, lambda clip: (clip.speaker, clip.statement, clip.emotion))
    return scanning.checked(taken, NAME, uri, LOOKS_FOR)


def parse(info: FileInfo) -> Clip | None:
    """The clip that a file's name describes, None when it is no TESS name."""
    match = _NAME.fullmatch(scanning.stem(info.uri))
    if not match:
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        speaker=match.group(1).upper() + "F",
        emotion=canonical(match.group(3)),
        statement=match.group(2).lower(),
        channel="speech",
        modality="audio",
    )
