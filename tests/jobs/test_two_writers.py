"""The same command started twice at the same moment: one does the work, the other says why not."""

import os
import re
import signal
import subprocess
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from emotion_core import storage
from emotion_core.storage.claim_places import CLAIM
from emotion_core.storage.claims import UNCERTAIN
from tests.support.jobs import command, environment
from tests.support.labelling import untrained
from tests.support.s3 import AnyS3
from tests.support.small_recipes import small

RATE, DEADLINE_S = 16_000, 300.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("model"), ("audio",), small("audio-cnn1d"))


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(2):
        tone = np.sin(np.arange(RATE) * (0.05 + 0.01 * number)) * 9000
        with wave.open(str(folder / f"{number}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(tone.astype("<i2").tobytes())
    return folder


class Job:
    """A job that runs, and what it has told so far."""

    def __init__(self, arguments: list[str], folder: Path, name: str, env: dict[str, str]):
        self.out, self.err = folder / f"{name}.out", folder / f"{name}.err"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                arguments, env=environment(**env, PYTHONUNBUFFERED="1"), stdout=out, stderr=err
            )

    @property
    def works(self) -> bool:
        return "inputs to label" in self.out.read_text()


def both(arguments: list[str], folder: Path, **env: str) -> tuple[Job, Job]:
    """Starts the command twice; the one that did the work, and the one that did not.

    Whoever comes to work stands still until the other has ended: it cannot be too late for it.
    """
    jobs = [Job(arguments, folder, name, env) for name in ("a", "b")]
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not any(job.works for job in jobs):
            assert time.monotonic() < deadline and any(j.process.poll() is None for j in jobs)
            time.sleep(0.02)
        winner, loser = jobs if jobs[0].works else reversed(jobs)
        os.kill(winner.process.pid, signal.SIGSTOP)
        loser.process.wait(DEADLINE_S)
        os.kill(winner.process.pid, signal.SIGCONT)
        winner.process.wait(DEADLINE_S)
    finally:
        for job in jobs:
            job.process.kill()
            job.process.wait()
    return winner, loser


def appearance(winner: Job, loser: Job, out: str) -> None:
    assert winner.process.returncode == 0, winner.err.read_text()
    assert loser.process.returncode == 2, loser.err.read_text()
    told = rf"error: {re.escape(out)}: another job writes labels there \(host .* again in \d+ s\n"
    assert re.fullmatch(told, loser.err.read_text())
    assert not storage.exists(f"{out}/{CLAIM}")
    assert storage.read_json(f"{out}/run.json")["counts"]["ok"] == 2
    assert len(storage.read_parquet(f"{out}/videos", ["clip_id"])) == 2


def test_on_a_local_folder(model: Path, sounds: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    job = command("label", "--any-sound", "--videos", sounds, "--model", model, "--out", out)
    winner, loser = both(job, tmp_path)
    appearance(winner, loser, str(out))
    assert UNCERTAIN not in winner.out.read_text()


@pytest.mark.slow
def test_on_a_store(model: Path, sounds: Path, tmp_path: Path, any_s3: AnyS3) -> None:
    out = f"{any_s3.root}/labels"
    job = command("label", "--any-sound", "--videos", sounds, "--model", model, "--out", out)
    winner, loser = both(job, tmp_path, **any_s3.env)
    appearance(winner, loser, out)
    assert winner.out.read_text().count(UNCERTAIN) == (any_s3.name == "rclone")
