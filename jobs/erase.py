"""Labels and features without a video, or without a person: ``emotion_core.labelling.erasing``."""

from emotion_core.cli import run
from emotion_core.labelling.erasing.command import main

if __name__ == "__main__":
    run(main)
