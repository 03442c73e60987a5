"""SAVEE: Surrey Audio-Visual Expressed Emotion (Haq & Jackson, University of Surrey).

Four men; per speaker 15 sentences in each of six emotions and 30 neutral ones. Published as
``AudioData/DC/a01.wav`` and ``AudioVisualClip/DC/a1.avi``; copies are often flattened to
``DC_a01.wav``. The sentence number counts within its emotion: ``a01`` and ``d01`` need not be the
same words, so that ``statement`` keeps the letters.
"""

import re

from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.media.suffixes import AUDIO, VIDEO, kind_of
from emotion_core.recipes.emotions import canonical
from emotion_core.storage import FileInfo

NAME = "savee"
LOOKS_FOR = "DC/a01.wav or DC_a01.wav (speakers DC, JE, JK, KL; a, d, f, h, n, sa, su)"
SPEAKERS = ("DC", "JE", "JK", "KL")

_NAME = re.compile(r"(?:(dc|je|jk|kl)_)?(a|d|f|h|n|sa|su)(\d{1,2})", re.ASCII | re.IGNORECASE)


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """SAVEE clips below ``uri``, each utterance once.

    Args:
        uri: a folder or a ZIP file in one of the layouts above.
        modality: see ``corpora.scan``; SAVEE has ``audio`` and ``audio-visual``.

    Raises:
        UsageError: unreadable URI, or no clip there.
    """
    found = scanning.scan_names(uri, VIDEO | AUDIO, parse)
    taken = scanning.take_once(found, lambda clip: (clip.speaker, clip.statement), modality)
    return scanning.checked(taken, NAME, uri, LOOKS_FOR)


def parse(info: FileInfo) -> Clip | None:
    """The clip that a file's name and folder describe, None when they are not SAVEE's."""
    match = _NAME.fullmatch(scanning.stem(info.uri))
    if not match:
        return None
    letters, number = match.group(2).lower(), int(match.group(3))
    speaker = match.group(1) or "".join(scanning.folders(info.uri)[-1:])
    emotion = canonical(letters)
    last = 30 if emotion == "neutral" else 15
    if speaker.upper() not in SPEAKERS or not 1 <= number <= last:
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        speaker=speaker.upper(),
        emotion=emotion,
        statement=f"{letters}{number:02d}",
        channel="speech",
        modality="audio" if kind_of(info.uri) == "audio" else "audio-visual",
    )
