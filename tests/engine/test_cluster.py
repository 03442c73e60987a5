"""The jobs' way onto a cluster: ``ray job submit`` to two real nodes, with a token."""

import subprocess
import sys
from pathlib import Path

import pytest

from emotion_core.engine.cluster import connect
from emotion_core.errors import UsageError
from tests.support.cluster import RayCluster, bare_env, stranger_env
from tests.support.jobs import ROOT

pytestmark = pytest.mark.cluster

SCRIPT = """
import sys
from collections import Counter

import ray
import greeting

ray.init()


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
class Worker:
    def node(self):
        return ray.get_runtime_context().get_node_id(), greeting.text()


workers = [Worker.remote() for _ in range(2)]
answers = ray.get([worker.node.remote() for worker in workers], timeout=120)
nodes = Counter(node for node, _ in answers)
words = {word for _, word in answers}
alive = [node for node in ray.nodes() if node["Alive"]]
print("alive", len(alive), "used", len(nodes), *words, *sys.argv[1:])
"""


@pytest.fixture
def working_dir(tmp_path: Path) -> Path:
    """What a user submits: a script in a folder of its own, and a module beside that folder."""
    folder = tmp_path / "project"
    (folder / "jobs").mkdir(parents=True)
    (folder / "jobs" / "script.py").write_text(SCRIPT)
    (folder / "greeting.py").write_text("def text():\n    return 'hello'\n")
    return folder


def test_a_submitted_job_runs_on_both_nodes_with_the_code_it_came_with(
    ray_cluster: RayCluster, working_dir: Path
) -> None:
    done = ray_cluster.submit("python", "jobs/script.py", "--x", working_dir=working_dir)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "alive 2 used 2 hello --x" in done.stdout


def test_a_job_that_fails_fails_the_submission(ray_cluster: RayCluster, working_dir: Path) -> None:
    done = ray_cluster.submit("python", "-c", "raise SystemExit(3)", working_dir=working_dir)

    assert done.returncode == 1
    assert "failed" in (done.stdout + done.stderr).lower()


@pytest.mark.parametrize("token", [None, "f" * 64], ids=["none", "wrong"])
def test_nobody_submits_without_the_token(
    ray_cluster: RayCluster, working_dir: Path, tmp_path: Path, token: str | None
) -> None:
    env = {**stranger_env(tmp_path), "RAY_ADDRESS": ray_cluster.address}
    if token:
        env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}

    refused = ray_cluster.submit("python", "jobs/script.py", working_dir=working_dir, env=env)

    assert refused.returncode != 0
    assert "auth" in (refused.stdout + refused.stderr).lower()
    assert "alive" not in refused.stdout


def test_a_cluster_that_runs_on_this_machine_is_joined_and_planned_with(
    ray_cluster: RayCluster,
) -> None:
    """Nobody names it: Ray finds what ``ray start`` left here, and more nodes may come to it."""
    script = (
        "from emotion_core.engine.cluster import connect\n"
        "reach = connect()\n"
        "print(len(reach.now), 'now, at most', reach.most)\n"
    )
    env = {k: v for k, v in ray_cluster.env.items() if k != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**env, "RAY_TMPDIR": str(ray_cluster.folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert "2 now, at most None" in done.stdout, done.stdout + done.stderr


def test_a_ray_of_ones_own_waits_for_no_other_machine(ray_local: None) -> None:
    reach = connect()

    assert reach.most == reach.now and len(reach.now) == 1


def test_an_address_that_takes_jobs_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:8265")
    with pytest.raises(UsageError, match=r"ray job submit .* or unset RAY_ADDRESS"):
        connect()


def test_a_machine_too_busy_to_start_ray_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_slow(**kwargs: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr("ray.init", too_slow)
    with pytest.raises(UsageError, match="run the command again"):
        connect()


def test_other_failures_of_rays_start_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**kwargs: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("ray.init", broken)
    with pytest.raises(RuntimeError, match="something else"):
        connect()


_STARTS = """
from emotion_core.engine.cluster import connect
connect()
import os
from benchmarks.processes import descendants, words_of
told = [" ".join(words_of(process)) for process in descendants(os.getpid())]
print(any("raylet" in each for each in told))
print([each for each in told if "monitor" in each or "dashboard.py" in each])
import time
from types import SimpleNamespace
from ray._private import worker
worker.time = SimpleNamespace(**{**vars(time), "sleep": lambda s: print("slept", s, flush=True)})
"""


def test_a_ray_of_ones_own_starts_nothing_that_nobody_needs() -> None:
    env = {**bare_env(), "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", _STARTS], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["True", "[]"], "and nothing slept at its end"
