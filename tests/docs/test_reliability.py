"""The campaign's table in docs/reliability.md is that of the results that are kept beside it."""

import json
import re

import pytest

from chaos.faults import FAULTS
from chaos.summary import markdown
from tests.support.jobs import ROOT

TEXT = (ROOT / "docs" / "reliability.md").read_text("utf-8")


@pytest.fixture(scope="module")
def kept() -> dict:
    return json.loads((ROOT / "docs" / "reliability.json").read_text("utf-8"))


def test_the_table_is_that_of_the_results(kept: dict) -> None:
    marks = r"<!-- campaign -->\n\n?(.*?)\n\n?<!-- end of campaign -->"
    (table,) = re.findall(marks, TEXT, re.DOTALL)
    assert table.strip() == markdown(kept)
    (dates,) = re.findall(r"Of (\d{4}-\d\d-\d\d)", TEXT)
    assert dates in kept["dates"]


def test_the_first_page_claims_what_was_counted(kept: dict) -> None:
    claim = r"inputs lost, of ([\d,]+) files broken on purpose and under ([\d,]+) SIGKILLs"
    ((files, kills),) = re.findall(claim, (ROOT / "README.md").read_text("utf-8"))
    assert int(files.replace(",", "")) <= kept["totals"]["mutation"]["times"]
    assert int(kills.replace(",", "")) <= kept["totals"]["kills"]["times"]


def test_nothing_was_lost(kept: dict) -> None:
    assert set(kept["totals"]) <= set(FAULTS)
    for fault, total in kept["totals"].items():
        assert (total["lost"], total["doubled"], total["errors"], total["wrong"]) == (0,) * 4, fault
        assert total["times"] > 0
