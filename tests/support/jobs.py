"""Running the jobs as their users do: as programs, or with the same words in this process."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path

import pytest

from emotion_core import cli

ROOT = Path(__file__).resolve().parents[2]

Done = subprocess.CompletedProcess[str]


def command(job: str, *arguments: object) -> list[str]:
    """The command line of ``jobs/JOB.py``; ``demo`` is ``examples.demo``."""
    place = ["-m", "examples.demo"] if job == "demo" else [str(ROOT / "jobs" / f"{job}.py")]
    return [sys.executable, *place, *map(str, arguments)]


def environment(**extra: str) -> dict[str, str]:
    """This process's, with a Ray of the job's own and nothing written beside the sources."""
    return {**os.environ, "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT), **extra}


def run_job(job: str, *arguments: object, timeout: float = 500, **env: str) -> Done:
    """Run ``jobs/JOB.py`` and wait for it; output captured."""
    return subprocess.run(
        command(job, *arguments),
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def run_here(job: str, *arguments: object, **env: str) -> Done:
    """The same command line in this process: no interpreter, no imports and no Ray of its own.

    A job that needs Ray takes the one that ``ray_local`` or ``ray_one`` has started. Its workers
    have the environment that they were started with: ``env`` is this process's only.
    """
    main = import_module("examples.demo.__main__" if job == "demo" else f"jobs.{job}").main
    words = [f"{job}.py", *map(str, arguments)]
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", words)
        settings = {"COLUMNS": "80", **env}
        for name, value in settings.items():
            patch.setenv(name, value)
        # a console keeps the COLUMNS that it was made with, and pytest-xdist sets some
        patch.setattr(cli.console, "width", int(settings["COLUMNS"]))
        _forget_servers()
        with pytest.raises(SystemExit) as end:
            cli.run(main)
        if job != "demo" and "--out" in words:
            _check_files(words[words.index("--out") + 1])
    _forget_servers()
    return Done(words, int(end.value.code or 0), out.getvalue(), err.getvalue())


def _check_files(out: str) -> None:
    """A job writes nothing that ``--overwrite`` would not remove again."""
    from emotion_core.storage.outputs import made_and_foreign

    if os.path.exists(os.path.join(out, "run.json")):
        assert made_and_foreign(out)[1] == [], "missing in storage.outputs.MADE"


def _forget_servers() -> None:
    """A filesystem keeps the settings it was made with: the next one reads the environment."""
    if "s3fs" in sys.modules:
        sys.modules["s3fs"].S3FileSystem.clear_instance_cache()
