"""A model -> its figures on labelled features: ``emotion_core.evaluation``."""

from emotion_core.cli import run
from emotion_core.evaluation.command import main

if __name__ == "__main__":
    run(main)
