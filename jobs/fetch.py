"""A published corpus -> a folder or bucket of yours: ``emotion_core.fetching``."""

from emotion_core.cli import run
from emotion_core.fetching.command import main

if __name__ == "__main__":
    run(main)
