"""Features -> a model bundle: ``emotion_core.training``."""

from emotion_core.cli import run
from emotion_core.training.command import main

if __name__ == "__main__":
    run(main)
