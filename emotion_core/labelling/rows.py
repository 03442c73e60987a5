"""Labelled videos become rows of ``segments/`` and ``videos/``."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from emotion_core.clips.work import ClipWork, Segment, outcome_columns
from emotion_core.labelling.schemas import segments_schema, videos_schema
from emotion_core.recipes.emotions import DIMENSIONS


def video_rows(
    works: Sequence[ClipWork], labels: tuple[str, ...], dimensions: tuple[str, ...] = ()
) -> pa.Table:
    """One row of ``videos_schema`` for every video, failed ones included."""
    rows = [_video(work, labels, dimensions) for work in works]
    return pa.Table.from_pylist(rows, schema=videos_schema(labels, dimensions))


def _video(work: ClipWork, labels: tuple[str, ...], dimensions: tuple[str, ...]) -> dict[str, Any]:
    clip = work.clip
    return {
        **{name: clip[name] for name in ("clip_id", "uri", "size", "version")},
        **outcome_columns(work),
        "notes": list(work.notes),
        "duration_s": work.duration_s,
        "decoder": work.decoder,
        "face_provider": work.face_provider,
        "n_segments": len(work.segments),
        "n_tracks": work.n_tracks,
        "tracks": None if work.tracks is None else _tracks(work.tracks, work.segments),
        "no_face_s": work.no_face_s,
        "no_sound_s": work.no_sound_s,
        "speech_s": work.speech_s,
        "no_speech_s": work.no_speech_s,
        "labelled_s": float(sum(labelled_seconds(work.segments))),
        **emotion_columns(work.segments, labels),
        **_dimension_means(work.segments, dimensions),
        "processing_s": round(work.seconds, 4),
    }


def _tracks(
    looks: Sequence[np.ndarray | None], segments: Sequence[Segment]
) -> list[dict[str, Any]]:
    seconds = [0.0] * len(looks)
    for segment, labelled_s in zip(segments, labelled_seconds(segments), strict=True):
        if segment.track_id is not None:
            seconds[segment.track_id] += labelled_s
    return [
        {"track_id": track, "embedding": embedding, "seconds": seconds[track]}
        for track, embedding in enumerate(looks)
    ]


def emotion_columns(
    segments: Sequence[Segment], labels: Sequence[str]
) -> dict[str, str | float | None]:
    """The columns ``emotion`` and ``share_<label>`` of a video with these segments."""
    shares = emotion_shares(segments)
    return {
        "emotion": None if shares is None else labels[dominant(segments, shares)],
        **{
            f"share_{label}": None if shares is None else float(shares[place])
            for place, label in enumerate(labels)
        },
    }


def _dimension_means(
    segments: Sequence[Segment], dimensions: Sequence[str]
) -> dict[str, float | None]:
    """Over the labelled seconds of the segments that have it; pictures count alike."""
    values = [segment.dimensions for segment in segments if segment.dimensions is not None]
    if not values:
        return dict.fromkeys(dimensions)
    seconds = np.array(labelled_seconds(segments))
    columns = zip(dimensions, np.stack(values, axis=1), strict=True)
    return {name: mean_of_known(column, seconds) for name, column in columns}


def means_of_rows(segments: pa.Table) -> dict[str, float | None]:
    """Each dimension that rows of ``segments/`` have, over their labelled seconds."""
    seconds = segments["labelled_s"].to_numpy()
    return {
        name: mean_of_known(segments[name].to_numpy().astype(float), seconds)
        for name in DIMENSIONS
        if name in segments.column_names
    }


def mean_of_known(values: np.ndarray, seconds: np.ndarray) -> float | None:
    """The mean over labelled seconds of what is no NaN; None where nothing is.

    Args:
        values: float (segments,).
        seconds: ``labelled_s`` of each; where all are 0, as of pictures, they count alike.
    """
    weights = seconds if seconds.sum() else np.ones(len(seconds))
    known = ~np.isnan(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else None


def labelled_seconds(segments: Sequence[Segment]) -> list[float]:
    """Seconds that each segment alone stands for: to the start of its track's next one.

    Windows overlap; added up like this, no second of a track (or of the sound that is nobody's)
    counts twice.
    """
    labelled = [segment.end_s - segment.start_s for segment in segments]
    latest: dict[int | None, int] = {}
    for place, segment in enumerate(segments):
        before = latest.get(segment.track_id)
        if before is not None:
            until_next = segment.start_s - segments[before].start_s
            labelled[before] = min(labelled[before], until_next)
        latest[segment.track_id] = place
    return labelled


def emotion_shares(segments: Sequence[Segment]) -> np.ndarray | None:
    """The share of the labelled seconds that each label has, float64 (labels,), adding up to 1.

    Segments count with the seconds they alone stand for, those of a still picture all alike; None
    without any segment.
    """
    if not segments:
        return None
    weights = np.array(labelled_seconds(segments))
    if weights.sum() == 0:
        weights = np.ones(len(segments))
    labels = [int(np.argmax(segment.probabilities)) for segment in segments]
    sums = np.bincount(labels, weights, minlength=len(segments[0].probabilities))
    return sums / weights.sum()


def dominant(segments: Sequence[Segment], shares: np.ndarray) -> int:
    """The label with the largest share; of equal ones the one with the larger mean probability."""
    leading = np.flatnonzero(shares >= shares.max() - 1e-9)
    if len(leading) == 1:
        return int(leading[0])
    mean = np.mean([segment.probabilities for segment in segments], axis=0)
    return int(leading[mean[leading].argmax()])


def segment_rows(
    works: Sequence[ClipWork],
    labels: tuple[str, ...],
    model_id: str,
    min_confidence: float = 0.0,
    dimensions: tuple[str, ...] = (),
) -> pa.Table:
    """The segments of all videos, in order of video, time and track.

    Args:
        works: labelled.
        labels, model_id: of the model.
        min_confidence: an answer with less is ``unsure``.
        dimensions: that the models tell.
    """
    schema = segments_schema(labels, dimensions)
    found = [(work.clip, segment) for work in works for segment in work.segments]
    if not found:
        return schema.empty_table()
    segments = [segment for _, segment in found]
    answers = np.stack([segment.probabilities for segment in segments])
    best = answers.argmax(axis=1)
    confidence = answers[np.arange(len(segments)), best]
    columns: dict[str, Any] = {
        "clip_id": [clip["clip_id"] for clip, _ in found],
        "uri": [clip["uri"] for clip, _ in found],
        **{
            name: [getattr(segment, name) for segment in segments]
            for name in (
                "start_s",
                "end_s",
                "track_id",
                "face_box",
                "face_score",
                "face_time_s",
                "modalities",
                "speaking",
            )
        },
        "labelled_s": [seconds for work in works for seconds in labelled_seconds(work.segments)],
        "emotion": [labels[place] for place in best],
        "confidence": confidence,
        "unsure": confidence < min_confidence,
        "model_id": [model_id] * len(segments),
        **_probabilities("p_", labels, [segment.probabilities for segment in segments]),
        **_probabilities("audio_p_", labels, [s.audio_probabilities for s in segments]),
        **_probabilities("face_p_", labels, [s.face_probabilities for s in segments]),
        **_dimensions(segments, dimensions),
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _probabilities(
    prefix: str, labels: tuple[str, ...], answers: Sequence[np.ndarray | None]
) -> dict[str, pa.Array]:
    """One column per label, null where there is no answer."""
    missing = np.array([answer is None for answer in answers])
    nothing = np.zeros(len(labels), np.float32)
    matrix = np.stack([nothing if answer is None else answer for answer in answers])
    return {
        f"{prefix}{label}": pa.array(matrix[:, place], pa.float32(), mask=missing)
        for place, label in enumerate(labels)
    }


def _dimensions(segments: Sequence[Segment], dimensions: tuple[str, ...]) -> dict[str, pa.Array]:
    """One column per dimension, null where no model told it."""
    nothing = np.full(len(dimensions), np.nan, np.float32)
    told = [nothing if s.dimensions is None else s.dimensions for s in segments]
    matrix = np.stack(told).astype(np.float32)
    return {
        name: pa.array(matrix[:, place], pa.float32(), mask=np.isnan(matrix[:, place]))
        for place, name in enumerate(dimensions)
    }
