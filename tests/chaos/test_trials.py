"""The campaign's ledger goes on where it stopped, and its figures are sums of what was found."""

from dataclasses import replace
from pathlib import Path

import pytest

from chaos.counted import Count
from chaos.faults import FAULTS
from chaos.kills import JOBS
from chaos.kills import names as kill_names
from chaos.summary import added, markdown, results
from chaos.trials import Ledger, Trial, read

GOOD = Trial("kills", "1:0", "SIGKILL", 2, 16, parts={"node": 2})
BAD = Trial("kills", "1:1", "SIGKILL", 1, 16, lost=1, parts={"driver": 1})


def test_a_campaign_that_was_killed_goes_on_and_tries_again_what_went_wrong(tmp_path: Path) -> None:
    path = tmp_path / "kills.jsonl"
    ledger = Ledger.open(path)
    for trial in (GOOD, BAD):
        ledger.add(trial)
    with path.open("a") as file:
        file.write('{"fault": "kills", "na')  # killed while it wrote
    again = Ledger.open(path)
    assert again.trials == {"1:0": GOOD, "1:1": BAD}
    assert again.left(["1:0", "1:1", "1:2"]) == ["1:1", "1:2"]
    mended = Trial("kills", "1:1", "SIGKILL", 1, 16, parts={"driver": 1})
    again.add(mended)
    assert read(path) == [GOOD, mended], "the last one counts"


def test_figures_are_sums() -> None:
    found = results([GOOD, BAD], {"kills": "it goes on"})
    (line,) = found["lines"]
    assert (line["times"], line["rows"], line["lost"]) == (3, 32, 1)
    assert found["totals"]["kills"]["times"] == 3
    assert markdown(found).splitlines()[2:] == [
        "| **it goes on** (`--only kills`) | | | | | |",
        "| SIGKILL: driver 1, node 2 | 3 | 32 | 1 | 0 | 0 |",
    ]


def test_campaigns_are_added() -> None:
    one = results([replace(GOOD, date="2026-01-01")], {"kills": "it goes on"})
    full = Trial("disk", "2:0", "a disk that is full", 1, 3, date="2026-01-02")
    two = results([replace(BAD, date="2026-01-02"), full], {"kills": "it goes on", "disk": "so"})
    both = added(one, two)
    assert both["dates"] == ["2026-01-01", "2026-01-02"]
    assert both["totals"]["kills"] == results([GOOD, BAD], {"kills": ""})["totals"]["kills"]
    assert markdown(both).splitlines()[3] == "| SIGKILL: driver 1, node 2 | 3 | 32 | 1 | 0 | 0 |"
    assert both["totals"]["disk"]["rows"] == 3


def row(uri: str, *reasons: str) -> dict:
    status = "degraded" if reasons else "ok"
    return {"uri": uri, "status": status, "reasons": list(reasons), "error": "x"}


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([row("a"), row("b", "cut")], (0, 0, 0)),
        ([row("a")], (1, 0, 0)),
        ([row("a"), row("b"), row("b")], (0, 1, 0)),
        ([row("a"), row("b", "error")], (0, 0, 1)),
    ],
)
def test_rows_are_counted(rows: list[dict], found: tuple[int, int, int]) -> None:
    count = Count()
    count.all(rows, ["a", "b"])
    trial = count.trial("x", "n", "l", 1)
    assert (trial.lost, trial.doubled, trial.errors) == found
    assert trial.held == (found == (0, 0, 0)) and trial.rows == 2


@pytest.mark.parametrize("fault", FAULTS)
def test_a_seed_decides_the_trials(fault: str) -> None:
    names = FAULTS[fault].names
    assert list(names(40, 1)) == list(names(40, 1))
    assert len(set(names(40, 1))) == len(names(40, 1))


def test_kills_are_as_many_as_asked_for_and_no_input_is_hit_twice_by_chance() -> None:
    trials = [name.split(":") for name in kill_names(120, 1)]
    victims = [victims.split(",") for *_, victims in trials]
    assert sum(map(len, victims)) == 120
    assert {job for _, _, job, _ in trials} == set(JOBS)
    for each in victims:
        lives = " ".join(each).replace("head", "driver").split("driver")
        assert all(len(life.split()) <= 1 for life in lives), each
