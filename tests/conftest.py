"""Fixtures that every test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.jobs import run_job
from tests.support.s3 import any_s3, moto_server, s3_env, s3_server

__all__ = ["any_s3", "moto_server", "s3_env", "s3_server"]


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
    done = run_job("make_demo", "--out", folder, *options)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def ray_local(monkeypatch_module: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray of this process's own, shared by the tests of a module; never another cluster."""
    import ray

    monkeypatch_module.setenv("RAY_ADDRESS", "local")
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
