"""CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset.

Cao, Cooper, Keutmann, Gur, Nenkova and Verma 2014, doi 10.1109/TAFFC.2014.2336244. 91 actors, 48
men and 43 women, say twelve sentences in six emotions: 7,442 clips, ``1001_IEO_ANG_HI``: actor,
sentence, emotion, level. Only "It's eleven o'clock" (IEO) has levels, and only with an emotion;
``XX``, none, is everything else. Published as ``VideoFlash/*.flv`` (sound and pictures),
``AudioWAV/*.wav`` and ``AudioMP3/*.mp3``; copies are often flat, or hold ``.mp4``. Folders are not
needed: the name says it all.

What 2,443 people took each clip for is in ``finishedResponses.csv`` (``votes``). Where that lies
anywhere below the URI, each clip has its votes.
"""

import re
from dataclasses import replace

from emotion_core.clips.clip import Clip, VotedClip
from emotion_core.corpora import scanning
from emotion_core.corpora.votes import FILE, count_votes
from emotion_core.media.suffixes import AUDIO, VIDEO, kind_of
from emotion_core.recipes.emotions import canonical
from emotion_core.storage import FileInfo

NAME = "cremad"
LOOKS_FOR = "names like 1001_DFA_ANG_XX.flv (actor 1001 to 1091, sentence, emotion, level)"
SPEAKERS = tuple(str(actor) for actor in range(1001, 1092))

_NAME = re.compile(
    r"(\d{4})_(IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)_(ANG|DIS|FEA|HAP|NEU|SAD)_"
    r"(XX|LO|MD|HI)",
    re.ASCII | re.IGNORECASE,
)
_INTENSITIES = {"XX": None, "LO": "low", "MD": "medium", "HI": "high"}
# The sentence that is said at three levels.
_LEVELLED = "IEO"


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """CREMA-D clips below ``uri``, each once, with the votes that are there.

    Args:
        uri: any folder layout, or a ZIP file.
        modality: see ``corpora.scan``; CREMA-D has ``audio-visual`` and ``audio``. Of two files of
            sound the WAV is taken: the MP3 is what the listeners heard.

    Raises:
        UsageError: unreadable URI, no clip there, or a ``finishedResponses.csv`` that is none.
    """
    found = scanning.scan_names(uri, VIDEO | AUDIO, parse)
    taken = scanning.take_once(found, _utterance, modality, _is_mp3)
    return _with_votes(scanning.checked(taken, NAME, uri, LOOKS_FOR), uri)


def parse(info: FileInfo) -> Clip | None:
    """The clip that a file's name describes, None when it is no CREMA-D name."""
    match = _NAME.fullmatch(scanning.stem(info.uri))
    if not match:
        return None
    actor, sentence, emotion, level = match.group(0).upper().split("_")
    levelled = sentence == _LEVELLED and emotion != "NEU"
    if actor not in SPEAKERS or levelled == (level == "XX"):
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        speaker=actor,
        emotion=canonical(emotion),
        intensity=_INTENSITIES[level],
        statement=sentence,
        channel="speech",
        modality="audio" if kind_of(info.uri) == "audio" else "audio-visual",
    )


def _utterance(clip: Clip) -> str:
    return scanning.stem(clip.uri).upper()


def _is_mp3(clip: Clip) -> bool:
    return clip.uri.lower().endswith(".mp3")


def _with_votes(found: scanning.Scan, uri: str) -> scanning.Scan:
    place = scanning.find_beside(uri, FILE)
    if place is None:
        return found
    votes, odd = count_votes(place)
    clips: list[Clip] = [
        VotedClip(**{**vars(clip), **votes.get(_utterance(clip), {})}) for clip in found.clips
    ]
    told = {f"answers in {place} that name no emotion or no kind of query": odd} if odd else {}
    return replace(found, clips=clips, left_out={**found.left_out, **told})
