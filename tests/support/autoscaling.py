"""A real Ray head whose autoscaler starts made-up nodes with a GPU, from none, on this machine.

The nodes are Ray's ``fake_multinode`` ones: processes of this machine that only say they have a
GPU. Ray's wheel lacks the example that its provider type reads, so the provider is named as an
external one, which needs no example.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.cluster import (
    MARK,
    POLL_SECONDS,
    START_SECONDS,
    RayCluster,
    _wait_for_nodes,
    bare_env,
    free_ports,
    make_token,
    ray_start,
    stop_nodes,
)
from tests.support.jobs import ROOT

# The provider knows the head by this id, and by no other name than ``ray.head.default``.
HEAD_ID = "f" * 51 + "00000"
HEAD_CPUS = 4
CONFIG = "autoscaling.yaml"
MOST_GPUS = 2


@contextmanager
def gpus_at_zero() -> Iterator[RayCluster]:
    """A head of four CPUs; up to two nodes of one CPU and one made-up GPU come when asked for.

    They go again some seconds after the last work.
    """
    # Short: Ray puts sockets below it, and their paths may have 107 bytes only.
    folder = Path(tempfile.mkdtemp(prefix="ec-", dir="/tmp"))
    mark = uuid.uuid4().hex
    starters: list[Any] = []
    try:
        yield _start(folder, mark, starters)
    finally:
        stop_nodes(starters, mark)
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, mark: str, starters: list[Any]) -> RayCluster:
    gcs, dashboard, client = free_ports(3)
    config = folder / CONFIG
    config.write_text(json.dumps(_config(f"127.0.0.1:{gcs}")))
    env = {
        **bare_env(),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(make_token(folder)),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    head = {
        "RAY_FAKE_CLUSTER": "1",
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_enable_autoscaler_v2": "1",  # as ``ray up`` has it
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        MARK: mark,
    }
    cluster = RayCluster(
        address=f"http://127.0.0.1:{dashboard}",
        env={**env, "RAY_ADDRESS": f"http://127.0.0.1:{dashboard}"},
        folder=folder,
    )
    options = ["--head", f"--port={gcs}", f"--ray-client-server-port={client}"]
    options += ["--include-dashboard=true", f"--dashboard-port={dashboard}"]
    options += [f"--temp-dir={folder / 'ray'}", f"--autoscaling-config={config}"]
    log = folder / "head.log"
    starters.append(ray_start(options, {**env, **head}, log, HEAD_CPUS))
    _wait_for_nodes(cluster, 1, starters[-1], log)
    return cluster


def _config(gcs_address: str) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(
        ("rsync_exclude", "rsync_filter", "initialization_commands", "setup_commands",
         "head_setup_commands", "worker_setup_commands", "head_start_ray_commands",
         "worker_start_ray_commands", "cluster_synced_files"), [],
    )  # fmt: skip
    return {
        **nothing,
        "cluster_name": "made-up",
        "max_workers": MOST_GPUS,
        "idle_timeout_minutes": 0.1,
        "provider": {
            "type": "external",
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": gcs_address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "head_node_type": "ray.head.default",
        "available_node_types": {
            "ray.head.default": {
                "resources": {"CPU": HEAD_CPUS},
                "node_config": {},
                "max_workers": 0,
            },
            "gpu": {
                "resources": {"CPU": 1, "GPU": 1},
                "node_config": {},
                "min_workers": 0,
                "max_workers": MOST_GPUS,
            },
        },
    }


@contextmanager
def watched(cluster: RayCluster) -> Iterator[list[dict[str, float]]]:
    """What work waits for, as the autoscaler is told, while the context lasts: each bundle once.

    The list is filled at its end.
    """
    config = (cluster.folder / CONFIG).read_text()
    address = json.loads(config)["provider"]["gcs_address"]
    command = [sys.executable, "-m", "tests.support.autoscaling", address]
    seen: list[dict[str, float]] = []
    process = subprocess.Popen(
        command, env={**cluster.env, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "watching\n"
        yield seen
    finally:
        process.terminate()
        seen += [json.loads(line) for line in process.communicate(timeout=30)[0].splitlines()]


def wait_for_zero(cluster: RayCluster) -> None:
    """Until the made-up nodes have gone: what comes next starts from none."""
    deadline = time.monotonic() + START_SECONDS
    while len(cluster.nodes()) > 1:
        assert time.monotonic() < deadline, "idle nodes stayed"
        time.sleep(POLL_SECONDS)


def _watch(gcs_address: str) -> None:
    """Print every bundle that something waits for, once."""
    from ray.autoscaler.v2.sdk import get_cluster_status

    told: set[str] = set()
    print("watching", flush=True)
    while True:
        wanted = get_cluster_status(gcs_address).resource_demands
        for demand in (*wanted.ray_task_actor_demand, *wanted.placement_group_demand):
            for each in demand.bundles_by_count:
                line = json.dumps(dict(sorted(each.bundle.items())))
                if line not in told:
                    told.add(line)
                    print(line, flush=True)
        time.sleep(POLL_SECONDS)


if __name__ == "__main__":
    _watch(sys.argv[1])
