"""The server of the live page: who is refused, who gets what, and when it ends."""

import http.client
import json
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from emotion_core.errors import UsageError
from emotion_core.live.feed import MOST_VIEWERS
from emotion_core.live.messages import frame
from emotion_core.live.server import listen, serve
from emotion_core.live.state import Figures, Moment
from emotion_core.recipes.emotions import EMOTIONS
from tests.support.jobs import run_here
from tests.support.live_session import WAIT_S, MadeUpSession, face, likely, served

FILES = ("", "live.html", "live.js", "live.css", "style.css", "colours.css", "icon.svg")


@pytest.fixture
def address(running: tuple[str, Future[None]]) -> str:
    return running[0]


def get(address: str, path: str | None = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body; ``path`` in place of the address's own."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=WAIT_S)
    try:
        connection.putrequest("GET", parts.path if path is None else path, skip_host=True)
        for name, value in ({"Host": parts.netloc} | headers).items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def feed(address: str, origin: str | None = "", host: str = "") -> connect:
    """A viewer; a context. With the page's own Origin and Host unless others are given."""
    parts = urlsplit(address)
    own = f"{parts.scheme}://{parts.netloc}" if origin == "" else origin
    url = f"ws://{host or parts.netloc}{parts.path}feed"
    return connect(url, origin=own, address=(parts.hostname, parts.port), proxy=None)


def ask(viewer: ClientConnection, after: int = 0) -> dict[str, Any]:
    """The next message: a snapshot's JSON, or what else is said."""
    viewer.send(json.dumps({"want": after}))
    return read(viewer)


def read(viewer: ClientConnection) -> dict[str, Any]:
    said = viewer.recv(timeout=WAIT_S)
    if isinstance(said, str):
        return json.loads(said)
    length = int.from_bytes(said[:4], "big")
    return json.loads(said[4 : 4 + length]) | {"jpeg": said[4 + length :]}


def moment(time_s: float, who: int | None = None) -> Moment:
    return Moment(time_s, who, "happy", likely("happy"))


def test_the_page_and_its_files_are_had_with_the_token(address: str) -> None:
    for name in FILES:
        status, headers, body = get(address + name)
        assert status == 200 and body, name
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers and "server" not in headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "*" not in policy and "https:" not in policy
    assert b".e2 { background: radial-gradient" in get(address + "colours.css")[2]


def test_each_session_has_a_token_of_its_own_and_this_machine_alone(address: str) -> None:
    with served(MadeUpSession()) as (other, _):
        assert urlsplit(other).path != urlsplit(address).path
        assert get(other, urlsplit(address).path)[0] == 403
    assert urlsplit(address).hostname == "127.0.0.1" and len(urlsplit(address).path) > 40


def test_without_the_token_every_path_is_the_same_refusal(address: str) -> None:
    path = urlsplit(address).path
    wrong = "/" + "x" * (len(path) - 2) + "/"
    starts = ("", "/", wrong, path[:-2] + "/", path.swapcase(), "//" + path[1:], "/%C3%A9/")
    answers = {
        (status, body, tuple(sorted(set(headers) - {"content-length"})))
        for start in starts
        for name in (*FILES, "feed", "no-such-file")
        for status, headers, body in [get(address, (start + name) or "/")]
    }
    assert len(answers) == 1, answers
    ((status, body, _),) = answers
    assert (status, body) == (403, b"refused")


def test_a_foreign_host_is_refused(address: str) -> None:
    port = urlsplit(address).port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", ""):
        assert get(address, Host=host)[::2] == (403, b"refused"), host
    for host in (f"localhost:{port}", "127.0.0.1", "localhost:9000"):  # through a tunnel
        assert get(address, Host=host)[0] == 200, host


def test_a_feed_wants_the_token_the_host_and_the_origin(
    session: MadeUpSession, address: str
) -> None:
    parts = urlsplit(address)
    wrong = address.replace(parts.path, "/" + "x" * 43 + "/")
    for where, origin, host in (
        (wrong, "", ""),
        (address, None, ""),
        (address, "null", ""),
        (address, "http://evil.example", ""),
        (address, "http://localhost:3000", ""),
        (address, f"https://{parts.netloc}", ""),
        (address, "http://evil.example", "evil.example"),
    ):
        with pytest.raises(InvalidStatus) as refused, feed(where, origin, host):
            pass
        assert refused.value.response.status_code == 403
        assert refused.value.response.body in (b"", None)
    assert session.orders == []


def test_a_slow_viewer_gets_the_newest_snapshot_and_every_moment(
    session: MadeUpSession, address: str
) -> None:
    with feed(address) as slow, feed(address) as quick:
        hello = read(slow)
        assert hello["labels"] == list(EMOTIONS) and hello["least"] == pytest.approx(0.3)
        assert read(quick) == hello
        session.show(picture=b"one", moments=(moment(0.5),), faces=(face(3, 0.1),))
        first = ask(slow)
        assert (first["number"], first["jpeg"], first["whole"]) == (1, b"one", True)
        assert first["faces"] == [
            {"id": 3, "box": [0.1, 0.25, 0.25, 0.5], "p": [], "speaking": False}
        ]
        for number in range(2, 60):
            session.show(picture=b"%d" % number, moments=(moment(number / 2, 3),))
            said = ask(quick, number - 1)
            assert (said["number"], said["whole"]) == (number, False)
            assert [each["time"] for each in said["moments"]][-1] == number / 2
        late = ask(slow, 1)
        assert (late["number"], late["jpeg"], late["whole"]) == (59, b"59", False)
        assert [each["time"] for each in late["moments"]] == [n / 2 for n in range(2, 60)]
        assert late["moments"][0]["who"] == 3 and late["moments"][0]["p"] == pytest.approx(
            likely("happy"), abs=1e-4
        )
        assert ask(slow, 59) == {}, "nothing new"


def test_a_reload_gets_the_whole_timeline(session: MadeUpSession, address: str) -> None:
    for number in range(5):
        session.show(moments=(moment(number, None),))
    for _ in range(2):
        with feed(address) as viewer:
            read(viewer)
            said = ask(viewer)
            assert said["whole"] and [each["time"] for each in said["moments"]] == [0, 1, 2, 3, 4]


def test_what_is_no_number_is_null(session: MadeUpSession) -> None:
    moments = (Moment(1.0, None, "", (math.nan, 0.5)),)
    session.show(moments, figures=Figures(0.0, math.nan, math.inf, 0, "starting", ""))
    snapshot = session.newest(0, 0)
    assert snapshot
    said = json.loads(frame(snapshot, True)[4:])
    assert said["figures"]["latency_s"] is None and said["figures"]["latency_95_s"] is None
    assert said["moments"][0]["p"] == [None, 0.5] and said["voice"] is None


def test_a_page_pauses_resumes_and_stops(
    session: MadeUpSession, running: tuple[str, Future[None]]
) -> None:
    address, future = running
    with feed(address) as viewer, feed(address) as other:
        read(viewer), read(other)
        seen = []
        for order in ("pause", "resume"):
            viewer.send(json.dumps({"do": order}))
            seen.append(ask(viewer, len(seen))["figures"]["source"])
        assert seen == ["paused", "playing"] and session.orders == ["pause", "resume"]
        viewer.send(json.dumps({"do": "stop"}))
        assert ask(viewer, 2)["figures"]["source"] == "ended"
        assert read(viewer) == {"over": "stopped"}
        assert ask(other, 0)["number"] == 3 and read(other) == {"over": "stopped"}
    assert future.result(timeout=WAIT_S) is None
    with pytest.raises(ConnectionError):
        get(address)


def test_a_source_that_ends_ends_the_server(
    session: MadeUpSession, running: tuple[str, Future[None]]
) -> None:
    address, future = running
    with feed(address) as viewer:
        read(viewer)
        session.source("ended", "the file is over")
        assert ask(viewer)["figures"]["note"] == "the file is over"
        assert read(viewer) == {"over": "ended"}
    assert future.result(timeout=WAIT_S) is None


def test_rubbish_and_a_crowd_are_turned_away(session: MadeUpSession, address: str) -> None:
    for rubbish in (
        "",
        "[1]",
        '{"do": "__class__"}',
        '{"want": "1"}',
        "[" * 1020,
        b"\0",
        "x" * 9000,
    ):
        with feed(address) as viewer:
            read(viewer)
            viewer.send(rubbish)
            with pytest.raises(ConnectionClosed) as closed:
                viewer.recv(timeout=WAIT_S)
            assert closed.value.rcvd and closed.value.rcvd.code in (1008, 1009)
    assert session.orders == []
    with ExitStack() as viewers:
        for _ in range(MOST_VIEWERS):
            read(viewers.enter_context(feed(address)))
        late = viewers.enter_context(feed(address))
        with pytest.raises(ConnectionClosed) as closed:
            late.recv(timeout=WAIT_S)
        assert closed.value.rcvd and closed.value.rcvd.code == 1013


def test_only_this_machine_and_a_port_that_is_free() -> None:
    with listen() as taken:
        here, port = taken.getsockname()
        assert here == "127.0.0.1"
        with pytest.raises(UsageError, match=f"--port {port}: .*; 0 takes a free one"):
            listen(port)


def test_a_port_that_is_taken_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    (tmp_path / "talk.mp4").write_bytes(b"no film")
    with listen() as taken:
        port = taken.getsockname()[1]
        words = ("--source", tmp_path / "talk.mp4", "--port", port, "--save", tmp_path / "out")
        done = run_here("live", *words)
    assert done.returncode == 2 and f"--port {port}" in done.stderr
    assert not (tmp_path / "out").exists()


class BrokenSession(MadeUpSession):
    def newest(self, after: int, timeout: float) -> Any:
        raise RuntimeError("the engine is gone")


def test_an_engine_that_breaks_ends_the_server_with_its_error() -> None:
    with pytest.raises(RuntimeError, match="the engine is gone"):
        serve(BrokenSession(), listen(), lambda address: None)


CTRL_C = """
from tests.support.live_session import MadeUpSession
from emotion_core.live.server import listen, serve
session = MadeUpSession()
serve(session, listen())
print(session.orders, flush=True)
"""


def test_ctrl_c_says_goodbye_stops_the_session_and_returns() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CTRL_C],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "20"},  # its address is one line, however narrow
    )
    try:
        assert process.stdout
        with feed(process.stdout.readline().strip()) as viewer:
            read(viewer)
            process.send_signal(signal.SIGINT)
            with pytest.raises(ConnectionClosed) as closed:
                viewer.recv(timeout=WAIT_S)
            assert closed.value.rcvd and closed.value.rcvd.code == 1012
        out, _ = process.communicate(timeout=WAIT_S)
        assert (process.returncode, out) == (0, "['stop']\n")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
