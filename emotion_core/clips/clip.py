"""A clip: a video, a sound file or a still image, and what its corpus says of it."""

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.storage.schemas import MANIFEST

# What a clip is said to hold. ``face``: a still that already is a face crop (FER2013).
MODALITIES = ("audio-visual", "video", "audio", "image", "face")


@dataclass(frozen=True)
class Clip:
    """One row of the manifest.

    Attributes:
        uri: where it is (see ``storage`` for what an URI may be).
        size: bytes.
        version: ETag of an object store, or the modification time of a local file: whatever
            changes when the content does.
        member: the part of the file that is the clip, ``bytes=START-END`` (end exclusive), for
            corpora that are one file (``fer2013.csv``); None when the clip is the whole file.
        corpus, speaker, emotion, intensity, statement, repetition, channel, modality: as the corpus
            names them; None where it says nothing. ``emotion`` is canonical, ``speaker`` is unique
            within its corpus, ``channel`` is ``speech`` or ``song``, ``modality`` is one of
            ``MODALITIES``. ``subset`` is the corpus's own published part, if it has any
            (FER2013: ``train``, ``PublicTest``, ``PrivateTest``).
    """

    uri: str
    size: int
    version: str
    member: str | None = None
    corpus: str | None = None
    speaker: str | None = None
    emotion: str | None = None
    intensity: str | None = None
    statement: str | None = None
    repetition: str | None = None
    channel: str | None = None
    modality: str | None = None
    subset: str | None = None

    @property
    def clip_id(self) -> str:
        """Stable identity, 32 hex digits: the same file at the same place in the same version."""
        parts = (self.uri, str(self.size), self.version, self.member or "")
        # surrogateescape: a local name need not be UTF-8, and must still have an identity
        raw = "\n".join(parts).encode("utf-8", "surrogateescape")
        return hashlib.sha256(raw).hexdigest()[:32]


@dataclass(frozen=True)
class VotedClip(Clip):
    """A clip of which people were asked what emotion it shows.

    Attributes:
        votes_audio, votes_face, votes_audio_visual: see ``storage.schemas.VOTES``.
    """

    votes_audio: tuple[int, ...] | None = None
    votes_face: tuple[int, ...] | None = None
    votes_audio_visual: tuple[int, ...] | None = None


def manifest_table(clips: list[Clip]) -> pa.Table:
    """Clips as a manifest, in the given order."""
    columns = {
        # clip_id is a property, the rest are fields; votes only some clips have
        name: [getattr(clip, name, None) for clip in clips]
        for name in MANIFEST.names
    }
    return pa.table(columns, schema=MANIFEST)


def fetched(row: Mapping[str, Any]) -> AbstractContextManager[Path]:
    """A local file with the content that a row of the manifest is about (``storage.local_copy``).

    A row without ``size`` or ``version`` is taken as it is found.
    """
    return storage.local_copy(row["uri"], row["member"], row.get("size"), row.get("version"))
