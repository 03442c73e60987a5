"""Object stores in bad weather: ``label`` and ``preprocess`` from bucket to bucket, on two servers.

What passes is lived through: exit code 0 and the undisturbed run's output. Keys that run out end
the job, and the same command goes on with new ones. An object that went or changed after it was
listed is its own row, and no other.
"""

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chaos.counted import Count
from chaos.trials import Faults, Run, Trial
from chaos.weather import Proxy, Weather, proxy
from emotion_core.storage.parts import read_parts
from tests.support.containers import SOUNDS
from tests.support.jobs import Done, run_here, run_job
from tests.support.labelling import untrained
from tests.support.media_clips import write_clip
from tests.support.s3 import S3Server, environment_of, serve, serve_moto
from tests.support.small_recipes import small

SERVERS = ("rclone", "moto")
JOBS = ("label", "preprocess")
# a share of the requests at which every job still gets through, with five tries of each
PASSING = ("500", "503 slow down", "reset", "reset after it was done", "stall", "truncated body")
SHARE = 0.1
LASTING = ("expired credentials", "404 after listing", "changed after listing")
CLIPS = 6
# What two places of the same files cannot share.
PLACES = ("clip_id", "uri", "version", "processing_s")

Row = dict[str, Any]


def names(count: int, seed: int) -> Sequence[str]:
    """``1:3:moto:preprocess:stall``: every kind on both servers under both jobs, in turn."""
    kinds = (*PASSING, *LASTING)
    every = [(s, j, k) for j in JOBS for s in SERVERS for k in kinds]
    chosen = (every[number % len(every)] for number in range(count))
    return [f"{seed}:{n}:{s}:{j}:{k}" for n, (s, j, k) in enumerate(chosen)]


@dataclass
class Stores:
    """The servers behind one proxy, one address for all of them.

    Attributes:
        jobs: name -> arguments, but for where it reads and writes.
        calm: what the undisturbed jobs left, by name.
    """

    servers: Mapping[str, S3Server]
    proxy: Proxy
    files: Mapping[str, bytes]
    jobs: Mapping[str, tuple[object, ...]]
    calm: dict[str, list[Row]]

    def run(self, job: str, source: str, out: str, apart: bool = False) -> Done:
        """The job; ``apart`` as a program, of which a later one sees that it is dead."""
        words = ("--videos", source) if job == "label" else ("--corpus", f"folder={source}")
        env = environment_of(self.proxy.port)
        given = (*self.jobs[job], *words, "--out", out, "--max-failed", 1)
        return run_job(job, *given, timeout=500, **env) if apart else run_here(job, *given, **env)

    def trial(self, name: str) -> Trial:
        seed, number, server, job, kind = name.split(":")
        rng = np.random.default_rng([int(seed), int(number)])
        self.proxy.upstream = int(self.servers[server].endpoint.rpartition(":")[2])
        self.proxy.weather = Weather()
        source, out = self._buckets(server)
        if job not in self.calm:
            assert self.run(job, source, out).returncode == 0
            self.calm[job] = self.rows(job, out)
            source, out = self._buckets(server)
        victim = str(rng.choice(sorted(self.files)))
        weather = self._weather(kind, rng, server, source, victim)
        self.proxy.weather = weather
        done = self.run(job, source, out, apart=kind == LASTING[0])
        self.proxy.weather = Weather()
        count = Count()
        self._judge(count, kind, done, job, source, out, victim)
        line = f"stores ({', '.join(SERVERS)}): {kind}"
        return count.trial(
            "stores", name, line, int(weather.caused > 0), {"requests hit": weather.caused}
        )

    def _buckets(self, server: str) -> tuple[str, str]:
        source, out = (f"bucket-{uuid.uuid4().hex[:12]}" for _ in range(2))
        client = self.servers[server].client()
        for bucket in (source, out):
            client.create_bucket(Bucket=bucket)
        self.servers[server].upload(source, self.files)
        return f"s3://{source}/x", f"s3://{out}/y"

    def _weather(
        self, kind: str, rng: np.random.Generator, server: str, source: str, victim: str
    ) -> Weather:
        if kind in PASSING:
            return Weather(kind, SHARE, rng=rng)
        if kind == "expired credentials":
            return Weather(kind, calm=int(rng.integers(5, 60)))
        if kind == "404 after listing":
            return Weather(kind, key=_tail(victim))
        other = next(key for key in sorted(self.files) if key != victim)
        bucket = source.split("/")[2]
        return Weather(
            kind,
            key=_tail(victim),
            before=lambda: self.servers[server].upload(bucket, {victim: self.files[other] + b"\0"}),
        )

    def _judge(
        self, count: Count, kind: str, done: Done, job: str, source: str, out: str, victim: str
    ) -> None:
        told = (done.stdout + done.stderr)[-1500:]
        count.expect("Traceback" not in told, f"a traceback: {told}")
        if kind in PASSING:
            count.expect(done.returncode == 0, f"exit code {done.returncode}: {told}")
        if kind == "expired credentials":
            errors = [line for line in done.stderr.splitlines() if "error: " in line]
            ended = done.returncode in (0, 1, 2) and (done.returncode == 0 or len(errors) == 1)
            count.expect(ended, f"exit code {done.returncode}, not one line: {told}")
        if kind in LASTING[1:]:
            count.expect(done.returncode == 0, f"exit code {done.returncode}: {told}")
            self._check_victim(count, job, out, victim)
        if kind in LASTING:
            retry = ("--retry-failed",) if kind == "404 after listing" else ()
            self.jobs = {**self.jobs, job: (*self.jobs[job], *retry)}
            again = self.run(job, source, out)
            self.jobs = {**self.jobs, job: tuple(w for w in self.jobs[job] if w not in retry)}
            count.expect(again.returncode == 0, f"again: {again.returncode}: {again.stderr}")
        rows = self.rows(job, out)
        count.all(rows, sorted(self.files), "key")
        changed = kind == "changed after listing"
        same = [row for row in rows if not (changed and row["key"] == victim)]
        calm = [row for row in self.calm[job] if not (changed and row["key"] == victim)]
        count.expect(same == calm, "another output than the undisturbed run's")

    def _check_victim(self, count: Count, job: str, out: str, victim: str) -> None:
        failed = {row["key"]: row["reasons"] for row in self.rows(job, out) if row["reasons"]}
        calm = {row["key"]: row["reasons"] for row in self.calm[job] if row["reasons"]}
        count.expect(failed == {**calm, victim: ["gone"]}, f"failed: {failed}")

    def rows(self, job: str, out: str) -> list[Row]:
        """What a job left, as if no place had a name; ``key`` is its input's."""
        env = environment_of(self.proxy.port)
        with _environment(env):
            table = read_parts(f"{out}/{'videos' if job == 'label' else 'features'}")
        found = [] if table is None else table.to_pylist()
        keyed = [
            {"key": "x/" + row["uri"].partition("/x/")[2]}
            | {name: value for name, value in row.items() if name not in PLACES}
            for row in found
        ]
        return sorted(keyed, key=lambda row: row["key"])


def _tail(key: str) -> str:
    return key.rpartition("/")[2]


@contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """Both servers, the proxy, and a Ray whose workers know its address."""
    import ray

    files = {}
    for number in range(CLIPS):
        how = {**SOUNDS["flac.flac"], "frames": 0, "sound_s": 4.0 + number / 4}
        path = write_clip(folder / f"{number}.flac", **how)
        files[f"x/{('happy', 'sad')[number % 2]}/clip-{number}.flac"] = path.read_bytes()
    model = untrained(folder / "model", ("audio",), small("audio-cnn1d"))
    jobs = {"label": ("--model", model, "--any-sound"), "preprocess": ("--recipe", "audio-cnn1d")}
    for name in ("rclone/buckets", "moto"):
        (folder / name).mkdir(parents=True)
    with ExitStack() as opened:
        here = opened.enter_context(proxy())
        servers = {
            "rclone": opened.enter_context(serve(folder / "rclone" / "buckets")),
            "moto": opened.enter_context(serve_moto(folder / "moto")),
        }
        env = {**environment_of(here.port), "RAY_ADDRESS": "local"}
        opened.enter_context(_environment(env))
        ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
        opened.callback(ray.shutdown)
        yield Stores(servers, here, files, jobs, {}).trial


HAPPENS = (
    "what passes is tried again; keys that ran out end the job in one line, and the same "
    "command goes on; an object that went or changed is its own row"
)
STORES = Faults(HAPPENS, 36, names, ready)
