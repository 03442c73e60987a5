"""An RTSP server in a process of its own, as a camera of the network has one: over and over a file.

It is aio-rtsp-toolkit's, which knows nothing of FFmpeg's way to speak RTSP.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from aio_rtsp_toolkit.server import RtspServer

_PORT = "port "


@contextmanager
def rtsp_camera(video: Path) -> Iterator[str]:
    """The address at which a file of H.264 and AAC plays without end, at its own pace."""
    command = [sys.executable, __file__, str(video.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            port = next(line for line in server.stdout if line.startswith(_PORT))
            yield f"rtsp://127.0.0.1:{int(port[len(_PORT) :])}/{quote(video.name)}?play_count=0"
        finally:
            server.kill()


async def _serve(folder: str) -> None:
    server = await RtspServer(folder, "127.0.0.1", 0).start()
    assert server._server is not None
    print(_PORT, server._server.sockets[0].getsockname()[1], flush=True)  # it chose one itself
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
