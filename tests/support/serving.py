"""Servers in a thread of this process, as contexts."""

import socketserver
import threading
from typing import Self


class Serving:
    """Serves within the block.

    Attributes:
        server: made by whoever inherits; its handlers are threads.
        closing: set when the block ends, for handlers that wait.
    """

    server: socketserver.BaseServer

    def __init__(self) -> None:
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
