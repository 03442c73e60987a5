"""What the cluster's autoscaler may bring.

Ray 2.60 has no public call for it. Ray Data and Ray Train read what a platform reported to the
cluster's control service (``get_cluster_config``), but no autoscaler of open-source Ray reports
anything there: under ``ray up`` it is empty. So where it is empty this module reads the file that
the autoscaler itself runs with, whose path is on the command line of the monitor, a process of the
head node. Whatever changes in a later Ray changes here.
"""

from pathlib import Path

import ray
import yaml
from ray._private.state import state
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from emotion_core.engine.reach import Node, configured_nodes, reported_nodes

_HEAD = "node:__internal_head__"  # a resource that Ray gives to the head node only
_PROCESSES = Path("/proc")


def may_come() -> tuple[Node, ...] | None:
    """All nodes that the autoscaler may have running, beside the head.

    None where nobody says: a cluster without an autoscaler, to which nodes may be added by hand, or
    with one that does not run on the head node (KubeRay's has a container of its own).
    """
    reported = state.get_cluster_config()
    if reported is not None and reported.node_group_configs:
        return reported_nodes((g.resources, g.max_count) for g in reported.node_group_configs)
    text = _on_head()
    return None if text is None else configured_nodes(yaml.safe_load(text) or {})


def _on_head() -> str | None:
    """``monitor_config``, asked on the head node: a submitted job is there already."""
    context = ray.get_runtime_context()
    heads = [node["NodeID"] for node in ray.nodes() if node["Alive"] and _HEAD in node["Resources"]]
    if not heads or heads[0] == context.get_node_id():
        return monitor_config(context.gcs_address)
    there = NodeAffinitySchedulingStrategy(heads[0], soft=False)
    ask = ray.remote(monitor_config).options(num_cpus=0, scheduling_strategy=there)
    found: str | None = ray.get(ask.remote(context.gcs_address))
    return found


def monitor_config(gcs_address: str, processes: Path = _PROCESSES) -> str | None:
    """The configuration file of this cluster's monitor; None: it runs without, or not here.

    Args:
        gcs_address: which cluster, for one machine may be the head of several.
        processes: where the kernel lists them. Clusters are Linux; elsewhere there is none.
    """
    for file in processes.glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended, or is somebody else's
            continue
        if f"--gcs-address={gcs_address}" not in words:
            continue
        for word in words:
            flag, _, path = word.partition("=")
            if flag == "--autoscaling-config" and path:
                return Path(path).expanduser().read_text(encoding="utf-8")
    return None
