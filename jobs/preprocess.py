"""Corpora -> features in Parquet: ``emotion_core.preprocessing``."""

from emotion_core.cli import run
from emotion_core.preprocessing.command import main

if __name__ == "__main__":
    run(main)
