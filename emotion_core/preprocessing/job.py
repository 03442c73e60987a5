"""Corpora to features: what ``jobs/preprocess.py`` runs on Ray Data."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.engine.cluster import Resources, connect
from emotion_core.engine.run import (
    CPU_SLOT,
    Group,
    Part,
    ShowProgress,
    Writer,
    follow,
    run_groups,
)
from emotion_core.errors import UsageError
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.preprocessing.decode import DecodeStep
from emotion_core.preprocessing.faces import FaceStep
from emotion_core.preprocessing.rows import FEATURES_SCHEMA_VERSION, feature_rows
from emotion_core.preprocessing.sound import SoundStep
from emotion_core.recipes.specs import Recipe, VideoSpec
from emotion_core.sound.backends import BACKENDS
from emotion_core.storage.published import Published

DECODERS = ("auto", "decord", "pyav")

FEATURES_FOLDER = "features"
MOST_ROWS_PER_PART = 256
OUTCOME_COLUMNS = [
    "clip_id", "uri", "corpus", "status", "stage", "reasons", "error", "duration_s",
]  # fmt: skip


@dataclass(frozen=True)
class Preprocessing:
    """How features are made.

    Attributes:
        recipe: decides sound and pictures.
        detector: as ``faces.detectors.load_detector`` takes it.
        decoder: ``auto``, ``decord`` or ``pyav``.
        audio_backend: ``librosa`` or ``torchaudio``.
        timeout_s: the longest that decoding one clip may take.
        gpus_per_detector: the share of a GPU that one detector takes, where there are GPUs.
    """

    recipe: Recipe
    detector: str = "centerface"
    decoder: str = "auto"
    audio_backend: str = "librosa"
    timeout_s: float = 120.0
    gpus_per_detector: float = 0.4

    def check(self) -> None:
        """Raises ``UsageError`` for a word that no step would understand."""
        for option, word, known in (
            ("--decoder", self.decoder, DECODERS),
            ("--audio-backend", self.audio_backend, BACKENDS),
        ):
            if word not in known:
                raise UsageError(f"{option} {word!r}: choose one of {', '.join(known)}")

    def settings(self) -> dict[str, Any]:
        """Everything that decides the numbers in the features, and nothing else."""
        recipe = self.recipe
        return {
            "schema_version": FEATURES_SCHEMA_VERSION,
            "recipe": recipe.name,
            "audio": asdict(recipe.audio) if recipe.audio else None,
            "video": asdict(recipe.video) if recipe.video else None,
            "detector": detector_id(self.detector) if recipe.video else None,
            "decoder": self.decoder,
            "audio_backend": self.audio_backend if recipe.audio else None,
        }


def preprocess(
    manifest: pa.Table,
    how: Preprocessing,
    out: str,
    show: ShowProgress,
    retry_failed: bool = False,
    prune: bool = False,
    check: storage.Check = storage.unclaimed,
) -> tuple[pa.Table, int]:
    """Features of every clip of the manifest, one row each whatever happens.

    Clips that have their row already are left alone; those that changed are done again.

    Args:
        manifest: schema ``MANIFEST``.
        how: see there.
        out: URI of a folder that ``storage.hold_output`` holds.
        show: gives the progress bar.
        retry_failed: failed clips are done again.
        prune: rows of clips that are not in the manifest are dropped.
        check: the claim's.

    Returns:
        What the features say of each clip (identity and outcome, without the features themselves),
        and how many clips had to be done.

    Raises:
        UsageError: what the folder holds cannot be read, or is more than the manifest names.
        StorageError: it cannot be written, or no longer be read, or another job writes there now.
    """
    table = Published(out, FEATURES_FOLDER)

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        write = partial(_write, table, _metadata(how), changed)
        follow(_parts(pending, how, write, connect()), len(pending), show, check)
        check()

    done = table.fill(manifest, work, retry_failed, prune)
    with storage.reading_back():
        rows = table.rows(OUTCOME_COLUMNS)
    assert rows is not None
    return rows, done


def _parts(
    pending: pa.Table, how: Preprocessing, write: Writer, resources: Resources
) -> Iterator[Part]:
    # an eighth of the job at most: a job that is killed has lost little, and the bar moves
    rows_per_part = max(1, min(MOST_ROWS_PER_PART, len(pending) // 8))
    return run_groups(pending, plan_groups(how, resources), write, rows_per_part)


def _metadata(how: Preprocessing) -> dict[str, str]:
    return {key: str(value) for key, value in how.settings().items()}


def plan_groups(how: Preprocessing, resources: Resources) -> list[Group]:
    """Which steps share a worker on this cluster, and how many workers there are.

    With a GPU the steps are operators of their own, so that decoding scales without it. Without one
    they share a process: three operators on two CPUs reach half the speed of one.
    """
    recipe = how.recipe
    decode = partial(DecodeStep, recipe.audio, recipe.view, how.decoder, how.timeout_s)
    if not resources.gpus:
        sound = partial(SoundStep, recipe.audio, how.audio_backend)
        faces = (partial(_face_step, recipe.video, how.detector, "cpu"),) if recipe.video else ()
        return [Group((decode, *faces, sound), resources.cpus)]
    groups = [Group((decode,), max(1, resources.cpus - 2))]
    if recipe.video:
        detectors = int(resources.gpus // how.gpus_per_detector)
        groups.append(
            Group(
                (partial(_face_step, recipe.video, how.detector, "auto"),),
                max(1, detectors),
                cpus=CPU_SLOT / 2,
                gpus=how.gpus_per_detector,
            )
        )
    on_gpu = how.audio_backend == "torchaudio"
    sound = partial(SoundStep, recipe.audio, how.audio_backend, "auto" if on_gpu else "cpu")
    groups.append(Group((sound,), 1, cpus=CPU_SLOT / 2, gpus=0.1 if on_gpu else 0.0))
    return groups


def _face_step(video: VideoSpec, detector: str, device: str) -> FaceStep:
    return FaceStep(video, load_detector(detector, device))


def _write(
    table: Published, metadata: dict[str, str], changed: frozenset[str], works: list[ClipWork]
) -> str:
    rows = feature_rows(works).replace_schema_metadata(metadata)
    return table.write(rows, None, changed)
