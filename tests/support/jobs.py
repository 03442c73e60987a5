"""Running the jobs as their users do: as programs."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def command(job: str, *arguments: object) -> list[str]:
    """The command line of ``jobs/JOB.py``; ``make_demo`` is ``examples.demo``."""
    place = ["-m", "examples.demo"] if job == "make_demo" else [str(ROOT / "jobs" / f"{job}.py")]
    return [sys.executable, *place, *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    """This process's, with a Ray of the job's own and nothing written beside the sources."""
    return {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT), **extra}


def run_job(
    job: str, *arguments: object, timeout: float = 500, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``jobs/JOB.py`` and wait for it; output captured."""
    return subprocess.run(
        command(job, *arguments),
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
