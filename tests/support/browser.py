"""A real Chromium without a window, driven over its debugging pipe: no library, no port."""

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
# It reads from 3 and writes to 4, whatever these are here.
_START = """
import fcntl, os, sys
down, up = (fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3])
os.dup2(down, 3)
os.dup2(up, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page; a context. What its console says is kept.

    Args:
        profile: a new folder.
        width, height: of the window, pixels.
    """

    def __init__(self, profile: Path, width: int = 1100, height: int = 1200):
        assert BROWSER
        down, self._write = os.pipe()
        self._read, up = os.pipe()
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={profile}", f"--window-size={width},{height}",
            "--remote-debugging-pipe", "about:blank",
        ]  # fmt: skip
        start = [sys.executable, "-c", _START, str(down), str(up), *command]
        self._process = subprocess.Popen(start, pass_fds=(down, up), stderr=subprocess.DEVNULL)
        os.close(down)
        os.close(up)
        self._numbers, self._left, self._session = 0, b"", ""
        self.console: list[str] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        (page,) = (t["targetId"] for t in targets if t["type"] == "page")
        attached = self.ask("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.ask(f"{part}.enable")
        # as a person's window has it: else Chromium 156 lets no page copy
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._write)
        os.close(self._read)
        self._process.kill()
        self._process.wait()

    def open(self, page: Path | str) -> None:
        """Load a page to its end."""
        self.ask("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """The value of an expression in the page, run as if somebody had clicked."""
        asked = {"expression": script, "returnByValue": True, "userGesture": True}
        found = self.ask("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, script: str, seconds: float = 120) -> None:
        """Wait until an expression in the page is true."""
        waiting = f"""new Promise((done) => {{
            const end = Date.now() + {1000 * seconds};
            const look = () => {{
                if ({script}) done(true);
                else if (Date.now() > end) done(false);
                else setTimeout(look, 20);
            }};
            look();
        }})"""
        found = self.ask("Runtime.evaluate", expression=waiting, awaitPromise=True)
        assert found["result"].get("value") is True, (
            f"not true after {seconds} s: {script}; {found}"
        )

    def press(self, key: str, shift: bool = False) -> None:
        """A key, pressed and let go where the focus is."""
        codes = {" ": ("Space", 32), "Tab": ("Tab", 9), "Enter": ("Enter", 13)}
        code, number = codes.get(key) or (f"Key{key.upper()}", ord(key.upper()))
        text = {"text": {"Enter": "\r"}.get(key, key)} if key != "Tab" else {}
        told = {"key": key, "code": code, "windowsVirtualKeyCode": number, "modifiers": 8 * shift}
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **told, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **told)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """Another size of the window, light or dark."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """What the window shows, as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])

    def ask(self, method: str, **values: Any) -> dict[str, Any]:
        """One command of the DevTools protocol, and its answer."""
        self._numbers += 1
        asked = {"id": self._numbers, "method": method, "params": values}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._write, json.dumps(asked).encode() + b"\0")
        while (told := self._next()).get("id") != self._numbers:
            pass
        assert "error" not in told, told
        return told["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._left:
            more = os.read(self._read, 1 << 16)
            assert more, "the browser is gone"
            self._left += more
        text, _, self._left = self._left.partition(b"\0")
        told = json.loads(text)
        if told.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
            self.console.append(json.dumps(told["params"]))
        return told
