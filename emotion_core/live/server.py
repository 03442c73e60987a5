"""The page of a live session, served to this machine alone.

Nothing is sent anywhere else and nothing is loaded from anywhere else; ``guard.py`` says who may
see it. The server knows the session through ``state.Session`` only.
"""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from types import MappingProxyType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from emotion_core.cli import say
from emotion_core.errors import UsageError
from emotion_core.live.feed import Room, has_ended
from emotion_core.live.guard import Guard
from emotion_core.live.state import Session
from emotion_core.report.colours import style_rules

_KINDS = MappingProxyType(
    {
        "html": "text/html",
        "css": "text/css",
        "js": "text/javascript",
        "svg": "image/svg+xml",
    }
)
_HERE = "127.0.0.1"
# The page asks several times a second; one that has not heard of the end by then is asleep.
_FAREWELL_S = 5.0
# From a page come a few words.
_MOST_BYTES_IN = 1024


def listen(port: int = 0) -> socket.socket:
    """Where the page will be: on 127.0.0.1, which no other machine reaches.

    Args:
        port: 0 takes a free one.

    Raises:
        UsageError: the port cannot be had.
    """
    try:
        return socket.create_server((_HERE, port))
    except (OSError, OverflowError) as error:
        raise UsageError(f"--port {port}: {error}; 0 takes a free one") from error


def serve(
    session: Session, listening: socket.socket, on_ready: Callable[[str], None] = say
) -> None:
    """Show a session in the browser until it has ended, was stopped, or Ctrl-C.

    Args:
        session: running; it is stopped in the end, also after Ctrl-C.
        listening: see ``listen``; it is closed in the end.
        on_ready: is told the page's address, with its token, once it may be opened.
    """
    token = secrets.token_urlsafe(32)
    on_ready(f"http://{_HERE}:{listening.getsockname()[1]}/{token}/")
    # by the time of an interrupt uvicorn has said goodbye to the viewers
    with listening, suppress(KeyboardInterrupt):
        asyncio.run(_serve(session, token, listening))


def application(room: Room, token: str) -> Guard:
    """The page, its files and its feed, behind the guard."""
    page = _files(room.session)

    async def answer(name: str, request: Request) -> Response:
        return Response(page[name], media_type=_KINDS[name.rpartition(".")[2]])

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(room.session.stop)

    routes = [Route(f"/{name}", partial(answer, name)) for name in page]
    routes.append(Route("/", partial(answer, "live.html")))
    feed = WebSocketRoute("/feed", room.feed)
    return Guard(Starlette(routes=[*routes, feed], lifespan=lifespan), token)


def _files(session: Session) -> Mapping[str, str]:
    """What the page is made of: its own files, and the look that it shares with the report."""
    own = files("emotion_core.live").joinpath("page").iterdir()
    look = files("emotion_core.labelling.report").joinpath("style.css")
    found = {each.name: each.read_text("utf-8") for each in (*own, look)}
    return found | {"colours.css": style_rules(session.labels)}


async def _serve(session: Session, token: str, listening: socket.socket) -> None:
    room = Room(session)
    # addresses hold the token, so none is logged
    config = uvicorn.Config(
        application(room, token), log_config=None, access_log=False, lifespan="on",
        server_header=False, date_header=False, proxy_headers=False, ws="websockets-sansio",
        ws_max_size=_MOST_BYTES_IN, ws_per_message_deflate=False,
        timeout_graceful_shutdown=int(_FAREWELL_S),
    )  # fmt: skip
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listening]))
    watching = asyncio.create_task(_until_over(room))
    await asyncio.wait((serving, watching), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    watching.cancel()
    await serving
    await asyncio.gather(watching, return_exceptions=True)
    if not watching.cancelled():
        watching.result()


async def _until_over(room: Room) -> None:
    """Wait for the session's end, and for its viewers to know of it."""
    after, snapshot = 0, None
    while not (room.stopped or has_ended(snapshot)):
        snapshot = await asyncio.to_thread(room.session.newest, after, 0.5)
        after = snapshot.number if snapshot else after
    for _ in range(int(_FAREWELL_S / 0.1)):
        if not room.viewers:
            break
        await asyncio.sleep(0.1)
