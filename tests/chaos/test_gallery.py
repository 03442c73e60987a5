"""Odd and broken files fare as the campaign's table says, by both jobs and all decoders."""

from pathlib import Path

import pytest

from chaos.gallery import EXPECTED, REFUSED_BY_DECORD, expected, names, ready
from chaos.gallery_files import FILES

FEW = ("zero bytes", "faststart cut in half", "video with nothing but silence", "two video streams")


def test_the_table_names_kinds_that_there_are() -> None:
    assert {*EXPECTED, *REFUSED_BY_DECORD} <= set(FILES)
    assert len(FILES) >= 60
    assert expected("one byte", "label") == "failed unreadable"
    assert expected("mpeg2.mpg", "preprocess, decord") == "failed unreadable"
    assert expected("mpeg2.mpg", "preprocess, auto") == "ok"


def test_a_few_kinds(tmp_path: Path) -> None:
    with ready(tmp_path) as run:
        for name in FEW:
            trial = run(name)
            assert trial.held and trial.rows == 4, trial


@pytest.mark.slow
def test_twenty_kinds(tmp_path: Path) -> None:
    drawn = [name for name in names(len(FILES), seed=3) if "8K" not in name][:20]
    with ready(tmp_path) as run:
        assert [trial for trial in map(run, drawn) if not trial.held] == []
