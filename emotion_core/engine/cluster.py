"""Where a job runs: inside the cluster it was submitted to, or in a Ray of its own."""

import logging
from dataclasses import dataclass

import ray
from ray.data import DataContext

from emotion_core.errors import UsageError


@dataclass(frozen=True)
class Resources:
    """What the cluster offers now, over all nodes (logical CPUs and GPUs)."""

    cpus: int
    gpus: int
    nodes: int


def connect() -> Resources:
    """Join the cluster this process belongs to, or start Ray inside the process.

    No argument says which: ``ray job submit`` sets ``RAY_ADDRESS``, and ``ray.init`` without an
    address looks there first (``RAY_ADDRESS=local`` insists on a Ray of one's own).

    Raises:
        UsageError: a Ray of one's own that does not get up in time.
    """
    # What workers print stays in Ray's log files: trouble with a clip is in the clip's row, and the
    # rest (Ray's own bars and plans too) would only break the job's progress bar.
    try:
        ray.init(
            ignore_reinit_error=True,
            logging_level=logging.ERROR,
            log_to_driver=False,
            # a job shows its own progress, and the dashboard is a third of what a start costs
            include_dashboard=False,
        )
    except Exception as error:  # Ray raises no narrower one
        if "timed out during startup" not in str(error):
            raise
        raise UsageError(
            "Ray did not start within its 30 s, this machine is very busy: run the command again, "
            "it goes on where it stopped"
        ) from error
    context = DataContext.get_current()
    context.enable_progress_bars = False
    # after half an hour without a finished block Ray Data would break off; a long video on a slow
    # machine takes longer, and what hangs has time limits of its own here
    context.execution_no_progress_timeout_s = -1
    # after 30 s they tell a pipeline's author to reserve memory, in the middle of the progress bar
    # that its user looks at
    context.issue_detectors_config.detectors = []
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    found = ray.cluster_resources()
    return Resources(
        cpus=max(1, int(found.get("CPU", 1))),
        gpus=int(found.get("GPU", 0)),
        nodes=sum(1 for node in ray.nodes() if node["Alive"]),
    )
