"""A source: a child that plays it, watched, and made anew with patience when it is lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.live.front import Front, Status
from emotion_core.live.orders import (
    PAUSE,
    RESUME,
    Closed,
    Message,
    Opened,
    Order,
    Picture,
    Ready,
    Sound,
)
from emotion_core.live.playing import play
from emotion_core.media.spawning import BareContext
from emotion_core.text import one_line

_START_S = 60.0  # the longest that a child may take to start, on a machine that is busy
_FILE_S = 120.0  # the longest that a piece of a file may take, as labelling has it
_SLICE_S = 0.2  # between two looks at whether all this is to end


@dataclass(frozen=True)
class Patience:
    """How a lost source is sought again.

    Attributes:
        first_s, most_s: how long is waited after the first loss, and at most: each time twice as
            long.
        steady_s: a connection that lasted this long makes the next wait the first one again.
        grace_s: beyond the limits of reading in which a child may give no sign of life.
    """

    first_s: float = 1.0
    most_s: float = 30.0
    steady_s: float = 10.0
    grace_s: float = 3.0


class Source:
    """Plays what an order names into a ``Front``, until it ends or is closed.

    A file ends. Anything else that gives nothing for too long, breaks off or dies is lost, and is
    opened again, each time after twice as long a wait. The clock of the session goes on meanwhile,
    as it does while a stream or a camera is paused; a file that is paused stands still.

    Args:
        order: what is played.
        front: takes it.
        patience: see there.
        clock: seconds that pass.
    """

    def __init__(
        self,
        order: Order,
        front: Front,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.monotonic,
    ):
        self._order, self._front, self._patience, self._clock = order, front, patience, clock
        self._file = order.address.file
        self._rate = order.plan.sample_rate or 0
        self._closing, self._opened = threading.Event(), threading.Event()
        self._paused = False
        self._refused = ""
        self._began: float | None = None  # by the clock
        self._offset_s = 0.0  # of the present connection, in the session
        self._reached_s = 0.0
        self._pipe: Connection | None = None
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True, name="live source")

    def start(self) -> None:
        """Open it, and go on in a thread.

        Raises:
            UsageError: the first attempt failed: it is not there, or not to be opened.
        """
        self._thread.start()
        self._opened.wait()
        if self._refused:
            raise UsageError(f"--source {self._order.address.name}: {self._refused}")

    def pause(self) -> None:
        """A file stands still; what anything else gives meanwhile is not looked at."""
        self._hold(True)

    def resume(self) -> None:
        """Go on."""
        self._hold(False)

    def close(self) -> None:
        """End it, whatever it is at; also twice."""
        self._closing.set()
        self._front.release()
        if self._thread.is_alive():
            self._thread.join()

    def _hold(self, paused: bool) -> None:
        with self._sending:
            changed, self._paused = self._paused != paused, paused
            if changed and self._file and self._pipe is not None:
                try:
                    self._pipe.send(PAUSE if paused else RESUME)
                except OSError:
                    return  # it has just ended
            playing = self._pipe is not None and self._opened.is_set()
        if changed and playing and not self._closing.is_set():
            self._front.tell(self._playing())

    def _playing(self) -> Status:
        return Status("paused" if self._paused else "playing")

    # --- in the thread -----------------------------------------------------------------------

    def _run(self) -> None:
        wait_s = self._patience.first_s
        closed = Closed()
        try:
            while not self._closing.is_set():
                began = self._clock()
                try:
                    closed = self._connection()
                except OSError as error:  # no process or pipe to be had
                    closed = Closed(lost=one_line(error), refused=self._began is None)
                lasted_s = self._clock() - began
                if not closed.lost or self._closing.is_set():
                    break
                if self._began is None or self._file:
                    self._refused = "" if self._began is not None else closed.lost
                    break
                if lasted_s >= self._patience.steady_s:
                    wait_s = self._patience.first_s
                self._wait(wait_s, lasted_s, closed)
                wait_s = min(2 * wait_s, self._patience.most_s)
        finally:
            note = closed.lost if self._file else ""
            self._front.tell(Status("ended", note))
            warnings = (*closed.warnings, closed.lost) if note else closed.warnings
            end_s = self._offset_s + closed.end_s if closed.end_s else self._reached_s
            self._front.end(max(end_s, self._reached_s), warnings)
            self._opened.set()

    def _wait(self, wait_s: float, lasted_s: float, closed: Closed) -> None:
        what = "not there" if closed.refused else f"lost after {lasted_s:.0f} s"
        what = f"paused; {what}" if self._paused else what
        until = self._clock() + wait_s
        while (left_s := until - self._clock()) > 0:
            note = f"{what} ({closed.lost}); trying again in {np.ceil(left_s):.0f} s"
            self._front.tell(Status("reconnecting", note))
            if self._closing.wait(min(left_s, 1.0)):
                return
            self._go_on()
        self._front.tell(Status("reconnecting", f"{what} ({closed.lost}); trying again"))

    def _go_on(self) -> None:
        """The session's time, of which nothing comes at present."""
        if self._began is not None:
            self._reached_s = max(self._reached_s, self._clock() - self._began)
            self._front.ready(self._reached_s)

    def _connection(self) -> Closed:
        """One child, from its start to its end."""
        context = BareContext()
        ours, theirs = context.Pipe()
        child = context.Process(target=play, args=(self._order, theirs), daemon=True)
        child.start()
        theirs.close()
        with self._sending:
            self._pipe = ours
        try:
            return self._listen(ours)
        finally:
            with self._sending:
                self._pipe = None
            child.kill()
            child.join()
            ours.close()

    def _listen(self, pipe: Connection) -> Closed:
        limit_s = _START_S + self._order.open_s
        heard = self._clock()
        while not self._closing.is_set():
            if not pipe.poll(_SLICE_S):
                if self._paused and self._file:
                    heard = self._clock()
                elif self._clock() - heard > limit_s:
                    return Closed(lost="it does not answer", refused=self._began is None)
                continue
            try:
                message: Message = pipe.recv()
            except (EOFError, OSError):
                return Closed(lost="its decoder died", refused=False)
            if isinstance(message, Closed):
                return message
            if isinstance(message, Opened):
                limit_s = self._order.read_s + self._patience.grace_s
                if self._file:  # nobody waits for it, only a decoder may hang
                    limit_s = max(limit_s, _FILE_S)
            self._take(message)
            heard = self._clock()  # behind it: a front that drops nothing takes its time
        return Closed()

    def _take(self, message: Message) -> None:
        if isinstance(message, Opened):
            self._begin(message)
        elif isinstance(message, Ready):
            self._reach(message.time_s)
        elif self._paused and not self._file:
            pass
        elif isinstance(message, Picture):
            self._front.picture(replace(message, time_s=self._offset_s + message.time_s))
        elif isinstance(message, Sound):
            first = round(self._offset_s * self._rate) + message.first
            self._front.sound(replace(message, first=first))

    def _begin(self, opened: Opened) -> None:
        if self._began is None:
            self._began = self._clock()
        else:  # nothing that was told before is told again
            self._offset_s = round(max(self._reached_s, self._clock() - self._began), 3)
        self._front.begin(opened.info)
        self._front.tell(self._playing())
        self._opened.set()

    def _reach(self, time_s: float) -> None:
        self._reached_s = max(self._reached_s, self._offset_s + time_s)
        self._front.ready(self._reached_s)
