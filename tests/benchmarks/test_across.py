"""The table of models by corpora, from evaluations."""

from pathlib import Path

import pytest

from benchmarks.across import cells, main
from emotion_core.errors import UsageError
from emotion_core.storage import write_json


def write(folder: Path, model: str, corpus: str, war: float, known: tuple[str, ...] = ()) -> None:
    told = {"war": war, "uar": war / 2, "ece_mass": 0.1, "speakers_known_to_model": known}
    write_json(str(folder / model / corpus / "metrics.json"), told)


def test_models_by_corpora(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "ravdess", "savee", 0.25)
    write(tmp_path, "ravdess", "tess", 0.5)
    write(tmp_path, "savee+tess", "ravdess", 0.75)
    main(tmp_path)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| learned from | ravdess | savee | tess |"
    assert lines[2].split(" | ")[1:3] == ["", "25.0%, UAR 12.5%, ECE 0.100"]
    assert lines[3].startswith("| `savee+tess` | 75.0%, UAR 37.5%") and len(lines) == 4


def test_a_model_that_has_met_them_has_no_figure_here(tmp_path: Path) -> None:
    write(tmp_path, "ravdess", "ravdess", 0.9, known=("ravdess/01",))
    with pytest.raises(UsageError, match="has met speakers"):
        cells(tmp_path)
    with pytest.raises(UsageError, match="no evaluation there"):
        main(tmp_path / "none")
