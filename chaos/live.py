"""A live session whose source or disk fails: it goes on, and what it saves is one row.

A trial is a session with some faults, or some damaged files, each played by a session of its own.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from chaos.counted import Count
from chaos.disk import limited
from chaos.nodes import kill
from chaos.trials import Faults, Run, Trial
from emotion_core.clips.work import Segment
from emotion_core.errors import UsageError
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.live.addresses import Address, address
from emotion_core.live.opening import Timing, opened
from emotion_core.live.saving import Record, Saving, saving, session_clip
from emotion_core.live.session import LiveSession
from emotion_core.live.source import Patience
from emotion_core.storage.parts import read_parts
from tests.support.containers import small_ones
from tests.support.labelling import untrained
from tests.support.live_sources import LOSSLESS, CuttingServer
from tests.support.media_clips import write_clip
from tests.support.mutations import mutant
from tests.support.small_recipes import small
from tests.support.waiting import wait_for

EACH = 5  # faults of a trial
FPS = 10.0
STREAM = Timing(1e6, None, read_s=2.0, patience=Patience(first_s=0.1, most_s=0.4))
_LONG_S = 300.0

Row = dict[str, Any]


@dataclass
class Studio:
    """The models, and what is played.

    Attributes:
        folder: for what is saved.
        whole: files of every container, by name.
        stream: a clip as a camera sends it.
        clip: a file.
        calm: what a session of it saved while nothing failed.
    """

    how: Labelling
    step: LabelStep
    folder: Path
    whole: dict[str, bytes]
    stream: bytes
    clip: Path
    calm: list[Row] = field(default_factory=list)

    def saved(
        self, given: Address, timing: Timing, during: Callable[[LiveSession], object]
    ) -> tuple[list[Row], list[Row]]:
        """The rows of a session: of videos, and of segments."""
        out = self.folder / uuid4().hex[:8]
        record = Record(self.how, {}, given)
        with (
            opened(self.step, given, FPS, timing) as begun,
            saving(str(out), self.step, record, lambda line: None) as kept,
        ):
            session = begun.session((), kept)
            session.start()
            try:
                during(session)
            except BaseException:
                session.stop()
                raise
            if not session.join(_LONG_S):
                raise TimeoutError(f"{given.name}: the session does not end")
        return rows(out, "videos"), rows(out, "segments")


def rows(out: Path, table: str) -> list[Row]:
    """Of one of its tables."""
    found = read_parts(str(out / table))
    return [] if found is None else found.to_pylist()


def damaged_files(here: Studio, count: Count, rng: np.random.Generator) -> int:
    """Each is refused in one line, or ends in its row."""
    for number in rng.integers(0, 10**6, EACH):
        name, data = mutant(here.whole, int(number), 0)
        path = here.folder / name
        path.write_bytes(data)
        try:
            videos, segments = here.saved(address(str(path), None), LOSSLESS, lambda s: None)
        except UsageError as error:
            count.rows += 1
            count.expect("\n" not in str(error), f"{name}: several lines: {error}")
        else:
            judge(count, name, videos, segments)
        path.unlink()
    return EACH


def killed_children(here: Studio, count: Count, rng: np.random.Generator) -> int:
    """What decodes is killed at some moment after it has begun."""
    killed = 0
    with CuttingServer(here.stream, stall=True) as server:

        def during(session: LiveSession) -> None:
            nonlocal killed
            for calls in range(1, EACH + 1):
                wait_for(partial(server.called, calls))
                time.sleep(rng.uniform(0, 2))
                for child in multiprocessing.active_children():
                    killed += bool(child.pid) and kill(int(child.pid or 0))
            answered_after(session, lambda: server.calls > EACH)

        judge(count, "killed", *here.saved(address(server.url, None), STREAM, during))
    return killed


def broken_streams(here: Studio, count: Count, rng: np.random.Generator) -> int:
    """The server hangs up in mid-stream."""
    return _cut(here, count, rng, stall=False)


def silent_streams(here: Studio, count: Count, rng: np.random.Generator) -> int:
    """The server says nothing any more."""
    return _cut(here, count, rng, stall=True)


def _cut(here: Studio, count: Count, rng: np.random.Generator, stall: bool) -> int:
    # the first one is long enough to be opened at all
    half = len(here.stream) // 2
    cuts = (half, *map(int, rng.integers(0, len(here.stream), EACH - 1)))
    with CuttingServer(here.stream, cuts, stall) as server:

        def during(session: LiveSession) -> None:
            answered_after(session, lambda: server.calls > EACH)

        judge(count, "cut", *here.saved(address(server.url, None), STREAM, during))
    return EACH


class FullDisk:
    """Keeps what another keeper does; until the session ends the disk has room for a few bytes."""

    def __init__(self, kept: Saving, most: int):
        self._kept, self._most = kept, most

    def segments(self, new: list[Segment], seen: Seen, seconds: float) -> None:
        with limited(self._most):
            self._kept.segments(new, seen, seconds)
            self._kept.settled()

    def finish(self, seen: Seen, seconds: float) -> None:
        self._kept.finish(seen, seconds)


def full_disks(here: Studio, count: Count, rng: np.random.Generator) -> int:
    """Writes fail while the session goes on, and nothing is missing at its end."""
    given = address(str(here.clip), None)
    if not here.calm:
        _, here.calm = here.saved(given, LOSSLESS, lambda session: None)
    out, told = here.folder / uuid4().hex[:8], list[str]()
    clip = session_clip(given, "2026-01-01T00:00:00+00:00")
    kept = Saving(here.step, here.how.tables(str(out)), clip, flush_s=0, say=told.append)
    with opened(here.step, given, FPS, LOSSLESS) as begun:
        session = begun.session((), FullDisk(kept, int(rng.integers(0, 2000))))
        session.start()
        if not session.join(_LONG_S):
            raise TimeoutError("the session does not end")
    judge(count, "full disk", rows(out, "videos"), segments := rows(out, "segments"))
    count.expect(in_order(segments) == in_order(here.calm), "other answers than the calm ones")
    return len(told)


KINDS: dict[str, Callable[[Studio, Count, np.random.Generator], int]] = {
    "damaged file": damaged_files,
    "decoder killed": killed_children,
    "stream broken off": broken_streams,
    "stream silent": silent_streams,
    "disk full": full_disks,
}


def judge(count: Count, what: str, videos: list[Row], segments: list[Row]) -> None:
    """One row, and each answer once."""
    count.one(what, videos)
    for video in videos:
        said = video["n_segments"]
        count.expect(said == len(segments), f"{what}: {said} segments, not {len(segments)}")
    places = [(row["start_s"], row["end_s"], row["track_id"]) for row in segments]
    count.expect(len(set(places)) == len(places), f"{what}: an answer is there twice")


def in_order(segments: list[Row]) -> list[Row]:
    """In an order that their content decides."""
    return sorted(segments, key=str)


def answered_after(session: LiveSession, holds: Callable[[], bool]) -> None:
    """Wait until that holds and a window is answered after it; then the session stops."""
    wait_for(holds)
    before = answered(session)
    wait_for(lambda: answered(session) > before)
    session.stop()


def answered(session: LiveSession) -> int:
    """How many answers its timeline has; raises what ended it, if anything did."""
    session.join(0.0)
    snapshot = session.newest(0, 0.0)
    return 0 if snapshot is None else len(snapshot.moments)


def names(count: int, seed: int) -> Sequence[str]:
    """``1:7:stream silent``: the kinds in turn, ``EACH`` faults a trial."""
    kinds = list(KINDS)
    return [f"{seed}:{n}:{kinds[n % len(kinds)]}" for n in range(-(-count // EACH))]


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """A small network of sound and faces, and what is played."""
    model = untrained(folder / "model", recipe=small("timedist-blstm"))
    how = Labelling((str(model),), LabelOptions(fps=FPS, any_sound=True))
    stream = write_clip(folder / "stream.ts", frames=150, format="mpegts").read_bytes()
    clip = write_clip(folder / "clip.mp4", frames=300)
    (folder / "whole").mkdir()
    here = Studio(how, how.step(), folder, small_ones(folder / "whole"), stream, clip)

    def run(name: str) -> Trial:
        seed, number, kind = name.split(":")
        count = Count()
        times = KINDS[kind](here, count, np.random.default_rng([int(seed), int(number)]))
        return count.trial("live", name, "a live session", times, {kind: times})

    yield run


HAPPENS = "the session goes on; a file is refused in one line, or is one row"
LIVE = Faults(HAPPENS, 500, names, ready)
