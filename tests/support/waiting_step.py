"""A made-up step that is stuck until a file appears."""

import time
from pathlib import Path

from emotion_core.clips.work import ClipWork


class Waiting:
    """Hands clips on once ``file`` is there.

    Args:
        file: it is looked for a hundred times a second.
    """

    def __init__(self, file: Path):
        self.file = file

    def __call__(self, works: list[ClipWork]) -> list[ClipWork]:
        while not self.file.exists():
            time.sleep(0.01)
        return works
