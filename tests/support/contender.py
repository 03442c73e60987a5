"""A process that asks to be the only writer when it is told to: ``python contender.py``.

It reads one JSON object a line: ``{"out": URI, "at": TIME, "pace": {...}}`` enters at that time and
answers ``{"won": true}``, or ``{"won": false, "why": ...}``. A winner then takes ``check``, which
answers ``{"lost": null}`` or why it lost, and ``leave``, which answers ``{"left": true}``.
"""

import json
import subprocess
import sys
import time
from typing import Any

from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.claims import Pace, sole_writer
from tests.support.jobs import environment


class Contender:
    """A started contender, in another process."""

    def __init__(self, **env: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.contender"],
            env=environment(**env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def tell(self, **request: Any) -> None:
        """Send a request, without waiting for its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self, **request: Any) -> dict[str, Any]:
        self.tell(**request)
        return self.answer()

    def enter(self, out: str, at: float = 0.0, **pace: float) -> None:
        """Have it enter ``out`` at this time; ``answer`` says whether it could."""
        self.tell(out=out, at=at, pace=pace)

    def kill(self) -> None:
        """SIGKILL, and not asked how it ended: it stays a zombie for now."""
        self.process.kill()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def _tell(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


def _enter(out: str, at: float, pace: dict[str, float]) -> None:
    while time.time() < at:
        pass  # to the microsecond
    with sole_writer(out, "labels", lambda words: None, Pace(**pace)) as claim:
        _tell(won=True)
        for line in sys.stdin:
            if "check" in json.loads(line):
                try:
                    claim.check()
                    _tell(lost=None)
                except StorageError as error:
                    _tell(lost=str(error))
            else:
                break
    _tell(left=True)


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if "warm" in request:
            _tell(warm=storage.exists(request["warm"]))
            continue
        try:
            _enter(request["out"], request["at"], request["pace"])
        except UsageError as error:
            _tell(won=False, why=str(error))


if __name__ == "__main__":
    main()
