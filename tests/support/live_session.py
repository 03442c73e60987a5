"""A live session whose snapshots a test makes one by one, and its server in a thread."""

import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from queue import Queue
from typing import Any

from PIL import Image

from emotion_core.live.board import Board
from emotion_core.live.server import listen, serve
from emotion_core.live.state import Face, Figures, Moment, Snapshot
from emotion_core.recipes.emotions import EMOTIONS

FIGURES = Figures(5.0, 0.21, 0.4, 0, "playing", "")
WAIT_S = 60


def likely(emotion: str, p: float = 0.65) -> tuple[float, ...]:
    """Probabilities with one label ahead."""
    rest = (1 - p) / (len(EMOTIONS) - 1)
    return tuple(p if each == emotion else rest for each in EMOTIONS)


def face(
    track: int, left: float, emotion: str = "", p: float = 0.65, speaking: bool = False
) -> Face:
    """A face at ``left``, a quarter of the picture wide; "" has no answer yet."""
    given = likely(emotion, p) if emotion else ()
    return Face(track, (left, 0.25, 0.25, 0.5), emotion, given, speaking)


def grey(width: int = 320, height: int = 240) -> bytes:
    """A picture in which any colour is the page's."""
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 90, 90)).save(buffer, "JPEG")
    return buffer.getvalue()


class MadeUpSession:
    """A session that shows what it is told to, and writes down what it is asked.

    Attributes:
        orders: what pages asked for.
    """

    def __init__(self) -> None:
        self.labels: tuple[str, ...] = EMOTIONS
        self.models: tuple[str, ...] = ("face <b>: right about 66 % of ...; research only",)
        self.orders: list[str] = []
        self._board = Board()
        self._shown: dict[str, Any] = {
            "time_s": 0.0, "faces": (), "voice": None, "picture": b"", "figures": FIGURES
        }  # fmt: skip

    def show(self, moments: tuple[Moment, ...] = (), **shown: Any) -> int:
        """A new snapshot: what is not given stays; its number."""
        self._shown |= shown
        self._board.publish(Snapshot(number=0, moments=moments, **self._shown))
        snapshot = self._board.newest(0, 0.0)
        assert snapshot is not None
        return snapshot.number

    def source(self, what: str, note: str = "") -> int:
        """A new snapshot in which the source does something else."""
        return self.show(figures=Figures(5.0, 0.21, 0.4, 3, what, note))

    def newest(self, after: int, timeout: float) -> Snapshot | None:
        return self._board.newest(after, timeout)

    def pause(self) -> None:
        self.orders.append("pause")
        self.source("paused")

    def resume(self) -> None:
        self.orders.append("resume")
        self.source("playing")

    def stop(self) -> None:
        self.orders.append("stop")
        self.source("ended")


@contextmanager
def served(session: Any) -> Iterator[tuple[str, Future[None]]]:
    """The page's address, and what ``serve`` comes to; the session is stopped at the end."""
    address: Queue[str] = Queue()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(serve, session, listen(), address.put)
        try:
            yield address.get(timeout=WAIT_S), running
        finally:
            session.stop()
            if not running.exception(timeout=WAIT_S):
                running.result()
