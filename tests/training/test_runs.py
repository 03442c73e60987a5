"""Each start of a training has a folder of its own, however ``--out`` is written."""

from pathlib import Path

import pytest

from emotion_core import storage
from emotion_core.training.trainer import CHECKPOINTS, _run_config, last_checkpoint


@pytest.mark.parametrize("spelling", ["out/model", "./out//model/", "{}/out/model", "file://{}/m"])
def test_no_start_reuses_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.chdir(tmp_path)
    out = spelling.format(tmp_path)
    for number in range(5):
        name = _run_config(out).name
        assert name == f"run-{number:04d}"
        storage.write_bytes(storage.join(out, CHECKPOINTS, name, "c", "progress.json"), b"{}")
    assert last_checkpoint(out) is None  # none of them is whole


def test_a_removed_run_leaves_its_number_unused(tmp_path: Path) -> None:
    for name in ("run-0000", "run-0002", "run-0011", "other"):
        storage.write_bytes(f"{tmp_path}/{CHECKPOINTS}/{name}/x", b"1")
    assert _run_config(str(tmp_path)).name == "run-0012"
