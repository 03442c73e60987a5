"""Which machines a job may plan with: those that are there, and those that are configured."""

from pathlib import Path

import pytest
import yaml

from emotion_core.engine.autoscaling import monitor_config
from emotion_core.engine.needs import Needs
from emotion_core.engine.reach import Node, configured_nodes, reach, reported_nodes

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_cluster_has_gpus_in_reach_while_none_runs() -> None:
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    assert config["available_node_types"]["gpu"]["min_workers"] == 0

    found = reach([Node(0)], configured_nodes(config))

    most = config["available_node_types"]["gpu"]["max_workers"]
    assert found.gpus == most
    assert sorted(found.nodes, key=lambda node: node.cpus) == [
        Node(0),
        *[Node(8, 1)] * most,
        *[Node(16)] * 16,
    ]
    assert found.awaited == f"asking the cluster for GPUs: none is there yet, {most} may come"


def test_nodes_that_run_already_count_once() -> None:
    configured = [Node(16)] * 4 + [Node(8, 1)] * 2
    now = [Node(0), Node(16, memory_bytes=5 << 30), Node(8, 1, 7 << 30)]

    found = reach(now, configured)

    assert len(found.nodes) == 1 + 4 + 2
    assert found.nodes[:3] == tuple(now)
    assert found.awaited == "", "a GPU is there"


def test_more_nodes_than_are_configured_are_all_there() -> None:
    assert reach([Node(16)] * 3, [Node(16)]).nodes == (Node(16),) * 3


@pytest.mark.parametrize(("may_come", "most"), [(None, None), ((), (Node(4),))])
def test_where_nobody_says_and_where_nothing_comes(
    may_come: tuple[Node, ...] | None, most: tuple[Node, ...] | None
) -> None:
    found = reach([Node(4)], may_come)

    assert (found.most, found.nodes, found.gpus) == (most, (Node(4),), 0)


def test_the_clusters_own_limit_is_kept_with_gpus_first() -> None:
    config = {
        "max_workers": 3,
        "head_node_type": "head",
        "available_node_types": {
            "head": {"resources": {"CPU": 64}},
            "cpu": {"resources": {"CPU": 16}, "max_workers": 10},
            "gpu": {"resources": {"CPU": 8, "GPU": 4}, "max_workers": 1},
            "any": {"resources": {"CPU": 2}},  # without a limit of its own it has the cluster's
        },
    }

    assert configured_nodes(config) == (Node(8, 4), Node(16), Node(16))
    assert configured_nodes({**config, "max_workers": 0}) == ()
    assert configured_nodes({}) == ()


def test_what_a_platform_reports() -> None:
    assert reported_nodes([({"CPU": 4, "GPU": 1}, 2), ({"CPU": 8}, 0)]) == (Node(4, 1),) * 2
    assert len(reported_nodes([({"CPU": 4}, -1)])) == 1000


@pytest.mark.parametrize(
    ("node", "needs", "workers"),
    [
        (Node(4), Needs(cpus=1), 4),
        (Node(4), Needs(cpus=1, gpus=0.1), 0),
        (Node(64, 3), Needs(cpus=1, gpus=0.4), 6),  # two to a GPU, not seven to three
        (Node(64, 1), Needs(cpus=1, gpus=0.1), 10),
        (Node(64, 4), Needs(cpus=1, gpus=2), 2),
        (Node(2, 8), Needs(cpus=1, gpus=1), 2),
        (Node(8, memory_bytes=3 << 30), Needs(cpus=1, memory_bytes=1 << 30), 3),
        (Node(8), Needs(cpus=1, memory_bytes=1 << 30), 8),
        (Node(0, memory_bytes=3 << 30), Needs(cpus=1, memory_bytes=1 << 30), 0),
    ],
)
def test_room(node: Node, needs: Needs, workers: int) -> None:
    assert node.room(needs) == workers


def process(folder: Path, pid: int, *words: str) -> None:
    (folder / str(pid)).mkdir(parents=True)
    line = "\0".join(("python", "-u", *words)).encode() + b"\0"
    (folder / str(pid) / "cmdline").write_bytes(line)


def test_the_monitor_of_this_cluster_says_what_it_runs_with(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.yaml", tmp_path / "theirs.yaml"
    ours.write_text("max_workers: 2")
    theirs.write_text("max_workers: 9")
    flag = "--autoscaling-config="
    process(tmp_path, 7, "monitor.py", "--gcs-address=10.0.0.1:1", f"{flag}{theirs}")
    process(tmp_path, 8, "log_monitor.py", "--gcs-address=10.0.0.1:2")
    process(tmp_path, 9, "monitor.py", "--gcs-address=10.0.0.1:2", f"{flag}{ours}")
    process(tmp_path, 11, "monitor.py", "--gcs-address=10.0.0.1:3")
    (tmp_path / "10").mkdir()  # has ended

    assert monitor_config("10.0.0.1:2", tmp_path) == "max_workers: 2"
    assert monitor_config("10.0.0.1:3", tmp_path) is None, "no autoscaler: nodes join by hand"
    assert monitor_config("10.0.0.1:4", tmp_path) is None
    assert monitor_config("10.0.0.1:2", tmp_path / "nothing") is None, "not a Linux"
