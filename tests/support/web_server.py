"""A web server of a test's own, with ranges, that breaks off where it is told to."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Web:
    """What it serves, and what it was asked.

    Attributes:
        url: its address, without a slash at its end.
        files: path -> content.
        cuts: bytes after which the next connections end, one each; then they end no more.
        busy: times that it answers 503 first.
        ranges: whether it gives parts.
        hold: if set, a connection waits here instead of being cut.
        asked: path, Range and If-Range of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    busy: int = 0
    ranges: bool = True
    hold: threading.Event | None = None
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def serve_web() -> Iterator[Web]:
    """A server on this machine, which ends with the block."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            _answer(web, self)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield web
    finally:
        if web.hold:
            web.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(web: Web, request: BaseHTTPRequestHandler) -> None:
    path, wanted = request.path, request.headers.get("Range", "")
    condition = request.headers.get("If-Range", "")
    web.asked.append((path, wanted, condition))
    if web.busy:
        web.busy -= 1
        request.send_response(503)
        request.send_header("Retry-After", "7")
        request.end_headers()
        return
    if path not in web.files:
        request.send_error(404)
        return
    content, etag = web.files[path], f'"{hash(web.files[path])}"'
    start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and web.ranges else 0
    if condition and condition != etag:
        start = 0
    if start and start >= len(content):
        request.send_response(416)
        request.send_header("Content-Range", f"bytes */{len(content)}")
        request.end_headers()
        return
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    request.send_header("Content-Length", str(len(content) - start))
    request.send_header("ETag", etag)
    request.end_headers()
    body = content[start:]
    if web.cuts:
        body = body[: web.cuts.pop(0)]
    request.wfile.write(body)
    request.wfile.flush()
    if len(body) < len(content) - start and web.hold:
        web.hold.wait(60)
    request.close_connection = True
