"""Corpora to features: what ``jobs/preprocess.py`` runs on Ray Data."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import pyarrow as pa

from emotion_core import storage
from emotion_core.clips.work import ClipWork
from emotion_core.engine.cluster import connect
from emotion_core.engine.needs import DeclaredStep
from emotion_core.engine.patience import Patience
from emotion_core.engine.plan import plan
from emotion_core.engine.reach import Reach
from emotion_core.engine.run import Part, ShowProgress, Writer, follow, run_groups
from emotion_core.errors import UsageError
from emotion_core.faces.detectors import detector_id
from emotion_core.preprocessing.decode import decode_step
from emotion_core.preprocessing.described import describe_anew
from emotion_core.preprocessing.faces import GPU_SHARE, face_step
from emotion_core.preprocessing.rows import FEATURES_SCHEMA_VERSION, feature_rows
from emotion_core.preprocessing.sound import sound_step
from emotion_core.recipes import load_recipe
from emotion_core.recipes.options import with_options
from emotion_core.recipes.specs import Recipe
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
        gpus_per_detector: the share of a GPU that one detector takes, where GPUs are in reach.
        options: what made ``recipe`` differ from the one of its name (``recipes.options``), for
            whoever trains on the features.
    """

    recipe: Recipe
    detector: str = "centerface"
    decoder: str = "auto"
    audio_backend: str = "librosa"
    timeout_s: float = 120.0
    gpus_per_detector: float = GPU_SHARE
    options: tuple[str, ...] = ()

    def check(self) -> None:
        """Raises ``UsageError`` for a word or a number that no step would understand."""
        for option, word, known in (
            ("--decoder", self.decoder, DECODERS),
            ("--audio-backend", self.audio_backend, BACKENDS),
        ):
            if word not in known:
                raise UsageError(f"{option} {word!r}: choose one of {', '.join(known)}")
        if self.decoder == "decord" and find_spec("decord") is None:
            raise UsageError(
                "--decoder decord: the package decord is not installed here (it has no wheel for "
                "macOS on Apple silicon, nor for Linux on ARM): leave it out, PyAV decodes the same"
            )
        if not 0 < self.gpus_per_detector <= 1:
            raise UsageError(f"--gpus-per-detector {self.gpus_per_detector}: above 0, at most 1")

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
            **({"options": list(self.options)} if self.options else {}),
        }


def chosen_recipe(name: str, options: Sequence[str]) -> Recipe:
    """The recipe that ``--recipe`` and ``--option`` name, with what its encoder turns out to be.

    Raises:
        UsageError: no such recipe or option, or an encoder that cannot be had.
    """
    recipe = with_options(load_recipe(name), options)
    if recipe.audio is None or not recipe.audio.encoded:
        return recipe
    from emotion_core.sound.pretrained import resolve

    return replace(recipe, audio=resolve(recipe.audio))


def preprocess(
    manifest: pa.Table,
    how: Preprocessing,
    out: str,
    show: ShowProgress,
    retry_failed: bool = False,
    prune: bool = False,
    check: storage.Check = storage.unclaimed,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> tuple[pa.Table, int]:
    """Features of every clip of the manifest, one row each whatever happens.

    Clips that have their row already are left alone; those that changed are done again. Of all of
    them the rows say what the manifest says now: labels, speakers and votes.

    Args:
        manifest: schema ``MANIFEST``.
        how: see there.
        out: URI of a folder that ``storage.hold_output`` holds.
        show: gives the progress bar.
        retry_failed: failed clips are done again.
        prune: rows of clips that are not in the manifest are dropped.
        check: the claim's.
        patience: how long it may go on without an input that is finished.

    Returns:
        What the features say of each clip (identity and outcome, without the features themselves),
        and how many clips had to be done.

    Raises:
        UsageError: what the folder holds cannot be read, or is more than the manifest names.
        StorageError: it cannot be written, or it or the inputs no longer be read, another job
            writes there now, or no input was finished for too long.
    """
    table = Published(out, FEATURES_FOLDER)

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        write = partial(_write, table, _metadata(how), changed)
        parts = _parts(pending, how, write, connect(), patience)
        follow(parts, len(pending), show, check)
        check()

    done = table.fill(manifest, work, retry_failed, prune)
    with storage.reading_back():
        if done < len(manifest):  # what was written just now says what the manifest says
            describe_anew(storage.join(out, FEATURES_FOLDER), manifest, check)
        rows = table.rows(OUTCOME_COLUMNS)
    assert rows is not None
    return rows, done


def _parts(
    pending: pa.Table, how: Preprocessing, write: Writer, reach: Reach, patience: Patience
) -> Iterator[Part]:
    # an eighth of the job at most: a job that is killed has lost little, and the bar moves
    rows_per_part = max(1, min(MOST_ROWS_PER_PART, len(pending) // 8))
    groups = plan(declared_steps(how), reach)
    return run_groups(pending, groups, write, rows_per_part, patience=patience)


def _metadata(how: Preprocessing) -> dict[str, str]:
    return {key: str(value) for key, value in how.settings().items()}


def declared_steps(how: Preprocessing) -> list[DeclaredStep]:
    """What is done with a clip, in order, and what each step needs."""
    recipe = how.recipe
    decode = decode_step(recipe.audio, recipe.view, how.decoder, how.timeout_s)
    sound = sound_step(recipe.audio, how.audio_backend)
    if recipe.video is None:
        return [decode, sound]
    return [decode, face_step(recipe.video, how.detector, how.gpus_per_detector), sound]


def _write(
    table: Published, metadata: dict[str, str], changed: frozenset[str], works: list[ClipWork]
) -> str:
    rows = feature_rows(works).replace_schema_metadata(metadata)
    return table.write(rows, None, changed)
