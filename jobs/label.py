"""Videos -> who felt what when, in Parquet: ``emotion_core.labelling``."""

from emotion_core.cli import run
from emotion_core.labelling.command import main

if __name__ == "__main__":
    run(main)
