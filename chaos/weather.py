"""A proxy in front of an S3 server, in which the weather of networks and stores can be made."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

_HOPS = {"connection", "expect", "keep-alive", "transfer-encoding", "proxy-connection"}
_STALL_S = 3.0

_ERROR = "<?xml version='1.0'?><Error><Code>{}</Code><Message>{}</Message></Error>"
ANSWERS = {
    "500": (500, "InternalError", "We encountered an internal error. Please try again."),
    "503 slow down": (503, "SlowDown", "Please reduce your request rate."),
    "expired credentials": (403, "ExpiredToken", "The provided token has expired."),
    "404 after listing": (404, "NoSuchKey", "The specified key does not exist."),
}


@dataclass
class Weather:
    """What happens to requests.

    Attributes:
        kind: what; empty for nothing.
        share: of the requests that it happens to.
        calm: requests that nothing happens to before it begins.
        most: times that it happens; 0: without end.
        key: the only object whose reading it happens to; empty: to every request.
        before: called once, before the first request that it happens to.
        caused: how often it happened.
    """

    kind: str = ""
    share: float = 1.0
    calm: int = 0
    most: int = 0
    key: str = ""
    before: Callable[[], None] | None = None
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    caused: int = 0
    asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def strikes(self, method: str, path: str) -> bool:
        """Whether it happens to this request."""
        with self._lock:
            if not self.kind or (self.key and not (method == "GET" and self.key in path)):
                return False
            self.asked += 1
            spent = self.most and self.caused >= self.most
            if spent or self.asked <= self.calm or self.rng.random() >= self.share:
                return False
            if self.before is not None and not self.caused:
                self.before()
            self.caused += 1
            return True


@dataclass
class Proxy:
    """Stands at ``port``, and hands on to the server at ``upstream``."""

    port: int = 0
    upstream: int = 0
    weather: Weather = field(default_factory=Weather)


@contextmanager
def proxy() -> Iterator[Proxy]:
    """A proxy of this process, which ends with the block."""
    here = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # headers and body are two packets, which would wait for each other for 40 ms
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            _serve(here, self)

        do_PUT = do_POST = do_HEAD = do_DELETE = do_GET

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: Any) -> None:
            """Connections that break are what this is for."""

    server = Server(("127.0.0.1", 0), Handler)
    here.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()


def _serve(here: Proxy, request: BaseHTTPRequestHandler) -> None:
    body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    weather = here.weather
    kind = weather.kind if weather.strikes(request.command, request.path) else ""
    if kind in ANSWERS:
        status, code, words = ANSWERS[kind]
        _answer(request, status, [], _ERROR.format(code, words).encode())
    elif kind == "reset":
        _reset(request)
    elif kind == "stall":
        time.sleep(_STALL_S)
        _reset(request)
    else:
        status, headers, content = _asked(here.upstream, request, body)
        if kind == "reset after it was done":
            _reset(request)
        elif kind == "truncated body" and len(content) > 1:
            _answer(request, status, headers, content[: len(content) // 2], len(content))
            _reset(request)
        else:
            _answer(request, status, headers, content)


def _asked(
    port: int, request: BaseHTTPRequestHandler, body: bytes
) -> tuple[int, list[tuple[str, str]], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.putrequest(
            request.command, request.path, skip_host=True, skip_accept_encoding=True
        )
        for name, value in request.headers.items():  # the Host, too, which is signed
            if name.lower() not in _HOPS:
                connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, answer.getheaders(), content
    finally:
        connection.close()


def _answer(
    request: BaseHTTPRequestHandler,
    status: int,
    headers: list[tuple[str, str]],
    content: bytes,
    length: int | None = None,
) -> None:
    request.send_response_only(status)
    stated = None
    for name, value in headers:
        if name.lower() == "content-length":
            stated = value
        elif name.lower() not in _HOPS:
            request.send_header(name, value)
    if request.command != "HEAD":
        stated = str(len(content) if length is None else length)
    if status != 204 and stated is not None:
        request.send_header("Content-Length", stated)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)
    request.wfile.flush()


def _reset(request: BaseHTTPRequestHandler) -> None:
    """RST: what was not sent yet is not sent any more."""
    linger = struct.pack("ii", 1, 0)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.connection.close()
    request.close_connection = True
    request.wfile = open("/dev/null", "wb")  # noqa: SIM115 - the handler flushes and closes it
