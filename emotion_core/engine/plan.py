"""Which steps share a worker, and how many workers there are, from what the steps need."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby

from emotion_core.engine.adapter import StepFactory
from emotion_core.engine.needs import DeclaredStep, Needs, Variant
from emotion_core.engine.reach import Node, Reach, count_cpus, room


@dataclass(frozen=True)
class Group:
    """Steps that share one worker process: one operator of Ray Data.

    Attributes:
        factories: what makes the steps, inside the worker.
        needs: what one worker takes.
        workers: how many to start with, at least one. What is not there yet is asked for.
        most: how many there may be when all nodes have come; None: nobody says, so as many as the
            cluster will hold.
        servers: what each of the servers takes that they ask (``served``).
    """

    factories: tuple[StepFactory, ...]
    needs: Needs
    workers: int
    most: int | None = None
    servers: tuple[Needs, ...] = ()


def plan(steps: Sequence[DeclaredStep], reach: Reach) -> list[Group]:
    """The steps as groups.

    With no GPU in reach, or no use for one, all steps share a worker: several operators of one CPU
    each reach half the speed of one on a small machine. With GPUs, steps on a GPU are operators of
    their own, so that CPUs work for them without holding them; neighbours of a kind stay together,
    as far as one GPU goes. Where there are not CPUs enough for that, all steps share a worker.

    Each group starts with what the cluster has now, Ray Data adds workers as nodes come. A group
    of which nothing fits yet starts with one worker, whose waiting is what tells the autoscaler.

    Args:
        steps: in the order in which clips go through them.
        reach: the machines.
    """
    on_gpu = reach.gpus > 0
    variants = [step.on_gpu if on_gpu and step.on_gpu else step.on_cpu for step in steps]
    runs = [
        part for _, run in groupby(variants, lambda v: v.needs.gpus > 0) for part in _split(run)
    ]
    if sum(_together(run).cpus for run in runs) > count_cpus(reach.nodes):
        runs = [variants]  # one CPU and a GPU: operators would wait for each other for ever
    needs = [_together(run) for run in runs]
    sizes = _sizes(needs, reach.now)
    return [
        Group(
            tuple(variant.factory for variant in run),
            need,
            workers,
            None if reach.most is None else max(workers, room(reach.most, need)),
        )
        for run, need, workers in zip(runs, needs, sizes, strict=True)
    ]


def _split(run: Iterable[Variant]) -> list[list[Variant]]:
    """Neighbours that share a worker: together they take one GPU at most."""
    found: list[list[Variant]] = [[]]
    for variant in run:
        if found[-1] and _together([*found[-1], variant]).gpus > 1:
            found.append([])
        found[-1].append(variant)
    return found


def _together(run: Sequence[Variant]) -> Needs:
    return reduce(Needs.beside, (variant.needs for variant in run))


def _sizes(needs: Sequence[Needs], nodes: Sequence[Node]) -> list[int]:
    """Workers of each group to start with.

    The first group decodes, which is most of the work, so it gets the CPUs that are left when
    groups on GPUs have filled those (with half of the CPUs at most) and every other has its one.
    """
    cpus = count_cpus(nodes)
    sizes = [1] * len(needs)
    left = float(cpus - sum(need.cpus for need in needs))
    for place, need in enumerate(needs):
        if need.gpus:
            fitting = room(nodes, need)
            affordable = int(max(0.0, left) / 2 / need.cpus) if len(needs) > 1 else fitting
            sizes[place] = max(1, min(fitting, 1 + affordable))
            left -= (sizes[place] - 1) * need.cpus
    first = needs[0]
    if not first.gpus:
        sizes[0] += int(max(0.0, left) / first.cpus)
        sizes[0] = max(1, min(sizes[0], room(nodes, first)))
    return sizes
