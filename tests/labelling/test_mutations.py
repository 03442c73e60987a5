"""Broken files through the steps of both jobs: each is one row that says what it was.

The steps run in this process, their decoders in children of it, as in a worker of either job: what
Ray adds is a queue, and starting it would take longer than the files. ``make chaos`` takes ten
thousand others (docs/reliability.md has what became of them).
"""

from collections import Counter
from pathlib import Path

import pytest

from emotion_core.storage.schemas import REASONS
from tests.support.both_jobs import both_jobs
from tests.support.containers import small_ones
from tests.support.labelling import untrained
from tests.support.mutations import mutants
from tests.support.small_recipes import small

COUNT = 300
EXPECTED = set(REASONS) - {"error", "gone"}
# This process, for which models and libraries are loaded by then: what may come on top.
GROWTH_MB = 200


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_each_broken_file_is_a_row(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    whole = small_ones(tmp_path_factory.mktemp("whole"))
    recipe = small("timedist-blstm")
    tally: Counter[str] = Counter()
    settled_mb = 0.0
    with both_jobs(untrained(tmp_path / "model", recipe=recipe), recipe) as jobs:
        for number, (name, data) in enumerate(mutants(whole, COUNT)):
            path = tmp_path / name
            path.write_bytes(data)
            for (row,) in jobs.rows(path).values():
                assert set(row["reasons"]) <= EXPECTED, (name, row)
                assert (row["status"] == "ok") == (not row["reasons"]), (name, row)
                tally.update([row["status"], *row["reasons"]])
            path.unlink()
            if number == COUNT // 4:
                settled_mb = resident_mb()
        assert resident_mb() < settled_mb + GROWTH_MB
        good = tmp_path / "h264.mp4"
        good.write_bytes(whole["h264.mp4"])
        for (row,) in jobs.rows(good).values():
            # its tone is no speech
            assert set(row["reasons"]) <= {"no_speech"}, "no worker is lost for good"
    assert tally["ok"] + tally["degraded"] + tally["failed"] == 2 * COUNT
    # broken in many ways: of each outcome there are some
    assert min(tally["ok"], tally["degraded"], tally["failed"]) > COUNT // 10, tally
    assert tally["crash"] + tally["timeout"] < COUNT // 50, tally
