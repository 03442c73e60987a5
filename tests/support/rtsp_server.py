"""A small RTSP server (RFC 2326): one MPEG transport stream, over the connection that asked."""

import socketserver
import struct
from typing import Any

from tests.support.serving import Serving

_TS = 7 * 188  # what fits into a packet of a network
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 33\r\na=rtpmap:33 MP2T/90000\r\na=control:track1\r\n"
)


class RtspServer(Serving):
    """Plays ``content`` to whoever asks, at its own pace; a context.

    Args:
        content: an MPEG transport stream.
        seconds: how long it plays.
        cut: of the first connection, the share after which it breaks off.
    """

    def __init__(self, content: bytes, seconds: float, cut: float = 1.0):
        super().__init__()
        self.calls = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while (request := self._request()) is not None:
                    method, number = request
                    extra, body = "", ""
                    if method == "DESCRIBE":
                        extra, body = "Content-Type: application/sdp\r\n", _SDP
                    elif method == "SETUP":
                        extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
                    elif method == "OPTIONS":
                        extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
                    elif method == "PLAY":
                        extra = "Session: 1\r\n"
                    told = f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{extra}"
                    told += f"Content-Length: {len(body)}\r\n\r\n{body}"
                    self.wfile.write(told.encode())
                    if method == "PLAY":
                        self._play()
                        return

            def _request(self) -> tuple[str, str] | None:
                lines = []
                while (
                    line := self.rfile.readline().decode("ascii", "replace").strip()
                ) or not lines:
                    if not line:
                        return None
                    lines.append(line)
                fields = dict(each.split(": ", 1) for each in lines[1:] if ": " in each)
                return lines[0].split()[0], fields.get("CSeq", "0")

            def _play(self) -> None:
                number, outer.calls = outer.calls, outer.calls + 1
                share = cut if number == 0 else 1.0
                places = range(0, int(share * len(content)), _TS)
                for sequence, place in enumerate(places):
                    now_s = seconds * place / len(content)
                    header = struct.pack(
                        ">BBHII", 0x80, 33, sequence & 0xFFFF, int(now_s * 90_000), 7
                    )
                    packet = header + content[place : place + _TS]
                    self.wfile.write(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
                    if outer.closing.wait(seconds * _TS / len(content)):
                        return

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads, allow_reuse_address = True, True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # who watches has gone

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"rtsp://127.0.0.1:{self.server.server_address[1]}/stream"
