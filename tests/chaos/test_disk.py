"""A disk that is full at any byte of what is published."""

from pathlib import Path

from chaos.disk import ready


def test_a_disk_that_is_full_costs_one_line_and_nothing_else(tmp_path: Path) -> None:
    with ready(tmp_path) as run:
        trials = [run(str(most)) for most in (0, 700, 2000, 3500, 100_000)]
    assert [trial.held for trial in trials] == [True] * 5, trials
    assert [trial.times for trial in trials] == [1, 1, 1, 1, 0]
