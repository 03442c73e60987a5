"""An input that takes its worker down gets its row, and the inputs beside it are done."""

from functools import partial
from pathlib import Path

import pytest
from ray.experimental.internal_kv import _internal_kv_list

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.work import ClipWork
from emotion_core.engine.attempts import Attempts, Note, notes_of
from emotion_core.engine.needs import Needs
from emotion_core.engine.plan import Group
from emotion_core.engine.run import run_groups
from tests.support.deadly_step import Deadly, times_begun

Row = tuple[str, str, tuple[str, ...], str | None]

CRASH = "crash: its worker died 2 times (no memory left, or a library crashed)"
FAILED = ("failed", "worker", ("crash",), CRASH)


def run(folder: Path, victims: dict[str, int], groups: int = 1, count: int = 12) -> dict[str, Row]:
    """Clips ``a``, ``b``, ... through one worker a group, four at a time: how each fared."""

    def write(works: list[ClipWork]) -> str:
        path = folder / f"{works[0].clip['uri']}.txt"
        with path.open("a") as file:
            for work in works:
                outcome = work.outcome
                row = (outcome.status, outcome.stage, outcome.reasons, outcome.error)
                file.write(f"{(work.clip['uri'], row)!r}\n")
        return str(path)

    clips = manifest_table([Clip(chr(ord("a") + i), 1, "v") for i in range(count)])
    deadly = Group((partial(Deadly, folder, victims),), Needs(cpus=0.3), 1, 1)
    ahead = Group((lambda: lambda works: works,), Needs(cpus=0.3), 1, 1)
    parts = list(run_groups(clips, [ahead] * (groups - 1) + [deadly], write, 4, batch=4))
    lines = [line for part in parts for line in Path(part.uri).read_text().splitlines()]
    rows = dict(map(eval, lines))
    assert len(lines) == len(rows) == count, "one row for each"
    return rows


@pytest.mark.parametrize("groups", [1, 2])
def test_an_input_that_kills_its_worker_gets_its_row_and_the_others_are_done(
    ray_local: None, tmp_path: Path, groups: int
) -> None:
    rows = run(tmp_path, {"f": 99}, groups)

    assert rows.pop("f") == FAILED
    assert set(rows.values()) == {("ok", None, (), None)}
    assert times_begun(tmp_path).count("f") == 2, "it is not tried a third time"


def test_an_input_that_kills_its_worker_once_is_done(ray_local: None, tmp_path: Path) -> None:
    rows = run(tmp_path, {"b": 1, "k": 1})

    assert {row[0] for row in rows.values()} == {"ok"}
    assert times_begun(tmp_path).count("k") == 2


def test_several_deadly_inputs_in_a_batch_take_no_innocent_along(
    ray_local: None, tmp_path: Path
) -> None:
    rows = run(tmp_path, {"e": 99, "g": 99, "h": 99})

    failed = {uri: row for uri, row in rows.items() if row[0] != "ok"}
    assert failed == dict.fromkeys("egh", FAILED)


def test_nothing_of_the_account_is_left_when_a_run_is_over(ray_local: None, tmp_path: Path) -> None:
    run(tmp_path, {})

    assert _internal_kv_list("", namespace="emotion-core") == []


# --- the account itself --------------------------------------------------------------------------


class Worker:
    """A worker's account through its lives, without Ray."""

    def __init__(self) -> None:
        self.kept = Note("node")
        self.account = Attempts(self.kept, self._keep)

    def _keep(self, note: Note) -> None:
        self.kept = note

    def dies(self, node_lives: bool = True) -> None:
        self.account = Attempts(self.kept.after_death("node", node_lives), self._keep)

    def deaths(self, names: str) -> list[int]:
        return [self.account.deaths(name) for name in names]


def test_all_of_a_batch_are_suspected_until_one_dies_alone() -> None:
    worker = Worker()
    worker.account.begin(dict(a="/a", b="/b", c="/c"))
    worker.dies()
    assert worker.deaths("abcd") == [1, 1, 1, 0]
    worker.account.begin({"b": "/b"})
    worker.dies()
    assert worker.deaths("abc") == [0, 2, 0]


def test_a_death_without_work_or_with_its_node_is_nobodys() -> None:
    worker = Worker()
    worker.account.begin({"a": "/a"})
    worker.account.end(1)
    worker.dies()
    worker.account.begin({"b": "/b"})
    worker.dies(node_lives=False)
    assert worker.deaths("ab") == [0, 0]
    assert worker.kept.done == 1


def test_a_worker_that_dies_before_its_next_batch_counts_no_death_twice() -> None:
    worker = Worker()
    worker.account.begin({"a": "/a"})
    worker.dies()
    worker.dies()
    assert worker.deaths("a") == [1]


def test_notes_of_a_run_that_nobody_knows_are_none(ray_local: None) -> None:
    assert notes_of("nobody") == {}
