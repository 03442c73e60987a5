"""``jobs/label.py`` killed at random moments and repeated: nothing is lost, or done twice."""

import json
import os
import re
import signal
import subprocess
import time
import uuid
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emotion_core.storage.parts import read_parts
from tests.labelling.test_job import rows
from tests.support.cluster import MARK, marked_processes
from tests.support.jobs import command, environment, run_here
from tests.support.labelling import untrained
from tests.support.small_recipes import small
from tests.support.waiting import wait_for

INPUTS, SEED = 24, 4
# A run from nothing is killed this often before its first part and while parts are written, in any
# order, and at last once when the tables are complete. ``make chaos`` has many more kills.
WORKING = ("start", "start", "labelling", "labelling")
RATE = 16_000
CHANGED_NS = 1_700_000_000 * 10**9


@dataclass(frozen=True)
class Archive:
    """A folder of sound files that all seem to be of the same moment."""

    folder: Path
    contents: dict[str, bytes]

    def restore(self) -> None:
        for name, content in self.contents.items():
            self._put(self.folder / name, content)

    def spoil(self, paths: set[str]) -> None:
        """Another content, which the job cannot see without reading: a second decode would fail."""
        for path in paths:
            self._put(Path(path), bytes(len(self.contents[Path(path).name])))

    def _put(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        os.utime(path, ns=(CHANGED_NS, CHANGED_NS))


@dataclass(frozen=True)
class Timeline:
    """Seconds after its start at which an undisturbed run got somewhere."""

    first_part: float
    publishing: float
    recorded: float

    def seconds_of(self, phase: str) -> float:
        return {
            "start": self.first_part,
            "labelling": self.publishing - self.first_part,
            "publishing": self.recorded - self.publishing,
        }[phase]


@dataclass
class Trial:
    """One ``--out``, and what earlier runs have committed there."""

    job: list[str]
    out: Path
    uris: set[str]
    parts: dict[str, bytes]

    @classmethod
    def new(cls, model: Path, archive: Archive, folder: Path) -> "Trial":
        archive.restore()
        out = folder / f"out-{uuid.uuid4().hex[:8]}"
        job = command(
            "label", "--any-sound", "--videos", archive.folder, "--model", model, "--out", out
        )
        return cls(job, out, set(), {})

    def look(self, told: str) -> None:
        """After a run that told this: check what it had to do, and that nothing is lost."""
        to_label = re.search(r"(\d+) of (\d+) inputs to label", told)
        if to_label:
            assert to_label.groups() == (str(INPUTS - len(self.uris)), str(INPUTS)), told
        found = {row["uri"] for row in _rows(read_parts(str(self.out / "videos"), ["uri"]))}
        assert self.uris <= found, "a committed video is there no more"
        parts = {path.name: path.read_bytes() for path in self.out.glob("videos/*.parquet")}
        for name, content in self.parts.items():
            assert parts[name] == content, "a part was written again"
        self.uris, self.parts = found, parts


def _rows(table) -> list[dict]:
    return [] if table is None else table.to_pylist()


def sound(number: int) -> bytes:
    """Six seconds of a voice of its own, more or less, as 16-bit samples."""
    rng = np.random.default_rng(number)
    times = np.arange(6 * RATE) / RATE
    pitch = 110 + 15 * number
    wobble = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1, 4) * times)
    voice = sum(np.sin(2 * np.pi * pitch * k * times) / k for k in range(1, 6))
    return (8000 * wobble * voice + rng.normal(0, 100, times.size)).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("archive")
    contents = {}
    for number in range(INPUTS):
        path = folder / f"call {number:02d} #1.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(sound(number))
        contents[path.name] = path.read_bytes()
    return Archive(folder, contents)


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained(tmp_path_factory.mktemp("ears"), ("audio",), small("audio-cnn1d"))


@contextmanager
def running(job: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The job as a program; on the way out it and all that it has started get SIGKILL."""
    mark = uuid.uuid4().hex
    with log.open("wb") as output:
        process = subprocess.Popen(
            job, env=environment(**{MARK: mark}), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def nothing_left() -> bool:
        left = marked_processes(mark)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not left

    try:
        yield process
    finally:
        process.kill()
        process.wait()
        wait_for(nothing_left)


def undisturbed(trial: Trial, log: Path) -> Timeline:
    times = []
    with running(trial.job, log) as process:
        start = time.monotonic()
        for pattern in ("videos/*.parquet", "report.html", "run.json"):
            wait_for(lambda p=pattern: any(trial.out.glob(p)) or process.poll() is not None, 900)
            times.append(time.monotonic() - start)
        assert process.wait(timeout=900) == 0, log.read_text()
    trial.look(log.read_text())
    return Timeline(*times)


def killed(trial: Trial, phase: str, delay_s: float, log: Path) -> bool:
    """Start the job and kill it ``delay_s`` into a phase; False when it was done before that."""
    before = set(trial.parts)

    def in_phase() -> bool:
        if phase == "labelling":
            return {path.name for path in trial.out.glob("videos/*.parquet")} > before
        return phase == "start" or (trial.out / "report.html").exists()

    with running(trial.job, log) as process:
        wait_for(lambda: in_phase() or process.poll() is not None, 900)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=delay_s)
    told = log.read_text()
    trial.look(told)
    assert process.returncode in (0, -signal.SIGKILL), told
    return process.returncode != 0


def test_killed_once_and_repeated_it_labels_the_rest(
    ray_local: None, ears: Path, archive: Archive, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    trial = Trial.new(ears, archive, tmp_path)
    assert killed(trial, "labelling", 0.0, log), log.read_text()
    assert 0 < len(trial.uris) < INPUTS
    archive.spoil(trial.uris)

    done = run_here("label", *trial.job[2:])

    assert done.returncode == 0, done.stderr
    assert f"{INPUTS - len(trial.uris)} of {INPUTS} inputs labelled" in done.stdout
    record = json.loads((trial.out / "run.json").read_text())
    assert record["counts"] == {"inputs": INPUTS, "ok": INPUTS, "degraded": 0, "failed": 0}
    videos, _ = rows(trial.out)
    assert len(videos) == INPUTS and {row["status"] for row in videos} == {"ok"}


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_killed_at_five_random_moments_and_repeated_it_ends_as_if_it_had_not_been(
    ears: Path, archive: Archive, tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    whole = Trial.new(ears, archive, tmp_path)
    timeline = undisturbed(whole, log)
    expected = rows(whole.out)
    assert {row["status"] for row in expected[0]} == {"ok"} and len(expected[0]) == INPUTS

    def finished(trial: Trial) -> None:
        record = json.loads((trial.out / "run.json").read_text())
        assert record["counts"] == {"inputs": INPUTS, "ok": INPUTS, "degraded": 0, "failed": 0}
        assert rows(trial.out) == expected

    rng = np.random.default_rng(SEED)
    trial = Trial.new(ears, archive, tmp_path)
    for phase in (*rng.permutation(WORKING), "publishing"):
        while not killed(trial, phase, rng.uniform(0, timeline.seconds_of(phase)), log):
            finished(trial)  # before it could be killed: this kill is for a run from nothing
            trial = Trial.new(ears, archive, tmp_path)
        archive.spoil(trial.uris)
    left = INPUTS - len(trial.uris)
    undisturbed(trial, log)
    assert f"{left} of {INPUTS} inputs labelled" in log.read_text()
    finished(trial)
