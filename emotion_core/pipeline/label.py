"""Videos to emotions: the Ray Data pipeline behind ``jobs/label.py``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import commits, storage
from emotion_core.bundle import Bundle, load_bundle
from emotion_core.errors import UsageError
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.pipeline.cluster import Resources, connect
from emotion_core.pipeline.run import CPU_SLOT, Group, Part, ShowProgress, follow, run_groups
from emotion_core.stages.label import LabelStep
from emotion_core.stages.label_rows import segment_rows, video_rows
from emotion_core.stages.windows import Windowing
from emotion_core.stages.work import ClipWork
from emotion_core.tables import segments_schema

MANIFEST_FILE = "manifest.parquet"
SEGMENTS_FOLDER = "segments"
VIDEOS_FOLDER = "videos"
MOST_VIDEOS_PER_PART = 64


@dataclass(frozen=True)
class Labelling:
    """How videos are labelled.

    Attributes:
        model: URI of the bundle.
        bundle: what it holds.
        windowing: length and hop of the windows.
        detector: as ``faces.detectors.load_detector`` takes it; it must be the one that the
            bundle's features were made with.
        timeout_s: the longest that decoding one piece of a video may take.
        gpus_per_worker: the part of a GPU that one worker takes, where there are GPUs.
    """

    model: str
    bundle: Bundle
    windowing: Windowing
    detector: str | None = None
    timeout_s: float = 120.0
    gpus_per_worker: float = 0.25

    def check(self) -> None:
        """Raises ``UsageError`` when the detector is not the one the model was trained with."""
        trained = self.bundle.info.features["detector"]
        if trained is None:
            return
        found = detector_id(self.detector_spec())
        if found["weights_hash"] != trained["weights_hash"]:
            raise UsageError(
                f"{self.model} was trained on faces found by {trained['name']} (weights "
                f"{trained['weights_hash'][:12]}), not by {found['name']} "
                f"({found['weights_hash'][:12]}): pass that one as --detector"
            )

    def detector_spec(self) -> str:
        """The detector to load: the one asked for, or the one the bundle names."""
        return self.detector or str(self.bundle.info.features["detector"]["name"])

    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers in the labels, and nothing else."""
        return {"model_id": self.bundle.model_id, "windowing": asdict(self.windowing)}


def label(
    manifest: pa.Table,
    how: Labelling,
    out: str,
    show: ShowProgress,
    retry_failed: bool = False,
) -> tuple[pa.Table, int]:
    """Label every video of the manifest: exactly one row each in ``videos/``.

    A part of ``videos/`` is the proof that its part of ``segments/`` is whole, being written after
    it: whatever a killed run left in ``segments/`` without that proof is dropped here.

    Args:
        manifest: schema ``tables.MANIFEST``.
        how: see there.
        out: URI of a folder that ``storage.start_output`` has claimed.
        show: gives the progress bar.
        retry_failed: failed videos are done again.

    Returns:
        ``videos/`` as a table, and how many videos had to be done.
    """
    storage.write_parquet(storage.join(out, MANIFEST_FILE), manifest)
    pending = _clear_up(out, manifest, retry_failed)
    if len(pending):
        follow(_parts(pending, how, out, connect()), len(pending), show)
    videos = commits.committed(storage.join(out, VIDEOS_FOLDER))
    if videos is None or sorted(videos["clip_id"].to_pylist()) != sorted(
        manifest["clip_id"].to_pylist()
    ):
        raise RuntimeError(f"{out} does not hold one row for each of {len(manifest)} videos")
    if segments_of(out) is None:  # nobody said anything: readers still find the table
        empty = segments_schema(how.bundle.label_set.labels).empty_table()
        commits.write_part(storage.join(out, SEGMENTS_FOLDER), commits.part_name([]), empty, {})
    return videos, len(pending)


def segments_of(out: str) -> pa.Table | None:
    """``segments/`` as a table, None when there is no part of it."""
    return commits.committed(storage.join(out, SEGMENTS_FOLDER))


def _clear_up(out: str, manifest: pa.Table, retry_failed: bool) -> pa.Table:
    """Drop what is outdated or unfinished; the rows of the manifest still to be done."""
    videos, segments = (storage.join(out, name) for name in (VIDEOS_FOLDER, SEGMENTS_FOLDER))
    commits.drop_stale(videos, manifest["clip_id"])
    if retry_failed:
        commits.drop_failed(videos)
    done = commits.committed(videos, ["clip_id"])
    finished = pa.array([], pa.string()) if done is None else done["clip_id"]
    commits.drop_stale(segments, finished)
    return manifest.filter(pc.invert(pc.is_in(manifest["clip_id"], value_set=finished)))


def _parts(pending: pa.Table, how: Labelling, out: str, resources: Resources) -> Iterator[Part]:
    factory = partial(_label_step, how.model, how.detector, how.windowing, how.timeout_s)
    group = Group((factory,), resources.cpus)
    if resources.gpus:
        workers = min(resources.cpus, int(resources.gpus // how.gpus_per_worker))
        group = Group((factory,), max(1, workers), CPU_SLOT, how.gpus_per_worker)
    writer = partial(_write, out, how.bundle.label_set.labels, how.bundle.model_id)
    rows_per_part = max(1, min(MOST_VIDEOS_PER_PART, len(pending) // 8))
    return run_groups(pending, [group], writer, rows_per_part)


def _label_step(
    model: str, detector: str | None, windowing: Windowing, timeout_s: float
) -> LabelStep:
    bundle = load_bundle(model)
    how = Labelling(model, bundle, windowing, detector, timeout_s)
    faces = bundle.info.features["detector"] is not None
    return LabelStep(
        bundle, load_detector(how.detector_spec()) if faces else None, windowing, timeout_s
    )


def _write(out: str, labels: tuple[str, ...], model_id: str, works: list[ClipWork]) -> str:
    videos, segments = (storage.join(out, name) for name in (VIDEOS_FOLDER, SEGMENTS_FOLDER))
    name = commits.part_name(work.clip["clip_id"] for work in works)
    metadata = {"model_id": model_id}
    found = segment_rows(works, labels, model_id)
    if len(found):
        commits.write_part(segments, name, found, metadata)
    return commits.write_part(videos, name, video_rows(works, labels), metadata)
