"""Any collection in folders named by emotion: ``<label>/<file>`` or ``<label>/<speaker>/<file>``.

At any depth. The folder that holds the file is its label, in any spelling that
``emotions.canonical`` knows, or the folder above that, and then the one between is who speaks, and
never on two sides of a split. Files in other folders are reported, not guessed; so are those below
two labels, ``happy/sad/1.wav``: a speaker called ``a`` or ``n`` reads like an emotion.
"""

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.corpora import scanning
from emotion_core.media.suffixes import MEDIA, kind_of
from emotion_core.recipes.emotions import EMOTIONS, canonical
from emotion_core.storage import FileInfo

NAME = "folder"
LOOKS_FOR = f"LABEL/FILE or LABEL/SPEAKER/FILE with labels such as {', '.join(EMOTIONS)}"


def scan(uri: str, modality: str | None = None) -> scanning.Scan:
    """Labelled clips below ``uri``: videos, sound and stills.

    Args:
        uri: a folder or a ZIP file.
        modality: ignored: each file is its own utterance.

    Raises:
        UsageError: unreadable URI, or no clip there.
    """
    root = storage.absolute(uri)
    found = scanning.scan_names(uri, MEDIA, lambda info: parse(info, root), mixed=False)
    return scanning.checked(found, NAME, uri, LOOKS_FOR)


def parse(info: FileInfo, root: str = "") -> Clip | None:
    """The clip that the file's folders label, None when they do not, or name two emotions.

    Args:
        info: the file.
        root: absolute URI; only folders below it hold speakers. The one that holds the file may
            also be ``root`` itself.
    """
    kind, below = kind_of(info.uri), scanning.folders(info.uri, root)
    emotion = canonical("".join(scanning.folders(info.uri)[-1:]))
    outer = canonical(below[-2]) if len(below) > 1 else None
    if kind is None or (emotion is None) == (outer is None):
        return None
    return Clip(
        info.uri,
        info.size,
        info.version,
        corpus=NAME,
        speaker=below[-1] if outer else None,
        emotion=emotion or outer,
        modality=scanning.MODALITIES[kind],
    )
