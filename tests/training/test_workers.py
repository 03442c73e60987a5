"""How trainings are spread over the machines in reach."""

from typing import Any

import pytest

from emotion_core.engine.reach import Node, Reach, reach, reported_nodes
from emotion_core.errors import UsageError
from emotion_core.training.workers import (
    Workers,
    choose_fold_workers,
    choose_workers,
    gpus_left_idle,
)


def alone(*nodes: Node) -> Reach:
    """Nodes to which none will be added."""
    return reach(nodes, nodes)


LAPTOP, LARGE = alone(Node(2)), alone(Node(64))
GPUS = alone(Node(16, 2), Node(16, 2))
AT_ZERO = reach([Node(0)], [Node(16)] * 16 + [Node(8, 1)] * 2)
UNTOLD = reach([Node(1)], None)


@pytest.mark.parametrize(
    ("wanted", "where", "workers"),
    [
        (None, LAPTOP, Workers(1, False, 2)),
        (2, LAPTOP, Workers(2, False, 1)),
        (None, LARGE, Workers(1, False, 4)),
        (None, GPUS, Workers(4, True, 4)),
        (8, GPUS, Workers(8, False, 4)),
        (None, AT_ZERO, Workers(2, True, 4)),  # what the autoscaler may bring counts
        (1, AT_ZERO, Workers(1, True, 4)),
        (3, AT_ZERO, Workers(3, False, 4)),
        (4, UNTOLD, Workers(4, False, 1)),  # who knows what may come
        # no worker spans nodes: small GPU nodes beside large CPU nodes decide
        (None, reach([Node(64)], [Node(64)] + [Node(2, 1)] * 4), Workers(4, True, 2)),
        # a worker takes a CPU, so that not all of these GPUs can be used
        (None, alone(Node(4, 8)), Workers(4, True, 1)),
        (None, reach([Node(0)], [Node(16)] * 2), Workers(1, False, 4)),
    ],
)
def test_choice_of_workers(wanted: int | None, where: Reach, workers: Workers) -> None:
    assert choose_workers(wanted, where) == workers


def test_a_pool_without_a_limit_is_not_waited_for_as_a_whole() -> None:
    assert choose_workers(None, reach([], reported_nodes([({"CPU": 8, "GPU": 1}, -1)]))).count == 8


def test_gpus_that_stay_idle_are_told() -> None:
    one_gpu = alone(Node(16, 1))
    assert gpus_left_idle(choose_workers(4, one_gpu), one_gpu) == (
        "4 workers train on CPUs, for there are 1 GPU(s) in reach: --num-workers 1 would use them"
    )
    assert gpus_left_idle(choose_workers(None, one_gpu), one_gpu) == ""
    assert gpus_left_idle(choose_workers(2, LAPTOP), LAPTOP) == ""


def test_more_workers_than_can_ever_be() -> None:
    with pytest.raises(UsageError, match="--num-workers 4: there are only 2 CPUs here"):
        choose_workers(4, LAPTOP)
    with pytest.raises(UsageError, match="--num-workers 300: there are only 272 CPUs here"):
        choose_workers(300, AT_ZERO)


@pytest.mark.parametrize(
    ("wanted", "at_once", "folds", "where", "chosen"),
    [
        (None, None, 5, LAPTOP, (Workers(1, False, 1), 2)),
        (2, None, 5, LAPTOP, (Workers(2, False, 1), 1)),
        (None, None, 5, alone(Node(16)), (Workers(1, False, 3), 5)),
        (None, 1, 5, alone(Node(16)), (Workers(1, False, 4), 1)),
        (None, None, 6, alone(Node(32, 4)), (Workers(1, True, 4), 4)),
        (2, None, 6, alone(Node(32, 4)), (Workers(2, True, 4), 2)),
        (None, 4, 5, UNTOLD, (Workers(1, False, 1), 4)),
        (None, None, 6, AT_ZERO, (Workers(1, True, 4), 2)),
    ],
)
def test_as_many_folds_at_once_as_fit(
    wanted: int | None, at_once: int | None, folds: int, where: Reach, chosen: Any
) -> None:
    assert choose_fold_workers(wanted, at_once, folds, where) == chosen


def test_more_folds_than_fit() -> None:
    with pytest.raises(UsageError, match="--folds-at-once 3: there is room for 2 here"):
        choose_fold_workers(None, 3, 5, LAPTOP)
    with pytest.raises(UsageError, match="--num-workers 3: there are only 2 CPUs"):
        choose_fold_workers(3, None, 5, LAPTOP)
