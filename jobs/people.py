"""Labels -> who is who across videos: ``emotion_core.labelling.people``."""

from emotion_core.cli import run
from emotion_core.labelling.people.command import main

if __name__ == "__main__":
    run(main)
