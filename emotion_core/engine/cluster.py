"""Where a job runs: inside the cluster it was submitted to, or in a Ray of its own."""

import atexit
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray
from ray._private import parameter, utils, worker
from ray._private.node import Node as RayNode
from ray.data import DataContext

from emotion_core.cli import console
from emotion_core.engine.autoscaling import may_come
from emotion_core.engine.reach import Node, Reach, reach
from emotion_core.errors import UsageError
from emotion_core.text import printable


def connect() -> Reach:
    """Join the cluster this process belongs to, or start Ray inside the process.

    No argument says which: ``ray job submit`` sets ``RAY_ADDRESS``, and ``ray.init`` without an
    address looks there first, then for a cluster that ``ray start`` left on this machine
    (``RAY_ADDRESS=local`` insists on a Ray of one's own).

    Returns:
        The machines to plan with. A Ray of one's own has this one and waits for no other.

    Raises:
        UsageError: a Ray of one's own that does not get up in time, or ``RAY_ADDRESS`` is where
            jobs are handed in.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    if address.startswith(("http://", "https://")):
        raise UsageError(
            f"RAY_ADDRESS={address} takes jobs, it runs none itself: hand this one in with "
            "ray job submit --working-dir . -- python ..., or unset RAY_ADDRESS to run it here"
        )
    # What workers print stays in Ray's log files: trouble with a clip is in the clip's row, and the
    # rest (Ray's own bars and plans too) would only break the job's progress bar.
    try:
        with _printable_command_line(), _few_processes():
            ray.init(
                ignore_reinit_error=True,
                logging_level=logging.ERROR,
                log_to_driver=False,
                # a job shows its own progress, and the dashboard is a third of a start's cost
                include_dashboard=False,
            )
    except Exception as error:  # Ray raises no narrower one
        if "timed out during startup" not in str(error):
            raise
        raise UsageError(
            "Ray did not start within its 30 s, this machine is very busy: run the command again, "
            "it goes on where it stopped"
        ) from error
    # before Ray's own, which first waits half a second for what workers print
    atexit.register(ray.shutdown)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # after half an hour without a finished block Ray Data would break off; a long video on a slow
    # machine takes longer, and what hangs has time limits of its own here (see ``patience``)
    context.execution_no_progress_timeout_s = -1
    # after 30 s they tell a pipeline's author to reserve memory, in the middle of the progress bar
    # that its user looks at
    context.issue_detectors_config.detectors = []
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    now = nodes_now()
    found = reach(now, may_come() if joined() else now)
    if found.awaited:
        # the job may wait here as long as the cloud takes, so it says for what
        console.print(found.awaited)
    return found


def nodes_now() -> tuple[Node, ...]:
    """The nodes that are alive."""
    return tuple(_node(node["Resources"]) for node in ray.nodes() if node["Alive"])


@contextmanager
def _printable_command_line() -> Iterator[None]:
    """Ray 2.60 tells its head the command line as UTF-8, and fails where a name in it is not."""
    told = utils.get_entrypoint_name
    utils.get_entrypoint_name = lambda: printable(told())
    try:
        yield
    finally:
        utils.get_entrypoint_name = told


@contextmanager
def _few_processes() -> Iterator[None]:
    """A Ray of one's own, without three that Ray 2.60 starts beside it and nobody here needs.

    One would send what workers print to the job, which shows none of it; one asks a cloud for
    machines; and what is left of a dashboard that nobody asked for tells Ray's makers of its use.
    Each imports Ray, and for the last one a start waits: on two cores that is two seconds of every
    job.
    """
    rays: Any = parameter
    made, dashboard = rays.RayParams, RayNode.start_api_server
    rays.RayParams = partial(made, include_log_monitor=False, no_monitor=True)
    RayNode.start_api_server = lambda self, **_: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        rays.RayParams, RayNode.start_api_server = made, dashboard  # type: ignore[method-assign]


def joined() -> bool:
    """Whether Ray was there before this process: it looks for one in several places."""
    node: Any = worker._global_node
    if node is None:  # a Ray that is reached through a proxy (ray://) has none here
        return ray.is_initialized()
    return not node.is_head()


def _node(resources: dict[str, Any]) -> Node:
    return Node(
        int(resources.get("CPU", 0)), int(resources.get("GPU", 0)), int(resources.get("memory", 0))
    )
