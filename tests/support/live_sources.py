"""Sources for the tests of live sessions: a server that cuts, and a session of a small model."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emotion_core.clips.work import Segment
from emotion_core.labelling.seen import Seen
from emotion_core.labelling.step import LabelStep
from emotion_core.live.addresses import address
from emotion_core.live.opening import Opened, Timing, opened
from emotion_core.live.session import LiveSession
from emotion_core.live.source import Patience
from tests.support.serving import Serving

# As quick as the machine, and nothing is dropped.
LOSSLESS = Timing(pace=1e6, most_wait_s=None)
HASTY = Timing(patience=Patience(first_s=0.1, most_s=0.4), read_s=2.0)


class CuttingServer(Serving):
    """Sends a file to whoever asks, and breaks off after some bytes; a context.

    Args:
        content: of the file.
        cuts: for each connection after how many bytes it breaks off; later ones are whole.
        stall: it keeps silent instead of breaking off.
    """

    def __init__(self, content: bytes, cuts: tuple[int, ...] = (), stall: bool = False):
        super().__init__()
        self.calls = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                number, outer.calls = outer.calls, outer.calls + 1
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/stream")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                most = cuts[number] if number < len(cuts) else len(content)
                self.wfile.write(content[:most])
                if stall:
                    outer.closing.wait()

            def log_message(self, *told: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/stream"

    def called(self, times: int) -> bool:
        """Whether somebody has connected so often."""
        return self.calls >= times


class Kept:
    """Keeps what a session answers."""

    def __init__(self) -> None:
        self.got: list[Segment] = []
        self.seen: Seen | None = None

    def segments(self, new: list[Segment], seen: Seen, seconds: float) -> None:
        self.got += new

    def finish(self, seen: Seen, seconds: float) -> None:
        self.seen = seen


@contextmanager
def playing(
    step: LabelStep,
    source: Path | str,
    timing: Timing = LOSSLESS,
    keeper: Any = None,
    audio: str | None = None,
) -> Iterator[tuple[LiveSession, Opened]]:
    """A session of a source, which answers already; it has ended behind the block."""
    with opened(step, address(str(source), audio), 10.0, timing) as begun:
        session = begun.session(("a model",), keeper)
        session.start()
        try:
            yield session, begun
        finally:
            session.stop()
            session.join()
