"""Labels -> pages to look at: ``emotion_core.labelling.report``."""

from emotion_core.cli import run
from emotion_core.labelling.report.command import main

if __name__ == "__main__":
    run(main)
