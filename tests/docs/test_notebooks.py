"""The notebooks of examples/ run from above to below, as they are committed: with small outputs."""

import sysconfig
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.jobs import ROOT

FOLDER = ROOT / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST_BYTES = 300_000


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: Any, kind: str) -> list[str]:
    """What the cells show, of one media type, in their order."""
    shown = (output.get("data", {}) for cell in code(notebook) for output in cell.outputs)
    return [data[kind] for data in shown if kind in data]


def printed(notebook: Any) -> str:
    found = (output for cell in code(notebook) for output in cell.outputs)
    return "".join(output.text for output in found if output.output_type == "stream")


def executed(name: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A notebook run where Jupyter would run it, with its results in ``out``."""
    for key, value in {"OUT": str(out), "RAY_ADDRESS": "local", "PYTHONPATH": str(ROOT)}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("PATH", sysconfig.get_path("scripts"), prepend=":")
    monkeypatch.delenv("VIDEOS", raising=False)
    notebook = nbformat.read(FOLDER / name, as_version=4)
    where = {"metadata": {"path": str(FOLDER)}}
    return NotebookClient(notebook, timeout=1000, resources=where).execute()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_with_small_outputs_of_one_run(path: Path) -> None:
    assert path.stat().st_size < MOST_BYTES
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run it from above to below"
    assert outputs(notebook, "image/png"), "somebody who only looks wants to see something"
    assert all(output.output_type != "error" for c in code(notebook) for output in c.outputs)
    for place in ("/tmp", "/home", str(ROOT)):
        assert place not in path.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_folder_is_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = executed("label_a_folder.ipynb", tmp_path, monkeypatch)
    counts = "{'inputs': 3, 'ok': 2, 'degraded': 1, 'failed': 0}"
    assert counts in outputs(done, "text/plain")
    assert len(outputs(done, "image/png")) == 2 and len(outputs(done, "text/html")) == 3
    assert (tmp_path / "labels" / "report.html").is_file()
    committed = nbformat.read(FOLDER / "label_a_folder.ipynb", as_version=4)
    assert counts in outputs(committed, "text/plain")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_emobox_s_protocol_is_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With RAVDESS where it is, else with the demo corpus; ``EPOCHS`` only makes it shorter."""
    monkeypatch.setenv("EPOCHS", "1")
    done = executed("reproduce_emobox.ipynb", tmp_path, monkeypatch)
    said = printed(done)
    assert "192 clips" in said if "RAVDESS\n" in said else "48 clips" in said
    folds, figures = outputs(done, "text/html")[:2]
    for fold in range(6):
        assert f"emobox6:{fold}" in folds
    assert "01 11 20 21" in folds, "EmoBox's first test side"
    assert "war" in figures and "uar" in figures
    assert outputs(done, "image/png")
