"""Damaged labels, exported: one line that names what cannot be read, or an export.

A trial is some damaged copies of the same labels, each exported as tables, subtitles and tasks.
"""

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import numpy as np

from chaos.counted import Count
from chaos.models import damage
from chaos.trials import Faults, Run, Trial
from emotion_core.errors import StorageError, UsageError
from emotion_core.exports.command import Format, main
from tests.support.made_labels import write_labels

COPIES = 25
FORMATS = (Format.csv, Format.vtt, Format.textgrid, Format.labelstudio)


def names(count: int, seed: int) -> Sequence[str]:
    """``1:25-50`` is the copies 25 to 49 of seed 1."""
    starts = range(0, count, COPIES)
    return [f"{seed}:{start}-{min(start + COPIES, count)}" for start in starts]


def fate(labels: Path, out: Path) -> str:
    """``works``, ``one line``, or what else an export of these labels ends in."""
    try:
        with redirect_stdout(io.StringIO()):
            main(str(labels), str(out), list(FORMATS))
    except (UsageError, StorageError) as error:
        return "one line" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return "works"


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """Labels, whole."""
    (folder / "whole").mkdir()
    write_labels(folder / "whole")

    def run(name: str) -> Trial:
        seed, _, span = name.partition(":")
        start, stop = map(int, span.split("-"))
        count = Count()
        for number in range(start, stop):
            rng = np.random.default_rng([int(seed), number])
            for place in ("damaged", "out"):
                shutil.rmtree(folder / place, ignore_errors=True)
            shutil.copytree(folder / "whole", folder / "damaged")
            what = damage(folder / "damaged", rng)
            found = fate(folder / "damaged", folder / "out")
            count.rows += 1
            count.expect(found in ("works", "one line"), f"{number}, {what}: {found}")
        return count.trial("exports", name, "damaged labels, exported", stop - start)

    yield run


HAPPENS = "one line that names what cannot be read, or an export"
EXPORTS = Faults(HAPPENS, 1000, names, ready)
