"""How a training is spread over the machines in reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from emotion_core.engine.needs import Needs
from emotion_core.engine.reach import Node, Reach, count_cpus, room
from emotion_core.errors import UsageError

# The networks here are too small for more threads.
_MOST_CPUS = 4
# Workers that nobody asked for: a pool of GPUs without a limit would be waited for as a whole.
_MOST_UNASKED = 8


@dataclass(frozen=True)
class Workers:
    """How a training is spread.

    Attributes:
        count: processes; the batch is divided over them.
        use_gpu: one GPU each.
        cpus: logical CPUs each, which is also the number of threads that torch uses there.
    """

    count: int
    use_gpu: bool = False
    cpus: int = 1


def choose_workers(wanted: int | None, reach: Reach) -> Workers:
    """A worker for each GPU in reach, eight at most, or one worker without a GPU.

    Nodes that the autoscaler may bring count like those that are there: Ray Train asks for all
    workers at once, waits for them, and the asking is what brings the nodes.

    Args:
        wanted: ``--num-workers``; None chooses.
        reach: the machines.

    Raises:
        UsageError: more workers than can ever run here.
    """
    on_gpus = room(reach.nodes, Needs(cpus=1, gpus=1))
    count = wanted if wanted is not None else max(1, min(on_gpus, _MOST_UNASKED))
    cpus = count_cpus(reach.nodes)
    if count > cpus and reach.most is not None:
        raise UsageError(f"--num-workers {count}: there are only {cpus} CPUs here, one a worker")
    use_gpu = count <= on_gpus
    return Workers(count, use_gpu, _cpus_each(count, use_gpu, reach.nodes))


def choose_fold_workers(
    wanted: int | None, at_once: int | None, folds: int, reach: Reach
) -> tuple[Workers, int]:
    """How each fold is spread, and how many folds train at the same time.

    Args:
        wanted: workers per fold; None is one.
        at_once: folds at the same time; None: as many as there are GPUs (or, without, CPUs) for.
        folds: how many there are.
        reach: the machines.

    Raises:
        UsageError: more workers than can ever run here.
    """
    one = choose_workers(wanted or 1, reach)
    place = Needs(cpus=1, gpus=int(one.use_gpu))
    fitting = max(1, room(reach.nodes, place) // one.count)
    if at_once is not None and at_once > fitting and reach.most is not None:
        raise UsageError(
            f"--folds-at-once {at_once}: there is room for {fitting} here, with {one.count} "
            f"worker(s) on {'a GPU' if one.use_gpu else 'a CPU'} each"
        )
    slots = min(folds, at_once or fitting)
    cpus = _cpus_each(slots * one.count, one.use_gpu, reach.nodes)
    return Workers(one.count, one.use_gpu, cpus), slots


def gpus_left_idle(workers: Workers, reach: Reach) -> str:
    """Words about GPUs that a training does not use; empty where it uses them, or has none."""
    on_gpus = room(reach.nodes, Needs(cpus=1, gpus=1))
    if workers.use_gpu or not on_gpus:
        return ""
    return (
        f"{workers.count} workers train on CPUs, for there are {on_gpus} GPU(s) in reach: "
        f"--num-workers {on_gpus} would use them"
    )


def _cpus_each(workers: int, use_gpu: bool, nodes: Sequence[Node]) -> int:
    """The most CPUs that each may have while all of them find a place: no worker spans nodes."""
    for cpus in range(_MOST_CPUS, 1, -1):
        if room(nodes, Needs(cpus=cpus, gpus=int(use_gpu))) >= workers:
            return cpus
    return 1
