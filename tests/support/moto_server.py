"""A moto server whose requests are served one after the other: ``python moto_server.py PORT``.

Moto's own command serves them in threads and checks a condition (``If-None-Match``) before it takes
the object's lock, so two writers at the same moment could both be told that they were first. S3
itself decides such a race for one of them, and so does this server.
"""

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

_application = DomainDispatcherApplication(create_backend_app)
_turn = threading.Lock()


def one_at_a_time(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    """Moto's answer, made whole before the next request is looked at."""
    with _turn:
        return list(_application(environ, start_response))


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        one_at_a_time,
        threaded=True,  # connections are kept alive: a server without threads would serve one only
        request_handler=MotoRequestHandler,
    )
