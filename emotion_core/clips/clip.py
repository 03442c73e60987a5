"""A clip: a video, a sound file or a still image, and what its corpus says of it."""

import hashlib
import re
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
_STRETCH = re.compile(r"t=(\d+\.\d+)(?:,(\d+\.\d+))?")


@dataclass(frozen=True)
class Clip:
    """One row of the manifest.

    Attributes:
        uri: where it is (see ``storage`` for what an URI may be).
        size: bytes.
        version: ETag of an object store, or the modification time of a local file: whatever
            changes when the content does.
        member: the part of the file that is the clip: ``bytes=START-END`` (end exclusive), for
            corpora that are one file (``fer2013.csv``); ``t=START,END`` or ``t=START``, seconds,
            for a stretch of a video or of sound (``stretch_member``); None when the clip is the
            whole file.
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

    A row without ``size`` or ``version`` is taken as it is found. Of a stretch it is the whole
    file: what lies in ``stretch_of`` is taken from it when it is decoded.
    """
    part = None if stretch_of(row["member"]) else row["member"]
    return storage.local_copy(row["uri"], part, row.get("size"), row.get("version"))


def stretch_member(start_s: float, end_s: float | None) -> str:
    """The ``member`` of a clip that is a stretch of a file, to the millisecond.

    It is written as the temporal dimension of a media fragment (W3C Media Fragments URI 1.0).

    Args:
        start_s: seconds from the start of the file, at least 0.
        end_s: its end, later than the start; None: the end of the file.
    """
    return f"t={start_s:.3f}" + ("" if end_s is None else f",{end_s:.3f}")


def stretch_of(member: str | None) -> tuple[float, float | None] | None:
    """Start and end in seconds of what ``stretch_member`` wrote; None for any other member."""
    match = _STRETCH.fullmatch(member or "")
    return None if match is None else (float(match[1]), float(match[2]) if match[2] else None)
