"""RAVDESS: Ryerson Audio-Visual Database of Emotional Speech and Song.

Livingstone & Russo 2018, doi 10.1371/journal.pone.0196391. 24 actors, odd numbers male, even
female. Names are ``modality-channel-emotion-intensity-statement-repetition-actor``, two digits
each, in whatever folders; the published rules are checked and nothing outside them is accepted: a
neutral utterance has no strong form, and nobody sings disgust or surprise.
"""

import re

from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.media.suffixes import AUDIO, VIDEO, kind_of
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.storage import FileInfo

NAME = "ravdess"
LOOKS_FOR = (
    "names like 03-01-06-01-02-01-12.wav "
    "(modality-channel-emotion-intensity-statement-repetition-actor)"
)
SPEAKERS = tuple(f"{actor:02d}" for actor in range(1, 25))

_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)", re.ASCII)
_MODALITIES = {"01": "audio-visual", "02": "video", "03": "audio"}
_CHANNELS = {"01": "speech", "02": "song"}
_EMOTIONS = {f"{number:02d}": emotion for number, emotion in enumerate(EMOTIONS, start=1)}
_INTENSITIES = {"01": "normal", "02": "strong"}
# "Kids are talking by the door", "Dogs are sitting by the door"
_STATEMENTS = {"01": "kids", "02": "dogs"}
_REPETITIONS = {"01": "1", "02": "2"}
_NOT_SUNG = ("disgust", "surprised")


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """RAVDESS clips below ``uri``, each utterance once.

    Args:
        uri: any folder layout, or a ZIP file.
        modality: see ``corpora.scan``.

    Raises:
        UsageError: unreadable URI, or no clip there.
    """
    found = scanning.scan_names(uri, VIDEO | AUDIO, parse)
    return scanning.checked(scanning.take_once(found, _utterance, modality), NAME, uri, LOOKS_FOR)


def parse(info: FileInfo) -> Clip | None:
    """The clip that a file's name describes, None when it is no RAVDESS name."""
    match = _NAME.fullmatch(scanning.stem(info.uri))
    if not match:
        return None
    modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
    clip = Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        speaker=actor if actor in SPEAKERS else None,
        emotion=_EMOTIONS.get(emotion),
        intensity=_INTENSITIES.get(intensity),
        statement=_STATEMENTS.get(statement),
        repetition=_REPETITIONS.get(repetition),
        channel=_CHANNELS.get(channel),
        modality=_MODALITIES.get(modality),
    )
    return clip if _valid(clip) else None


def _valid(clip: Clip) -> bool:
    if None in (*_utterance(clip), clip.modality):
        return False
    if clip.emotion == "neutral" and clip.intensity == "strong":
        return False
    if clip.channel == "song" and clip.emotion in _NOT_SUNG:
        return False
    return (kind_of(clip.uri) == "audio") == (clip.modality == "audio")


def _utterance(clip: Clip) -> tuple[str | None, ...]:
    return (
        clip.speaker,
        clip.channel,
        clip.emotion,
        clip.intensity,
        clip.statement,
        clip.repetition,
    )
