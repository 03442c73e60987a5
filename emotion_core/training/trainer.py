"""The only Ray Train code: workers, restarts, checkpoints in the run's folder."""

import os
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.fs
import ray
import ray.exceptions
import ray.train
import ray.train.torch
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback

from emotion_core import storage
from emotion_core.engine.cluster import joined
from emotion_core.errors import StorageError, UsageError
from emotion_core.models.dataset import FeatureSet
from emotion_core.storage.mapped import LocalCopy, Source
from emotion_core.storage.reading import bytes_of
from emotion_core.storage.uris import is_local
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan
from emotion_core.training.progress import ProgressBoard, Show, watching
from emotion_core.training.snapshot import PROGRESS, Snapshot
from emotion_core.training.workers import Workers

CHECKPOINTS = "checkpoints"
MAX_FAILURES = 3
# How often the checkpoints of a killed job are looked through while its workers remove some.
_LOOKS = 10
# how torch's NCCL says it
_NO_GPU = "no GPUs found"


def train(
    plan: TrainPlan,
    train_side: FeatureSet,
    validation_side: FeatureSet,
    out: str,
    workers: Workers,
    show: Show,
) -> Snapshot:
    """Train to the end, from the last checkpoint under ``out`` if there is one.

    Args:
        plan: what to do.
        train_side, validation_side: the clips, of the same features. Their labels and where their
            sound and pictures lie reach the workers through Ray's object store; sound and pictures
            each machine reads itself, once (``storage.mapped``).
        out: URI of the run; checkpoints go to ``out/checkpoints``. With workers on several
            machines it must be a place that all of them reach.
        workers: how to spread the work. It may differ between a stopped run and its continuation.
        show: called in this process with every ``EpochRow``, also with those of an earlier run.

    Returns:
        The last state.

    Raises:
        UsageError: fewer clips than workers, workers on a GPU that torch cannot use, or a machine
            that cannot read the features.
        StorageError: a machine has no room for its copy of the features, or the cluster is lost.
        ray.train.TrainingFailedError: the workers failed more than ``MAX_FAILURES`` times.
    """
    if len(train_side) < workers.count:
        raise UsageError(f"{len(train_side)} training clips cannot be shared by {workers.count}")
    state = last_checkpoint(out)
    if state is not None:
        for row in state.history:
            show(row)
        if state.finished:
            return state
    # Ray polls its workers at this pace, and an epoch's report waits for it: its default of two
    # seconds is longer than many an epoch
    os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.25")
    if not joined():  # a machine of one's own is not taken away with a warning before it
        os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    assert train_side.copy is not None
    with watching(show, len(state.history) if state else 0) as board:
        config = {
            "plan": ray.put(plan),
            "source": ray.put(train_side.copy.source),
            "sides": ray.put((train_side.light(), validation_side.light())),
            "resume": ray.put(state.to_files()) if state else None,
            "board": board,
            "import_paths": [path for path in sys.path if path],
        }
        trainer = _Trainer(
            _worker,
            train_loop_config=config,
            scaling_config=ray.train.ScalingConfig(
                num_workers=workers.count,
                use_gpu=workers.use_gpu,
                resources_per_worker={"CPU": workers.cpus, "GPU": int(workers.use_gpu)},
            ),
            run_config=_run_config(out),
        )
        try:
            result = trainer.fit()
        except (ray.train.TrainingFailedError, ray.exceptions.RayActorError) as error:
            if (told := _told(error, out)) is error:
                raise
            raise told from error
    files = _checkpoint_files(result.checkpoint) if result.checkpoint else {}
    return Snapshot.from_files(files)


class _Trainer(ray.train.torch.TorchTrainer):
    """Without actors that have nothing to do here: each is a process that imports Ray.

    One hands out Ray's datasets, of which there are none. The other frees the places of workers
    whose leader died, on a cluster that lives on: a Ray of one's own ends with its job. A third,
    which watches for machines that are about to be taken away, is left out by ``train``.
    """

    def _create_default_callbacks(self) -> list[Any]:
        given = super()._create_default_callbacks()  # type: ignore[misc]  # typed as the first one
        idle = (
            (DatasetsCallback,) if joined() else (DatasetsCallback, PlacementGroupCleanerCallback)
        )
        return [each for each in given if not isinstance(each, idle)]


def _told(error: Exception, out: str) -> Exception:
    """What is to be said of a training that failed: one line, or a fault of ours as it is."""
    failures: list[Exception] = [error]
    if isinstance(error, ray.train.ControllerError):
        failures = [error.controller_failure]
    elif isinstance(error, ray.train.WorkerGroupError):
        failures = list(error.worker_failures.values())
    for failure in failures:
        if isinstance(failure, (UsageError, StorageError)):
            return failure
        if isinstance(failure, ray.exceptions.RayActorError):
            line = str(failure).partition("\n")[0]
            return StorageError(f"{out}: Ray lost workers, what leads them, or its head: {line}")
    if _NO_GPU in str(error):
        return UsageError(
            "Ray gave a training worker a GPU, but torch sees none there: its node needs "
            "NVIDIA's driver 580 or newer (README, 'GPU'); on a machine of your own, "
            "CUDA_VISIBLE_DEVICES= does without"
        )
    return error


def _run_config(out: str) -> ray.train.RunConfig:
    """Each start of the command has its own folder, ``checkpoints/run-N``.

    Ray could go on in the same folder, but it would then trust a book that it rewrites in place: a
    kill at the wrong moment would make the run unreadable. The checkpoints themselves are checked
    (``Snapshot.from_files``), so the last whole one is always found.
    """
    place = storage.join(out, CHECKPOINTS)
    filesystem, path = storage.filesystem(place)
    handler = pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(filesystem))
    return ray.train.RunConfig(  # type: ignore[call-arg]  # typed as Ray Train's first version
        name=_next_run(out),
        storage_path=path,
        storage_filesystem=None if is_local(out) else handler,
        failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
        # two: the newest may be half written when everything is killed
        checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        logging_config=ray.train.LoggingConfig(log_level="ERROR"),
    )


def _next_run(out: str) -> str:
    """A name that no earlier start has, whatever was removed since."""
    numbers = (name.removeprefix("run-") for name in _runs(out))
    last = max((int(number) for number in numbers if number.isdecimal()), default=-1)
    return f"run-{last + 1:04d}"


def _runs(out: str) -> dict[str, list[str]]:
    """URIs of the files of every earlier start, by the name of its folder."""
    place = storage.absolute(storage.join(out, CHECKPOINTS))  # as a listing spells what is below
    if not storage.exists(place):
        return {}
    runs: dict[str, list[str]] = {}
    for file in storage.list_files(place):
        name = file.uri[len(place) :].strip("/").split("/")[0]
        runs.setdefault(name, []).append(file.uri)
    return runs


def last_checkpoint(out: str) -> Snapshot | None:
    """The whole checkpoint under ``out`` that got furthest, None when there is none.

    Workers outlive a job that was killed by some seconds, and go on writing and removing.
    """
    for _ in range(_LOOKS):
        try:
            return _last_checkpoint(out)
        except FileNotFoundError:
            continue  # removed since it was listed, so a later one is there
    return _last_checkpoint(out)


def _last_checkpoint(out: str) -> Snapshot | None:
    """Raises ``FileNotFoundError`` for a file that went while the others were read."""
    folders: dict[str, list[str]] = {}
    for uri in (uri for files in _runs(out).values() for uri in files):
        folders.setdefault(uri.rpartition("/")[0], []).append(uri)
    found: list[Snapshot] = []
    for folder, uris in folders.items():
        if f"{folder}/{PROGRESS}" not in uris:
            continue
        files = {uri.rpartition("/")[2]: bytes_of(uri, None, None) for uri in uris}
        try:
            found.append(Snapshot.from_files(files))
        except ValueError:
            continue  # half written: the one before it is whole
    return max(found, key=lambda state: len(state.history), default=None)


def remove_checkpoints(out: str) -> None:
    """Drop the mid-run state, once what came of it is stored."""
    storage.remove(storage.join(out, CHECKPOINTS))


def _checkpoint_files(checkpoint: ray.train.Checkpoint) -> dict[str, bytes]:
    with checkpoint.as_directory() as folder:
        return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def _worker(config: Mapping[str, Any]) -> None:
    """What every worker runs; Ray starts it anew on all of them when one dies."""
    sys.path.extend(path for path in config["import_paths"] if path not in sys.path)
    context = ray.train.get_context()
    rank, workers = context.get_world_rank(), context.get_world_size()
    checkpoint = ray.train.get_checkpoint()
    files = None
    if checkpoint is not None:  # of this run: a worker died
        files = _checkpoint_files(checkpoint)
    elif config["resume"] is not None:  # of an earlier start of the command
        files = ray.get(config["resume"])
    resume = Snapshot.from_files(files) if files else None
    with _copy_here(ray.get(config["source"])) as copy:
        train_side, validation_side = (side.over(copy) for side in ray.get(config["sides"]))
        training = Training(
            ray.get(config["plan"]),
            train_side,
            validation_side,
            rank=rank,
            workers=workers,
            device=ray.train.torch.get_device(),
        )
        training.run(_Reporter(rank, config["board"]), resume)


def _copy_here(source: Source) -> LocalCopy:
    """This machine's copy of the features, its troubles with the machine's name."""
    try:
        return LocalCopy(source)
    except (UsageError, StorageError) as error:
        raise type(error)(f"{error} (on {socket.gethostname()}, where a worker trains)") from error


class _Reporter:
    """Hands an epoch's state to Ray (worker 0 writes it) and its figures to the board."""

    def __init__(self, rank: int, board: ProgressBoard):
        self.rank, self.board = rank, board

    def __call__(self, state: Snapshot) -> None:
        metrics = {"epoch": len(state.history)}
        if self.rank != 0:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory(prefix="emotion-core-") as folder:
            for name, data in state.to_files().items():
                Path(folder, name).write_bytes(data)
            ray.train.report(metrics, ray.train.Checkpoint.from_directory(folder))
        self.board.add(state.history[-1])
