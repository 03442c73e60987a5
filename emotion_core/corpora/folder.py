"""Any collection in folders named by emotion: ``<label>/<file>``, at any depth.

The folder that holds the file is its label, in any spelling that ``emotions.canonical`` knows;
files in other folders are reported, not guessed.
"""

from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.media.suffixes import MEDIA, kind_of
from emotion_core.recipes.emotions import EMOTIONS, canonical
from emotion_core.storage import FileInfo

NAME = "folder"
LOOKS_FOR = f"LABEL/FILE with labels such as {', '.join(EMOTIONS)}"


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """Labelled clips below ``uri``: videos, sound and stills.

    Args:
        uri: a folder or a ZIP file.
        modality: ignored: each file is its own utterance.

    Raises:
        UsageError: unreadable URI, or no clip there.
    """
    return scanning.checked(
        scanning.scan_names(uri, MEDIA, parse, mixed=False), NAME, uri, LOOKS_FOR
    )


def parse(info: FileInfo) -> Clip | None:
    """The clip that the file's folder labels, None when that is no emotion."""
    emotion = canonical("".join(scanning.folders(info.uri)[-1:]))
    kind = kind_of(info.uri)
    if emotion is None or kind is None:
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        emotion=emotion,
        modality=scanning.MODALITIES[kind],
    )
