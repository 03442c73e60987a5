"""Labels -> CSV, subtitles, ELAN, Praat, Label Studio: ``emotion_core.exports``."""

from emotion_core.cli import run
from emotion_core.exports.command import main

if __name__ == "__main__":
    run(main)
