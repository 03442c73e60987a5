"""One job at a time writes to an ``--out``: a claim that it renews while it lives.

The claim is the hidden file ``.writer.json`` in ``--out``. It says who writes there and is renewed
every 20 s. One that nobody has renewed for 120 s is dead, and so is, at once, one whose process
was on this machine and lives no more: a job that was killed can be repeated right away.

What is guaranteed:

* On a local disk, a folder shared by NFS, and an object store that honours conditional writes (S3
  does, and each job tries it): of several jobs that start at the same moment, or find the same dead
  claim, exactly one goes on.
* Elsewhere a job writes its claim, waits a moment and reads it back. Two jobs that start at the
  same moment are told apart unless one is held up for longer than that moment, between looking and
  writing. The second one's claim then lies there, and the first stops when it next renews its own.

What is not:

* A job that was stopped for longer than 120 s (a laptop asleep, ``kill -STOP``) loses its claim,
  and sees that when it goes on: before it publishes, and with every part that comes back. Its
  workers do not ask. What they have in hand they still write: whole parts, named after their clips,
  or checkpoints, in a folder of that start alone.
* Workers that outlive their killed driver by seconds can do the same, while the repeated command
  already works.
* A claim covers one folder, not a folder within it that another command is given as ``--out``.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.claim_places import Found, Place, place_of
from emotion_core.storage.outputs import check_output, start_output, utc_now
from emotion_core.storage.processes import Process, this_process

UNCERTAIN = (
    "this store does not honour conditional writes: two jobs started at the same moment are told "
    "apart by reading back, which is likely and not certain"
)
_TRIES = 8

# Called before anything is published; raises StorageError once the claim is lost.
Check = Callable[[], None]


def unclaimed() -> None:
    """The ``Check`` of whoever calls a job's function without a claim: nothing is looked at."""


@dataclass(frozen=True)
class Pace:
    """How fast things go.

    Attributes:
        renew_s: between two renewals.
        dead_s: what is older than this is dead.
        settle_s: from writing to reading back, at least, where the store decides nothing.
        sleep: what waits for that moment.
    """

    renew_s: float = 20.0
    dead_s: float = 120.0
    settle_s: float = 1.0
    sleep: Callable[[float], None] = time.sleep


PACE = Pace()


@dataclass(frozen=True)
class Holder:
    """Who writes: the content of a claim.

    Attributes:
        kind: what the job makes (``labels``).
        process: the job's own.
        started: ISO 8601, UTC.
        token: no two claims have the same.
    """

    kind: str
    process: Process = field(default_factory=this_process)
    started: str = field(default_factory=utc_now)
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def stamped(self) -> bytes:
        """The claim as it is written now."""
        renewed = datetime.now(UTC).isoformat(timespec="milliseconds")
        return json.dumps({**asdict(self), "renewed": renewed}, indent=2).encode() + b"\n"


@contextmanager
def hold_output(
    out: str,
    kind: str,
    settings: dict[str, Any],
    overwrite: bool = False,
    *,
    say: Callable[[str], None],
    pace: Pace = PACE,
) -> Iterator["Claim"]:
    """``start_output`` under a claim that lasts as long as the block.

    Nothing is written, and nothing removed by ``overwrite``, before the claim is ours.

    Args:
        out, kind, settings, overwrite: as ``start_output`` takes them.
        say: told once, in one line, when the store cannot decide between two at the same moment;
            and what ``overwrite`` left alone.
        pace: how fast things go.

    Raises:
        UsageError: another job writes there, or as ``start_output``.
        StorageError: the store does not answer.
    """
    check_output(out, kind, settings, overwrite)
    with sole_writer(out, kind, say, pace) as claim:
        if kept := start_output(out, kind, settings, overwrite):
            say(f"--overwrite: {len(kept)} files that no job made stay, such as {kept[0]}")
        yield claim


@contextmanager
def sole_writer(
    out: str, kind: str, say: Callable[[str], None], pace: Pace = PACE
) -> Iterator["Claim"]:
    """Nobody else who asks may write to ``out`` while the block lasts (see the module's docstring).

    Args:
        out: URI of a folder; it need not exist.
        kind: what is written there, for the message that others get.
        say, pace: see ``hold_output``.

    Raises:
        UsageError: another job writes there: one line that says who, since when, and the way out.
    """
    place, holder = place_of(out), Holder(kind)
    try:
        held = _take(place, out, holder, pace)
    except StorageError as error:
        raise UsageError(f"cannot write to {out}: {error}") from error
    if not place.certain:
        say(UNCERTAIN)
    claim = Claim(place, out, holder, held, pace)
    claim.start()
    try:
        yield claim
    finally:
        claim.end()


def _take(place: Place, out: str, holder: Holder, pace: Pace) -> Found:
    for _ in range(_TRIES):
        began = time.monotonic()
        found = place.find()
        if found is not None and (line := _why_not(found, out, place.uri, pace)):
            raise UsageError(line)
        data = holder.stamped()
        held = place.put(data, found)
        if held is None and not _is_of(found := place.find(), holder):
            continue  # somebody was quicker: who?
        held = held or found  # the answer to our own request was lost, and it was repeated
        place.probe(data)
        if not place.certain:
            # all that was asked took so long; it may take another job as long
            pace.sleep(max(pace.settle_s, 3 * (time.monotonic() - began)))
            if not _is_of(held := place.find(), holder):
                continue
        assert held is not None
        return held
    raise UsageError(f"{out}: several jobs start there at the same time: start one again")


def _holder(found: Found) -> Holder | None:
    """Who wrote this; None when it cannot be read."""
    try:
        told = json.loads(found.data)
        return Holder(told["kind"], Process(**told["process"]), told["started"], told["token"])
    except (ValueError, TypeError, KeyError):
        return None


def _is_of(found: Found | None, holder: Holder) -> bool:
    there = _holder(found) if found is not None else None
    return there is not None and there.token == holder.token


def _why_not(found: Found, out: str, uri: str, pace: Pace) -> str | None:
    """Why this claim is in the way; None when it is dead."""
    holder = _holder(found)
    if holder is not None and holder.process.is_dead():
        return None
    age = _age_s(found)
    left = pace.dead_s - age
    if left < 0:
        return None
    if holder is None:
        return (
            f"{uri}: not a claim that can be read, {age:.0f} s old: should no job write to {out}, "
            f"run this again in {left:.0f} s"
        )
    return (
        f"{out}: another job writes {holder.kind} there (host {holder.process.host}, process "
        f"{holder.process.pid}, since {holder.started}, last sign of life {age:.0f} s ago): wait "
        f"until it ends; should it be dead, run this again in {left:.0f} s"
    )


def _age_s(found: Found) -> float:
    if found.age_s is not None:
        return max(0.0, found.age_s)
    try:
        renewed = datetime.fromisoformat(json.loads(found.data)["renewed"])
        return max(0.0, (datetime.now(UTC) - renewed).total_seconds())
    except (ValueError, TypeError, KeyError):
        return 0.0


class ClaimLost(StorageError):
    """Another job writes there now: what this one has is not to be written any more."""


class Claim:
    """A claim that is held; ``sole_writer`` makes it."""

    def __init__(self, place: Place, out: str, holder: Holder, held: Found, pace: Pace):
        self.certain = place.certain
        self._place, self._out, self._holder, self._held = place, out, holder, held
        self._pace = pace
        self._renewed = time.time()  # not monotonic: that stands still while a laptop sleeps
        self._lost: str | None = None
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._keep, name="claim", daemon=True)

    def check(self) -> None:
        """Nothing, while the claim is ours. Call it before anything is published.

        Raises:
            ClaimLost: it is not ours any more.
            StorageError: that cannot be told.
        """
        with self._lock:
            if time.time() - self._renewed > self._pace.dead_s / 2:  # we, too, were asleep
                self._renew()
            if self._lost is not None:
                raise ClaimLost(self._lost)

    def start(self) -> None:
        """Begin to renew it."""
        self._thread.start()

    def end(self) -> None:
        """Stop renewing it, and remove it if it is still ours."""
        self._over.set()
        self._thread.join()
        with suppress(StorageError):  # it dies by itself; what the job says is more important
            self._place.drop(self._held)

    def _keep(self) -> None:
        while not self._over.wait(self._pace.renew_s):
            # a store that does not answer now may do so in time
            with self._lock, suppress(StorageError):
                self._renew()
            if self._lost is not None:
                return

    def _renew(self) -> None:
        if self._lost is not None:
            return
        data = self._holder.stamped()
        held = self._place.put(data, self._held)
        if held is None:
            found = self._place.find()
            if _is_of(found, self._holder):  # the answer to the last renewal was lost
                held = self._place.put(data, found)
            if held is None:
                self._lost = self._told(self._place.find())
                return
        self._held, self._renewed = held, time.time()

    def _told(self, found: Found | None) -> str:
        other = _holder(found) if found is not None else None
        if other is None:
            return f"{self._place.uri} was removed, and with it this job's right to write there"
        return (
            f"{self._out}: another job took over (host {other.process.host}, process "
            f"{other.process.pid}, since {other.started}) while this one stood still"
        )
