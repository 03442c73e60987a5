"""Each start of a training has a folder of its own, however ``--out`` is written."""

import shutil
from pathlib import Path

import pytest
import torch

from emotion_core import storage
from emotion_core.storage.reading import bytes_of
from emotion_core.training import trainer
from emotion_core.training.snapshot import EpochRow, Snapshot
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


def checkpoint(out: Path, name: str, epochs: int) -> None:
    rows = tuple(
        EpochRow(
            epoch=number, phase="", lr=0.1, loss=1.0, war=0.5, validation_loss=None,
            validation_war=None, validation_uar=None, best=True, seconds=1.0, time=0.0, workers=1,
        )
        for number in range(epochs)
    )  # fmt: skip
    weights = {"w": torch.ones(2)}
    for file, data in Snapshot(rows, weights, weights, {}, finished=False).to_files().items():
        storage.write_bytes(f"{out}/{CHECKPOINTS}/run-0000/{name}/{file}", data)


def test_a_checkpoint_that_goes_while_it_is_read_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that outlived its job writes a checkpoint and removes the oldest one."""
    checkpoint(tmp_path, "a", 1)
    checkpoint(tmp_path, "b", 2)
    reads = []

    def read(uri: str, start: int | None, end: int | None) -> bytes:
        if not reads:
            checkpoint(tmp_path, "c", 3)
            shutil.rmtree(tmp_path / CHECKPOINTS / "run-0000" / "a")
        reads.append(uri)
        return bytes_of(uri, start, end)

    monkeypatch.setattr(trainer, "bytes_of", read)
    found = last_checkpoint(str(tmp_path))
    assert found is not None and len(found.history) == 3
    assert "/a/" in reads[0]
