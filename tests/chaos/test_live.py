"""A session outlives its source's troubles, a full disk, and damaged files."""

from pathlib import Path

import pytest

from chaos import live


@pytest.mark.slow
def test_each_kind_of_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "EACH", 1)
    with live.ready(tmp_path) as run:
        for number, kind in enumerate(live.KINDS):
            trial = run(f"0:{number}:{kind}")
            assert trial.held and trial.times > 0, trial
