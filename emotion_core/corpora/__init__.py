"""Corpora: names on disk -> labelled clips. One module each; a new one is added to ``CORPORA``."""

from collections.abc import Callable

from emotion_core.corpora import (
    cremad,
    fer2013,
    folder,
    labelstudio,
    manifest,
    ravdess,
    savee,
    tess,
)
from emotion_core.corpora.scanning import CHOICES, Scan, of_channel
from emotion_core.errors import UsageError

CORPORA: dict[str, Callable[[str, str | None], Scan]] = {
    "ravdess": ravdess.scan,
    "savee": savee.scan,
    "tess": tess.scan,
    "cremad": cremad.scan,
    "fer2013": fer2013.scan,
    "folder": folder.scan,
    "labelstudio": labelstudio.scan,
    "manifest": manifest.scan,
}

__all__ = ["CORPORA", "Scan", "scan", "scan_all"]


def scan(name: str, uri: str, modality: str | None = None, channel: str = "all") -> Scan:
    """The clips of the corpus ``name`` below ``uri``.

    Args:
        name: a key of ``CORPORA``.
        uri: a folder, bucket prefix, ZIP file or single file (see ``storage``).
        modality: ``audio-visual``, ``video`` or ``audio``: take only files of this kind, where a
            corpus was published in several (RAVDESS, SAVEE, CREMA-D). The others have only one and
            ignore it. None takes each utterance once, in its richest form.
        channel: ``speech``, ``song`` or ``all`` (``scanning.of_channel``).

    Raises:
        UsageError: unknown name, modality or channel, unreadable URI, or no clip there.
    """
    if name not in CORPORA:
        raise UsageError(f"no corpus '{name}': choose one of {', '.join(CORPORA)}")
    if modality is not None and modality not in CHOICES:
        raise UsageError(f"no modality '{modality}': choose one of {', '.join(CHOICES)}")
    return of_channel(CORPORA[name](uri, modality), channel, uri)


def scan_all(specs: list[str], modality: str | None = None, channel: str = "all") -> list[Scan]:
    """One ``Scan`` for each ``NAME=URI`` of ``specs``, in their order.

    Raises:
        UsageError: as ``scan``; also a spec that is not ``NAME=URI``, no spec at all, and a file
            that two specs hold.
    """
    if not specs:
        raise UsageError(f"no corpus: give --corpus NAME=URI, NAME one of {', '.join(CORPORA)}")
    scans = []
    holder: dict[tuple[str, str | None], str] = {}
    for spec in specs:
        name, separator, uri = spec.partition("=")
        if not separator or not uri:
            raise UsageError(f"--corpus '{spec}': write NAME=URI, NAME one of {', '.join(CORPORA)}")
        found = scan(name.strip(), uri, modality, channel)
        for clip in found.clips:
            other = holder.setdefault((clip.uri, clip.member), spec)
            if other is not spec:
                raise UsageError(f"--corpus {other} and {spec} both hold {clip.uri}: give one")
        scans.append(found)
    return scans
