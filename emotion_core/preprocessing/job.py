"""Corpora to features: the Ray Data pipeline behind ``jobs/preprocess.py``."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.engine.cluster import connect
from emotion_core.engine.needs import DeclaredStep
from emotion_core.engine.plan import plan
from emotion_core.engine.reach import Reach
from emotion_core.engine.run import Part, ShowProgress, Writer, follow, run_groups
from emotion_core.errors import UsageError
from emotion_core.faces.detectors import detector_id
from emotion_core.preprocessing.decode import decode_step
from emotion_core.preprocessing.faces import GPU_SHARE, face_step
from emotion_core.preprocessing.rows import feature_rows
from emotion_core.preprocessing.sound import sound_step
from emotion_core.recipes.specs import Recipe
from emotion_core.sound.backends import BACKENDS
from emotion_core.storage import commits
from emotion_core.storage.schemas import MANIFEST

DECODERS = ("auto", "decord", "pyav")

MANIFEST_FILE = "manifest.parquet"
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
        gpus_per_detector: the part of a GPU that one detector takes, where GPUs are in reach.
    """

    recipe: Recipe
    detector: str = "centerface"
    decoder: str = "auto"
    audio_backend: str = "librosa"
    timeout_s: float = 120.0
    gpus_per_detector: float = GPU_SHARE

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
) -> tuple[pa.Table, int]:
    """Features of every clip of the manifest, one row each whatever happens.

    Clips that have their row already are left alone; rows of clips that are no longer in the
    manifest, or have changed since, are dropped.

    Args:
        manifest: schema ``tables.MANIFEST``; written to ``out`` first, and the work starts from
            what was written.
        how: see there.
        out: URI of a folder that ``storage.start_output`` has claimed.
        show: gives the progress bar.
        retry_failed: failed clips are done again.

    Returns:
        What the features say of each clip (identity and outcome, without the features themselves),
        and how many clips had to be done.

    Raises:
        UsageError: what the folder holds cannot be read.
        StorageError: it cannot be written, or no longer be read.
    """
    folder = storage.join(out, FEATURES_FOLDER)
    storage.write_parquet(storage.join(out, MANIFEST_FILE), manifest)
    manifest = storage.read_parquet(storage.join(out, MANIFEST_FILE)).cast(MANIFEST)
    storage.remove_unfinished(folder)
    commits.drop_stale(folder, manifest["clip_id"])
    if retry_failed:
        commits.drop_failed(folder)
    done = commits.committed(folder, ["clip_id"])
    pending = manifest
    if done is not None:
        known = pc.is_in(manifest["clip_id"], value_set=done["clip_id"])
        pending = manifest.filter(pc.invert(known))
    if len(pending):
        follow(_parts(pending, how, folder, connect()), len(pending), show)
    with storage.reading_back():
        rows = commits.committed(folder, OUTCOME_COLUMNS)
    if rows is None or sorted(rows["clip_id"].to_pylist()) != sorted(
        manifest["clip_id"].to_pylist()
    ):
        raise RuntimeError(f"{folder} does not hold one row for each of {len(manifest)} clips")
    return rows, len(pending)


def _parts(pending: pa.Table, how: Preprocessing, folder: str, reach: Reach) -> Iterator[Part]:
    # an eighth of the job at most: a job that is killed has lost little, and the bar moves
    rows_per_part = max(1, min(MOST_ROWS_PER_PART, len(pending) // 8))
    groups = plan(declared_steps(how), reach)
    return run_groups(pending, groups, _writer(how, folder), rows_per_part)


def _writer(how: Preprocessing, folder: str) -> Writer:
    settings = {key: str(value) for key, value in how.settings().items()}
    return partial(_write, folder, settings)


def declared_steps(how: Preprocessing) -> list[DeclaredStep]:
    """What is done with a clip, in order, and what each step needs."""
    recipe = how.recipe
    decode = decode_step(recipe.audio, recipe.video, how.decoder, how.timeout_s)
    sound = sound_step(recipe.audio, how.audio_backend)
    if recipe.video is None:
        return [decode, sound]
    return [decode, face_step(recipe.video, how.detector, how.gpus_per_detector), sound]


def _write(folder: str, settings: dict[str, str], works: list[ClipWork]) -> str:
    table = feature_rows(works)
    return commits.write_part(
        folder, commits.part_name(table["clip_id"].to_pylist()), table, settings
    )
