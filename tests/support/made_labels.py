"""Labels of a few videos, made without any model: several people, names that hurt, a failure."""

from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork, Outcome, Segment
from emotion_core.labelling.tables import LabelTables

LABELS = ("happy", "sad", "angry")


def answer(emotion: int, confidence: float) -> np.ndarray:
    found = np.full(3, (1 - confidence) / 2, np.float32)
    found[emotion] = confidence
    return found


def segment(start_s: float, track: int | None, emotion: int, confidence: float = 0.8) -> Segment:
    box = None if track is None else (0.1, 0.2, 0.3, 0.4)
    return Segment(start_s, start_s + 4, track, box, None if box is None else 0.9,
                   None if box is None else start_s + 1, answer(emotion, confidence),
                   ("audio",) if track is None else ("face",),
                   speaking=None if track is None else -0.25)  # fmt: skip


def work(uri: str, segments: tuple[Segment, ...], outcome: Outcome | None = None) -> ClipWork:
    (row,) = manifest_table([Clip(uri, 10, "v")]).to_pylist()
    given: dict[str, Any] = {} if outcome is None else {"outcome": outcome}
    return ClipWork(row).with_(segments=segments, n_tracks=2, duration_s=8.0, speech_s=5.5, **given)


TWO = (
    segment(0, 0, 0), segment(2, 0, 0, 0.6), segment(4, 0, 1),
    segment(0, 1, 2, 0.4), segment(0, None, 1), segment(2, None, 1),
)  # fmt: skip
WORKS = (
    work("/archive/one/session.mp4", TWO),
    work("/archive/two/Session.mov", (segment(0, 0, 0),)),
    work("/archive/=cmd|calc!A0.mp4", (segment(0, 0, 0),)),
    work("/archive/-2+WEBSERVICE(B1).mp4", (segment(0, 0, 0),)),
    work("/archive/Größe: \"α\", 1;2.wav", (segment(0, None, 2),)),
    work("/archive/broken.mp4", (), Outcome().fail("decode", "unreadable", "unreadable: x")),
)  # fmt: skip


def write_labels(out: Path) -> str:
    """``WORKS`` in two parts, as ``label`` publishes them; gives the folder."""
    tables = LabelTables(str(out), LABELS, "model", min_confidence=0.5)
    tables.write(list(WORKS[:2]))
    tables.write(list(WORKS[2:]))
    return str(out)
