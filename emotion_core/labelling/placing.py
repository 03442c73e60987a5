"""Where labelling runs: how many workers, and how many servers that hold the models for them."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from emotion_core.engine.gpu import check_torch_gpu
from emotion_core.engine.needs import DeclaredStep, Needs
from emotion_core.engine.plan import Group, plan
from emotion_core.engine.reach import Node, Reach, count_cpus
from emotion_core.engine.served import Servers, servers
from emotion_core.labelling.ensemble import Ensemble
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.served import ModelServer, stand_ins
from emotion_core.labelling.step import GPU_SHARE, NEEDS, LabelStep, label_step

# What servers compute on.
DEVICE = "cuda"
# CPUs that a server keeps busy: it scales pictures for the detector.
_SERVER_CPUS = 0.5
# A server answers this many workers at least, or most of the machines would be servers'.
_LEAST_WORKERS = 4


def count_servers(reach: Reach, inputs: int) -> int:
    """How many servers share the GPUs in reach: none without a GPU, or for a single CPU.

    Args:
        reach: the machines.
        inputs: to be labelled.
    """
    cpus = count_cpus(reach.nodes)
    if not reach.gpus or cpus < 2:
        return 0
    workers = min(cpus, inputs)
    return min(int(reach.gpus / GPU_SHARE), max(1, workers // _LEAST_WORKERS))


def plan_group(
    how: Labelling, reach: Reach, inputs: int, model_bytes: int = 0, more_bytes: int = 0
) -> Group:
    """The one step: as many videos are worked on at once as there is room for its workers.

    Where servers hold the models, workers take every CPU that those leave, on whatever node.

    Args:
        how: pickled into each worker.
        reach: the machines.
        inputs: to be labelled.
        model_bytes: what speech encoders and other people's models hold where models are.
        more_bytes: what every worker holds beyond the usual.
    """
    how = replace(how)  # without the models, which are loaded where they are needed
    number = count_servers(reach, inputs)
    if not number:
        (group,) = plan([label_step(how.step, model_bytes + more_bytes)], reach)
        return group
    server = Needs(_SERVER_CPUS, GPU_SHARE, NEEDS.memory_bytes + model_bytes)
    left = Reach(
        _beside(reach.now, server, number / reach.gpus),
        None if reach.most is None else _beside(reach.most, server, number / reach.gpus),
    )
    (group,) = plan([DeclaredStep(label_step(how.step, more_bytes).on_cpu)], left)
    return replace(group, servers=(server,) * number)


def _beside(nodes: Sequence[Node], server: Needs, for_each_gpu: float) -> tuple[Node, ...]:
    """What nodes have left for workers beside so many servers for each of their GPUs."""
    found = []
    for node in nodes:
        count = math.ceil(node.gpus * for_each_gpu)
        cpus = node.cpus - math.ceil(count * server.cpus)
        # 0 would mean that nobody knows how much there is
        memory = max(1, node.memory_bytes - count * server.memory_bytes)
        found.append(Node(max(0, cpus), 0, memory if node.memory_bytes else 0))
    return tuple(found)


@contextmanager
def placed(
    how: Labelling, reach: Reach, inputs: int, model_bytes: int = 0, more_bytes: int = 0
) -> Iterator[Group]:
    """``plan_group``, with its servers, if there are to be any, as long as the block lasts."""
    group = plan_group(how, reach, inputs, model_bytes, more_bytes)
    if not group.servers:
        yield group
        return
    with servers(partial(model_server, how, DEVICE), len(group.servers), GPU_SHARE) as running:
        yield replace(group, factories=(partial(_step_at, how, running),))


def model_server(how: Labelling, device: str) -> ModelServer:
    """What a server holds: models and detector for workers that have none.

    Raises:
        UsageError: they cannot be had, or ``device`` is ``cuda`` and cannot be used.
    """
    if device == "cuda":
        check_torch_gpu()
    members, detector = how.loaded(device)
    return ModelServer(Ensemble(members).models, detector, whole=device != "cpu")


def _step_at(how: Labelling, running: Servers) -> LabelStep:
    return how.step_with(*stand_ins(running.caller()))
