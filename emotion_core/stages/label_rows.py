"""Labelled videos become rows of ``segments/`` and ``videos/``."""

from typing import Any

import numpy as np
import pyarrow as pa

from emotion_core.stages.rows import outcome_columns
from emotion_core.stages.work import ClipWork, Segment
from emotion_core.tables import VIDEOS, segments_schema


def video_rows(works: list[ClipWork], labels: tuple[str, ...]) -> pa.Table:
    """One row of ``tables.VIDEOS`` for every video, failed ones included."""
    return pa.Table.from_pylist([_video(work, labels) for work in works], schema=VIDEOS)


def _video(work: ClipWork, labels: tuple[str, ...]) -> dict[str, Any]:
    clip = work.clip
    return {
        **{name: clip[name] for name in ("clip_id", "uri", "size", "version")},
        **outcome_columns(work),
        "duration_s": work.duration_s,
        "decoder": work.decoder,
        "n_segments": len(work.segments),
        "n_people": work.n_people,
        "emotion": dominant(work.segments, labels),
        "seconds": round(work.seconds, 4),
    }


def dominant(segments: tuple[Segment, ...], labels: tuple[str, ...]) -> str | None:
    """The label with the largest mean probability over the segments; None without any."""
    if not segments:
        return None
    mean = np.mean([segment.probabilities for segment in segments], axis=0)
    return labels[int(mean.argmax())]


def segment_rows(works: list[ClipWork], labels: tuple[str, ...], model_id: str) -> pa.Table:
    """The segments of all videos, in order of video, time and person."""
    rows = [_segment(work, s, labels, model_id) for work in works for s in work.segments]
    return pa.Table.from_pylist(rows, schema=segments_schema(labels))


def _segment(
    work: ClipWork, segment: Segment, labels: tuple[str, ...], model_id: str
) -> dict[str, Any]:
    probabilities = [float(p) for p in segment.probabilities]
    best = int(np.argmax(segment.probabilities))
    return {
        "clip_id": work.clip["clip_id"],
        "uri": work.clip["uri"],
        "start_s": segment.start_s,
        "end_s": segment.end_s,
        "face_id": segment.face_id,
        "face_box": segment.face_box,
        "face_score": segment.face_score,
        "emotion": labels[best],
        "confidence": probabilities[best],
        **{f"p_{label}": p for label, p in zip(labels, probabilities, strict=True)},
        "modalities": list(segment.modalities),
        "model_id": model_id,
    }
