"""Who may see a live session: who has the token, on this machine, from this very page.

Three things are checked before any route is looked for, and whoever fails one of them gets the same
403 without a word of why:

- the **token**, the first part of the path, so that every address of the page holds it;
- the **Host** header: a page of somebody else whose name was made to point here (DNS rebinding)
  comes with its own name;
- for a WebSocket the **Origin**: browsers let any page open one to anywhere.
"""

import secrets
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

# Names of this machine that no other machine can have.
_HERE = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True)
class Guard:
    """An ASGI application in front of another one.

    Attributes:
        app: sees only what may be answered; its routes begin after the token.
        token: what the first part of the path has to be.
    """

    app: ASGIApp
    token: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif not self._may(scope):
            refusal = (
                WebSocketClose()
                if scope["type"] == "websocket"
                else PlainTextResponse("refused", 403)
            )
            await refusal(scope, receive, _closed(send, ""))
        else:
            inside = {**scope, "root_path": f"/{self.token}"}
            await self.app(inside, receive, _closed(send, Headers(scope=scope)["host"]))

    def _may(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        given = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        # as bytes: a path may hold any character, which compare_digest takes in no string
        known = secrets.compare_digest(given.encode(errors="replace"), self.token.encode())
        own = scope["type"] == "http" or headers.get("origin") == f"http://{host}"
        return known and _name(host) in _HERE and own


def _name(host: str) -> str:
    """``localhost:8000`` -> ``localhost``; an address of version 6 keeps its brackets."""
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host


def _closed(send: Send, host: str) -> Send:
    """``send`` with headers that let nothing be kept, framed or loaded from elsewhere."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        # Safari before 15.4 does not count ws: as 'self'
        f"connect-src 'self'{f' ws://{host}' if host else ''}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    said = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(said)
        await send(message)

    return sent
