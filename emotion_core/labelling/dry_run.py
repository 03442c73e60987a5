"""How long labelling would take, told from a few of the inputs."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.engine.cluster import connect
from emotion_core.errors import ClipError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.placing import plan_group
from emotion_core.labelling.report.forecast import Forecast, Kind
from emotion_core.labelling.step import LabelStep
from emotion_core.media.suffixes import kind_of
from emotion_core.media.types import DecodePlan
from emotion_core.storage.parts import keeping
from emotion_core.storage.uris import is_local

# Inputs of each kind that are tried: of a quarter, a half and three quarters of the sizes.
_PLACES = (0.25, 0.5, 0.75)
_TRIAL_S = 8.0  # for each of them
_LARGEST_COPY = 256 << 20  # no more is fetched for a trial
_STARTUP_S = 12.0  # Ray, models and decoders
_MISSING = (storage.GONE, storage.UNREADABLE)


@dataclass(frozen=True)
class _Trial:
    """What one input told: its size, its length and the work that it takes, seconds."""

    size: int
    media_s: float
    work_s: float


def forecast(
    manifest: pa.Table, how: Labelling, out: str, fresh: bool, retry: bool, prune: bool
) -> Forecast:
    """What ``labelling.job.label`` would do, without writing anything.

    A few inputs of each kind are labelled, for eight seconds each at most, and what they take for
    their bytes is taken for the rest: right to a factor of two where inputs of a kind are alike.

    Args:
        manifest: schema ``MANIFEST``.
        how: see there.
        out: URI of a folder, which need not exist.
        fresh: count what is done there as not done.
        retry: failed inputs would be done again.
        prune: rows of inputs that are not in the manifest would go.

    Raises:
        UsageError: they would, and nobody asked for it.
    """
    pending = manifest
    if not fresh:
        published = how.tables(out).published
        held = published.index()
        kept = keeping(held, manifest)
        published.refuse_narrowing(held, kept, prune)
        pending, _ = published.pending(held, kept, retry)
    group = plan_group(how, connect(), len(pending))
    workers = group.most or group.workers
    open_ids = set(pending["clip_id"].to_pylist())
    inputs = manifest.select(["clip_id", "uri", "size", "version"]).to_pylist()
    kinds = defaultdict(list)
    for row in inputs:
        missing = row["version"] if row["version"] in _MISSING else None
        kinds[missing or kind_of(row["uri"]) or "other"].append(row)
    left = {kind: [r for r in rows if r["clip_id"] in open_ids] for kind, rows in kinds.items()}
    trials = _try(left, how) if open_ids else {}
    work_s, media_s = _scaled(trials, left)
    return Forecast(
        kinds={
            kind: Kind(len(rows), _size(rows), len(left[kind]), _size(left[kind]))
            for kind, rows in sorted(kinds.items())
        },
        sampled=sum(len(done) for done in trials.values()),
        media_s=media_s if trials else None,
        seconds=_STARTUP_S + work_s / workers if trials else None,
        workers=workers,
    )


def _try(left: dict[str, list[dict[str, Any]]], how: Labelling) -> dict[str, list[_Trial]]:
    step = replace(how, limits=replace(how.limits, video_s=_TRIAL_S)).step()
    chosen = {kind: _choose(rows) for kind, rows in left.items() if kind not in _MISSING}
    first = next((row for rows in chosen.values() for row in rows), None)
    if first is not None:
        _trial(first, step)  # starts the decoder and loads libraries: its time says nothing
    done = {kind: [_trial(row, step) for row in rows] for kind, rows in chosen.items()}
    step.decoder.close()
    return {kind: trials for kind, trials in done.items() if trials}


def _choose(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    ours = sorted(
        (row for row in rows if is_local(row["uri"]) or row["size"] <= _LARGEST_COPY),
        key=lambda row: (row["size"], row["uri"]),
    )
    places = {int(place * len(ours)) for place in _PLACES} if ours else ()
    return [ours[place] for place in sorted(places)]


def _trial(row: dict[str, Any], step: LabelStep) -> _Trial:
    clip = {"clip_id": row["clip_id"], "member": None}  # of any version: nothing is written
    try:
        with storage.local_copy(row["uri"]) as path:
            headers = list(step.decoder.stream(str(path), DecodePlan(None, None), 4.0))
            length_s = headers[0].info.duration_s
            (done,) = step([ClipWork({**clip, "uri": storage.absolute(str(path))})])
    except ClipError:
        return _Trial(row["size"], 0.0, 0.0)
    reached_s = done.duration_s or 0.0
    # a trial that ran out of time did a share of the work
    share = reached_s / length_s if "timeout" in done.outcome.reasons and length_s else 1.0
    return _Trial(row["size"], length_s, done.seconds / max(share, 0.01))


def _scaled(
    trials: dict[str, list[_Trial]], left: dict[str, list[dict[str, Any]]]
) -> tuple[float, float]:
    """Seconds of work and of media for all that is left, by the bytes of each kind."""
    work_s = media_s = 0.0
    for kind, done in trials.items():
        factor = _size(left[kind]) / max(1, sum(trial.size for trial in done))
        work_s += factor * sum(trial.work_s for trial in done)
        media_s += factor * sum(trial.media_s for trial in done)
    return work_s, media_s


def _size(rows: Sequence[dict[str, Any]]) -> int:
    return sum(row["size"] for row in rows)
