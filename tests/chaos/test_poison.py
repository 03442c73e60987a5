"""A decoder that does harm, under a real job."""

from pathlib import Path

import pytest

from chaos.poison import ready


@pytest.mark.slow
def test_a_decoder_that_aborts_costs_its_own_files(tmp_path: Path) -> None:
    with ready(tmp_path) as run:
        trial = run("0:label:aborts")
    assert trial.held and trial.rows == 8, trial
