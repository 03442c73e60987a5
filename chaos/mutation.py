"""Mutated files of all containers through the steps of ``label`` and ``preprocess``.

A trial is a hundred files, each through both jobs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chaos.counted import Count
from chaos.trials import Faults, Run, Trial
from tests.support.both_jobs import both_jobs
from tests.support.containers import NAMES, small_ones
from tests.support.labelling import untrained
from tests.support.mutations import mutant
from tests.support.small_recipes import small

FILES = 100


def names(count: int, seed: int) -> Sequence[str]:
    """``0:300-400`` is the files 300 to 399 of seed 0."""
    starts = range(0, count, FILES)
    return [f"{seed}:{start}-{min(start + FILES, count)}" for start in starts]


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """Whole files and both jobs' steps with small networks."""
    whole = small_ones(folder)
    recipe = small("timedist-blstm")
    with both_jobs(untrained(folder / "model", recipe=recipe), recipe) as jobs:

        def run(name: str) -> Trial:
            seed, _, span = name.partition(":")
            start, stop = map(int, span.split("-"))
            count = Count()
            for number in range(start, stop):
                called, data = mutant(whole, number, int(seed))
                path = folder / called
                path.write_bytes(data)
                for job, rows in jobs.rows(path).items():
                    count.one(f"{called}, {job}", rows)
                path.unlink()
            line = f"mutated files of {len(NAMES)} kinds, each through `label` and `preprocess`"
            return count.trial("mutation", name, line, stop - start)

        yield run


HAPPENS = "a row each, which says what was wrong if anything was"
MUTATION = Faults(HAPPENS, 10_000, names, ready)
