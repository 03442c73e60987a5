"""Which of the servers of a cluster a worker asks."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from emotion_core.engine.served import Servers, servers

pytestmark = [pytest.mark.timeout(300), pytest.mark.cluster]


class Tells:
    """Tells on which node it is, and may die."""

    def about(self) -> str:
        return "tells"

    async def answer(self, what: str, load: Any) -> Any:
        if what == "die" and ray.get_runtime_context().get_node_id() == load:
            os._exit(1)
        return ray.get_runtime_context().get_node_id()


@pytest.fixture(scope="module")
def two_nodes(ray_address: None) -> Iterator[None]:
    """Nodes with a resource of their own each, ``here`` and ``there``."""
    ray.shutdown()  # the Ray of other modules; the next one of them starts it anew
    cluster = Cluster()
    try:
        for name in ("here", "there"):
            cluster.add_node(num_cpus=1, resources={name: 1}, include_dashboard=False)
        ray.init(cluster.address, log_to_driver=False)
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


@ray.remote(num_cpus=0.01)
def asks_where(running: Servers, times: int) -> tuple[str, set[str]]:
    """The node of whoever asks, and the nodes that answered."""
    caller = running.caller()
    while caller._coming:
        caller._look(None)
    own = ray.get_runtime_context().get_node_id()
    return own, {caller.ask("where", own) for _ in range(times)}


@ray.remote(num_cpus=0.01)
def asks_to_death(running: Servers) -> tuple[str, str, bool]:
    """The same, of a question that kills the server nearby; and whether that one answers again."""
    caller = running.caller()
    while caller._coming:
        caller._look(None)
    own = ray.get_runtime_context().get_node_id()
    answered = caller.ask("die", own)
    while caller._coming:
        caller._look(None)
    return own, answered, caller.ask("where", own) == own


def test_the_servers_of_ones_own_node_are_asked(two_nodes: None) -> None:
    with (
        servers(Tells, 1, resources={"here": 0.1}) as one,
        servers(Tells, 2, resources={"there": 0.1}) as others,
    ):
        both = Servers(one.actors + others.actors)
        asked = {
            name: ray.get(asks_where.options(resources={name: 0.1}).remote(both, 6))
            for name in ("here", "there")
        }
        far, answered = ray.get(asks_where.options(resources={"here": 0.1}).remote(others, 6))
    assert len({own for own, _ in asked.values()}) == 2
    assert all(found == {own} for own, found in asked.values())
    assert far not in answered, "nobody near: whoever there is"


def test_another_node_answers_while_ones_own_server_is_gone(two_nodes: None) -> None:
    with (
        servers(Tells, 1, resources={"here": 0.1}) as one,
        servers(Tells, 1, resources={"there": 0.1}) as other,
    ):
        both = Servers(one.actors + other.actors)
        own, answered, again = ray.get(asks_to_death.options(resources={"here": 0.1}).remote(both))
    assert answered != own, "asked again elsewhere"
    assert again, "the server nearby, started anew, is asked first again"
