"""One viewer's WebSocket: the page asks for the next snapshot, and may pause, resume and stop.

The page asks once it has drawn what it had, so a slow viewer gets the newest snapshot when it is
ready for one, and nothing is ever queued for it, here or on the way. Two kinds of messages come
from it: ``{"want": N}``, the newest snapshot with a number above N, and ``{"do": "pause"}``.
"""

import asyncio
import json
from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from emotion_core.live.messages import frame, hello
from emotion_core.live.state import Session, Snapshot

MOST_VIEWERS = 4
_ORDERS = ("pause", "resume", "stop")
# An order waits at most so long behind its viewer's question for a snapshot, where none is new.
_PATIENCE_S = 0.25
_FULL, _WRONG = 1013, 1008  # close codes of RFC 6455


@dataclass
class Room:
    """The viewers of a session.

    Attributes:
        session: what they see.
        viewers: how many there are.
        stopped: one of them stopped it.
    """

    session: Session
    viewers: int = 0
    stopped: bool = False

    async def feed(self, websocket: WebSocket) -> None:
        """Serve one viewer until it goes or the session ends."""
        await websocket.accept()
        if self.viewers >= MOST_VIEWERS:
            await websocket.close(_FULL, f"{MOST_VIEWERS} pages show this session already")
            return
        self.viewers += 1
        try:
            await self._talk(websocket)
        except WebSocketDisconnect:
            pass  # the page was closed
        finally:
            self.viewers -= 1

    async def _talk(self, websocket: WebSocket) -> None:
        await websocket.send_text(hello(self.session))
        while True:
            try:
                asked = json.loads(await websocket.receive_text())
                after, order = asked.get("want"), asked.get("do")
            except (ValueError, AttributeError, KeyError, RecursionError):
                after = order = None
            if order in _ORDERS:
                await self._obey(order)
            elif type(after) is int:
                if await self._show(websocket, after):
                    await websocket.close()
                    return
            else:
                await websocket.close(_WRONG, "no message of this page")
                return

    async def _obey(self, order: str) -> None:
        await asyncio.to_thread(getattr(self.session, order))
        self.stopped |= order == "stop"

    async def _show(self, websocket: WebSocket, after: int) -> bool:
        """Send what is new, if anything is; True when it was the last."""
        snapshot = await asyncio.to_thread(self.session.newest, after, _PATIENCE_S)
        if snapshot:
            await websocket.send_bytes(frame(snapshot, whole=after == 0))
        over = self.stopped or has_ended(snapshot)
        if over:
            why = "stopped" if self.stopped else "ended"
            await websocket.send_text(json.dumps({"over": why}))
        elif snapshot is None:
            await websocket.send_text("{}")
        return over


def has_ended(snapshot: Snapshot | None) -> bool:
    """Nothing comes after this one."""
    return snapshot is not None and snapshot.figures.source == "ended"
