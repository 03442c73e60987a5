"""Fixtures that every test may use."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import ray_cluster
from tests.support.jobs import run_here
from tests.support.s3 import S3Server, any_s3, moto_server, s3_env, s3_server

__all__ = ["any_s3", "moto_server", "ray_cluster", "s3_env", "s3_server"]


# On a machine that is busy with other tests a node of Ray takes longer to start than Ray waits.
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora and clips that ``EMOTION_CORPORA`` names; skips where unset."""
    folder = os.environ.get("EMOTION_CORPORA")
    if not folder:
        pytest.skip("EMOTION_CORPORA is not set: no real corpora on this machine")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo corpus (3 actors, 2 emotions, 6 clips of 1.2 s) and every kind of wild clip.

    ``corpus/Actor_XX/*.mp4`` and ``wild/*``; tests that change it work on a copy.
    """
    folder = tmp_path_factory.mktemp("demo")
    options = ("--actors", 3, "--emotions", "happy,sad", "--repetitions", 1, "--seconds", 1.2)
    done = run_here("demo", "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def demo_features(demo: Path, ray_address: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the demo corpus for the recipe ``timedist-blstm``; nobody changes them."""
    start_ray()
    out = tmp_path_factory.mktemp("demo-features")
    done = run_here("preprocess", "--corpus", f"ravdess={demo / 'corpus'}", "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def ray_local(ray_address: None) -> None:
    """A Ray of two CPUs in this process, the same for modules that ask for it one after the other.

    A module that needs another Ray here may end this one (``ray.shutdown``): the next module starts
    it anew. Its workers have the environment of the moment at which it started.
    """
    start_ray(cpus=2)


@pytest.fixture(scope="module")
def ray_one(ray_address: None) -> None:
    """The same of one CPU, so with one worker: for jobs that are over before a second one is up."""
    start_ray(cpus=1)


def start_ray(cpus: int | None = None) -> None:
    """Unless there is one, of so many CPUs where that matters."""
    import ray

    if ray.is_initialized() and cpus not in (None, ray.cluster_resources().get("CPU")):
        ray.shutdown()
    if not ray.is_initialized():
        ray.init("local", num_cpus=cpus or 2, include_dashboard=False, log_to_driver=False)


@pytest.fixture(scope="module")
def ray_with_s3(ray_address: None, s3_server: S3Server) -> Iterator[S3Server]:
    """A Ray whose workers reach the S3 server, as this process does; it ends with the module."""
    import ray

    ray.shutdown()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3_server.env.items():
            patch.setenv(name, value)
        start_ray()
        yield s3_server
        ray.shutdown()


@pytest.fixture(scope="module")
def ray_with_a_made_up_gpu() -> Iterator[None]:
    """A Ray of three CPUs that takes itself to have a GPU."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "local")
        ray.shutdown()  # the Ray of other modules; the next one of them starts it anew
        ray.init("local", num_cpus=3, num_gpus=1, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def trains_here() -> Iterator[None]:
    """Trainings take this process for their worker: those of Ray Train take seconds to start."""
    from emotion_core.training import refit, run
    from emotion_core.training.loop import Training

    one_at_a_time = threading.Lock()  # a training seeds torch, and folds are trained in threads

    def train(plan, train_side, validation_side, out, workers, show):
        with one_at_a_time:
            training = Training(plan, train_side, validation_side)
            return training.run(lambda state: show(state.history[-1]))

    with pytest.MonkeyPatch.context() as patch:
        for module in (run, refit):
            patch.setattr(module, "train", train)
        yield


@pytest.fixture(scope="session")
def ray_address() -> Iterator[None]:
    """Jobs of this process join its own Ray, never another cluster; it ends with the session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", "local")
        yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The time by folder; what a fixture took counts where it was made first."""
    seconds: Counter[str] = Counter()
    tests: Counter[str] = Counter()
    for report in sum(terminalreporter.stats.values(), []):
        if isinstance(report, pytest.TestReport):
            folder = str(Path(report.location[0]).parent)
            seconds[folder] += report.duration
            tests[folder] += report.when == "call"
    if not tests:
        return
    terminalreporter.section("time by folder")
    for folder, total in seconds.most_common():
        terminalreporter.write_line(f"{total:7.1f} s {tests[folder]:5d} tests  {folder}")
    terminalreporter.write_line(f"{seconds.total():7.1f} s {tests.total():5d} tests  in all")
