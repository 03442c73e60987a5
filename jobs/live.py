"""A camera, a stream or a file as it plays -> a local page: ``emotion_core.live``."""

from emotion_core.cli import run
from emotion_core.live.command import main

if __name__ == "__main__":
    run(main)
