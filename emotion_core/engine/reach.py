"""The machines that a job can have: those there are now, and those that may come."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emotion_core.engine.needs import Needs

# A pool without a limit of its own: enough to plan with.
_UNLIMITED = 1000


@dataclass(frozen=True)
class Node:
    """One machine.

    Attributes:
        cpus, gpus: logical ones.
        memory_bytes: what its workers may hold together; 0: not told.
    """

    cpus: int
    gpus: int = 0
    memory_bytes: int = 0

    def room(self, needs: Needs) -> int:
        """Workers with these needs that fit on it. A GPU is shared by whole workers only."""
        most = [_times(self.cpus, needs.cpus)]
        if needs.gpus >= 1:
            most.append(_times(self.gpus, needs.gpus))
        elif needs.gpus:
            most.append(self.gpus * _times(1, needs.gpus))
        if needs.memory_bytes and self.memory_bytes:
            # a machine that is short of memory still gets one worker, or nothing would be done
            most.append(max(1, self.memory_bytes // needs.memory_bytes))
        return min(most)


@dataclass(frozen=True)
class Reach:
    """The machines that a job may plan with.

    Attributes:
        now: those that are alive.
        most: those, and all that the autoscaler may bring; None: nobody says what may still come
            (a cluster to which machines are added by hand, or by something we cannot ask).
    """

    now: tuple[Node, ...]
    most: tuple[Node, ...] | None

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All that is known of."""
        return self.now if self.most is None else self.most

    @property
    def gpus(self) -> int:
        """GPUs, those that may come included."""
        return count_gpus(self.nodes)

    @property
    def awaited(self) -> str:
        """Words about GPUs that must come first; empty where some are there, or none can come."""
        if not self.gpus or count_gpus(self.now):
            return ""
        return f"asking the cluster for GPUs: none is there yet, {self.gpus} may come"


def count_cpus(nodes: Iterable[Node]) -> int:
    """Their CPUs together."""
    return sum(node.cpus for node in nodes)


def count_gpus(nodes: Iterable[Node]) -> int:
    """Their GPUs together."""
    return sum(node.gpus for node in nodes)


def room(nodes: Iterable[Node], needs: Needs) -> int:
    """Workers with these needs that fit on all nodes together."""
    return sum(node.room(needs) for node in nodes)


def reach(now: Sequence[Node], may_come: Sequence[Node] | None) -> Reach:
    """What there is and what may come.

    Args:
        now: nodes that are alive.
        may_come: all nodes that the autoscaler may have running, those included that it runs
            already; None: nobody says.
    """
    if may_come is None:
        return Reach(tuple(now), None)
    # by kind, or what runs already would count twice. How much memory a node has is told once it
    # runs, if at all, so it does not tell kinds apart.
    kinds = Counter(Node(node.cpus, node.gpus) for node in now)
    more = Counter(Node(node.cpus, node.gpus) for node in may_come) - kinds
    return Reach(tuple(now), (*now, *more.elements()))


def configured_nodes(config: Mapping[str, Any]) -> tuple[Node, ...]:
    """The nodes that an autoscaler with this configuration may have running beside the head.

    Where the whole cluster is bounded more tightly than its node types together, those with GPUs
    are counted first: whether there are any decides what is planned.

    Args:
        config: what ``cluster.yaml`` holds: ``max_workers``, ``head_node_type`` and
            ``available_node_types``.
    """
    types = config.get("available_node_types") or {}
    limit = int(config.get("max_workers") or 0)
    found: list[Node] = []
    for name, kind in types.items():
        if name == config.get("head_node_type"):
            continue
        resources = kind.get("resources") or {}
        node = Node(int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))
        found += [node] * min(limit, int(kind.get("max_workers", limit)))
    return _within(found, limit)


def reported_nodes(groups: Iterable[tuple[Mapping[str, float], int]]) -> tuple[Node, ...]:
    """The same from what a platform reported: resources of each node group, and its largest count.

    A negative count is one without limit.
    """
    found: list[Node] = []
    for resources, most in groups:
        node = Node(int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))
        found += [node] * (_UNLIMITED if most < 0 else most)
    return tuple(found)


def _within(nodes: list[Node], limit: int) -> tuple[Node, ...]:
    ranked = sorted(nodes, key=lambda node: (node.gpus, node.cpus), reverse=True)
    return tuple(ranked[:limit])


def _times(whole: float, part: float) -> int:
    # a hair more, or 1 / 0.1 could come out as 9
    return int(whole / part + 1e-6) if part else _UNLIMITED
