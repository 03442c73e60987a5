"""One writer at a time: real second processes, on a local folder and on S3 servers of two makes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest
from pytest import MonkeyPatch

from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.claim_places import CLAIM, Found, LocalPlace, S3Place, place_of
from emotion_core.storage.claims import UNCERTAIN, Holder, Pace, sole_writer
from emotion_core.storage.processes import Process, this_process
from tests.support.contender import Contender
from tests.support.s3 import AnyS3

DEADLINE_S = 30.0
# rclone decides nothing, so that each round there waits for the moment of reading back
ROUNDS = {"rclone": 3, "moto": 15}
# The claim of whoever else has it counts as dead, whatever its age.
TAKES_ALL = Pace(dead_s=-1.0, settle_s=0.0)
ONE_LINE = r"^[^\n]+: another job writes labels there \(host [^\n]+\): wait until it ends; should "


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.005)


def silent(words: str) -> None:
    pytest.fail(f"nothing was to be said: {words}")


def quiet(words: str) -> None:
    """What the store cannot do is another test's matter."""


@pytest.fixture
def out(tmp_path: Path) -> str:
    return str(tmp_path / "out")


@pytest.fixture(scope="module")
def starting() -> Iterator[Callable[..., Contender]]:
    """Contenders are made by calling this, and ended when the module's tests are done."""
    made: list[Contender] = []

    def start(**env: str) -> Contender:
        made.append(Contender(**env))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture(scope="module")
def two(starting: Callable[..., Contender]) -> Callable[..., tuple[Contender, Contender]]:
    """Two with this environment, the same ones for every test; it leaves them outside."""
    pairs: dict[str, tuple[Contender, Contender]] = {}

    def pair(**env: str) -> tuple[Contender, Contender]:
        place = env.get("AWS_ENDPOINT_URL", "")
        if place not in pairs:
            pairs[place] = (starting(**env), starting(**env))
        return pairs[place]

    return pair


Pair = Callable[..., tuple[Contender, Contender]]


def race(first: Contender, second: Contender, out: str, **pace: float) -> str:
    """Both enter at the same moment: checks that one can, has it leave, gives the other's line."""
    at = time.time() + 0.02
    for each in (first, second):
        each.enter(out, at, **pace)
    answers = {each: each.answer() for each in (first, second)}
    won = [each for each, answer in answers.items() if answer["won"]]
    assert len(won) == 1, answers
    assert won[0].ask(check=1) == {"lost": None}
    assert won[0].ask(leave=1) == {"left": True}
    (line,) = (answer["why"] for answer in answers.values() if not answer["won"])
    return line


def leave_dead(out: str, process: Process) -> None:
    """A claim that nobody renews: of this process."""
    assert place_of(out).put(Holder("labels", process).stamped(), None) is not None


def ended_process() -> Process:
    """One of this machine that lives no more, under an id that may be used again."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return Process("here", this_process().machine, child.pid, 1)


# --- who comes first ------------------------------------------------------------------------------


def test_of_two_at_the_same_moment_one_wins(two: Pair, out: str) -> None:
    for number in range(100):
        line = race(*two(), f"{out}/{number % 2}")
        assert "another job writes labels there (host " in line and "\n" not in line
        assert os.listdir(f"{out}/{number % 2}") == []


def test_of_two_on_a_store_one_wins(any_s3: AnyS3, two: Pair) -> None:
    for each in two(**any_s3.env):  # the first call to a store loads what it needs
        each.ask(warm=any_s3.root)
    for number in range(ROUNDS[any_s3.name]):
        out = f"{any_s3.root}/{number}"
        line = race(*two(**any_s3.env), out)
        assert line.startswith(f"{out}: another job writes labels there (host ")
        assert not storage.exists(f"{out}/{CLAIM}")


def test_of_two_that_find_the_same_dead_claim_one_wins(two: Pair, out: str) -> None:
    dead = ended_process()
    for number in range(50):
        leave_dead(f"{out}/{number}", dead)
        race(*two(), f"{out}/{number}")


def test_of_two_that_find_a_dead_claim_on_a_store_one_wins(any_s3: AnyS3, two: Pair) -> None:
    dead = ended_process()
    for each in two(**any_s3.env):
        each.ask(warm=any_s3.root)
    for number in range(ROUNDS[any_s3.name]):
        leave_dead(f"{any_s3.root}/{number}", dead)
        race(*two(**any_s3.env), f"{any_s3.root}/{number}")


def test_the_second_gets_one_line_with_who_and_the_way_out(out: str) -> None:
    with sole_writer(out, "labels", silent):
        with pytest.raises(UsageError, match=ONE_LINE) as refused, sole_writer(out, "x", silent):
            pass
        told = str(refused.value)
        assert told.startswith(f"{out}: ") and f"process {os.getpid()}, since 20" in told
        assert "last sign of life 0 s ago" in told and told.endswith("run this again in 120 s")
    with sole_writer(out, "labels", silent):
        pass


# --- who is dead ----------------------------------------------------------------------------------


def test_a_killed_job_can_be_repeated_at_once(starting: Callable[..., Contender], out: str) -> None:
    first = starting()
    first.enter(out)
    assert first.answer() == {"won": True}
    with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", silent):
        pass
    first.kill()  # and nobody asks how it ended, as when a shell's parent is busy
    wait_for(lambda: _state(first.process.pid) == "Z")
    with sole_writer(out, "labels", silent) as claim:
        claim.check()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_killed_job_on_a_store_can_be_repeated_at_once(
    any_s3: AnyS3, starting: Callable[..., Contender]
) -> None:
    out, first = f"{any_s3.root}/out", starting(**any_s3.env)
    first.enter(out, settle_s=0.0)
    assert first.answer() == {"won": True}
    with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", quiet):
        pass
    first.end()
    with sole_writer(out, "labels", quiet, Pace(settle_s=0.0)) as claim:
        claim.check()


@pytest.mark.parametrize(
    "change",
    [{"machine": "another start pid:[1]"}, {"machine": None}, {"born": None}],
    ids=["another machine", "an unknown machine", "an unknown start"],
)
def test_of_a_process_elsewhere_only_the_age_tells(out: str, change: dict[str, Any]) -> None:
    here = vars_of(ended_process())
    leave_dead(out, Process(**{**here, **change}))
    with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", silent):
        pass
    os.utime(Path(out, CLAIM), (time.time() - 119,) * 2)
    with pytest.raises(UsageError, match=r"run this again in [01] s$"), sole_writer(out, "", quiet):
        pass
    os.utime(Path(out, CLAIM), (time.time() - 121,) * 2)
    with sole_writer(out, "labels", silent):
        pass


def vars_of(process: Process) -> dict[str, Any]:
    return {name: getattr(process, name) for name in ("host", "machine", "pid", "born")}


def test_another_process_with_the_same_id_is_not_the_writer() -> None:
    here = this_process()
    assert not here.is_dead()
    assert Process(here.host, here.machine, here.pid, (here.born or 0) - 1).is_dead()


def test_a_process_that_is_not_shown_is_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ``hidepid`` nobody sees what other users run; that says nothing of whether it lives."""
    here, read = this_process(), Path.read_text

    def hidden(path: Path, *arguments: Any, **named: Any) -> str:
        if path.name == "stat":
            raise FileNotFoundError(path)
        return read(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", hidden)
    assert not here.is_dead()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert Process(here.host, here.machine, ended.pid, 1).is_dead()


def test_a_stale_claim_on_a_store_is_taken(any_s3: AnyS3) -> None:
    out, elsewhere = f"{any_s3.root}/out", Process("far", "another start", 1, 1)
    leave_dead(out, elsewhere)
    with pytest.raises(UsageError, match=r"host far, process 1"), sole_writer(out, "x", quiet):
        pass
    with sole_writer(out, "labels", quiet, TAKES_ALL) as claim:
        claim.check()


# --- what lies there ------------------------------------------------------------------------------


def test_what_cannot_be_read_goes_by_its_age(out: str) -> None:
    claim = Path(out, CLAIM)
    claim.parent.mkdir()
    for content in (b'{"kind": "lab', b"[]", b"\xff"):
        claim.write_bytes(content)
        told = rf"^{out}/{CLAIM}: not a claim that can be read, 0 s old: .* again in 120 s$"
        with pytest.raises(UsageError, match=told), sole_writer(out, "labels", silent):
            pass
        os.utime(claim, (time.time() - 121,) * 2)
        with sole_writer(out, "labels", silent):
            assert json.loads(claim.read_bytes())["kind"] == "labels"
    claim.write_bytes(b"")  # killed after making it, before writing it
    with sole_writer(out, "labels", silent):
        pass


def test_the_claim_goes_with_an_error_too(out: str) -> None:
    with pytest.raises(KeyError), sole_writer(out, "labels", silent):
        assert os.listdir(out) == [CLAIM] and storage.list_files(out) == []
        raise KeyError
    assert os.listdir(out) == []


def test_overwriting_removes_everything_but_the_claim(out: str) -> None:
    with storage.hold_output(out, "labels", {"a": 1}, say=silent):
        storage.write_bytes(f"{out}/videos/part-x.parquet", b"1")
    with storage.hold_output(out, "labels", {"a": 2}, overwrite=True, say=silent) as claim:
        assert sorted(os.listdir(out)) == [CLAIM, "settings.json"]
        claim.check()


def test_overwriting_waits_for_its_turn(out: str) -> None:
    with storage.hold_output(out, "labels", {"a": 1}, say=silent) as claim:
        storage.write_bytes(f"{out}/videos/x.parquet", b"1")
        for settings, overwrite in (({"a": 1}, False), ({"a": 2}, True)):
            with (
                pytest.raises(UsageError, match=ONE_LINE),
                storage.hold_output(out, "labels", settings, overwrite, say=silent),
            ):
                pass
        assert storage.read_bytes(f"{out}/videos/x.parquet") == b"1"
        claim.check()


def test_a_folder_that_is_not_ours_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with (
        pytest.raises(UsageError, match="not made by this job"),
        storage.hold_output(str(tmp_path), "labels", {}, overwrite=True, say=silent),
    ):
        pass
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_place_that_cannot_be_written_gives_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told = r"^cannot write to [^\n]*file/out: [^\n]*not a directory"
    with (
        pytest.raises(UsageError, match=told),
        sole_writer(str(tmp_path / "file" / "out"), "labels", silent),
    ):
        pass


# --- keeping and losing it ------------------------------------------------------------------------


def test_renewing_keeps_it(out: str) -> None:
    claim, long_ago = Path(out, CLAIM), time.time() - 1000
    with sole_writer(out, "labels", silent, Pace(renew_s=0.01)):
        os.utime(claim, (long_ago, long_ago))
        wait_for(lambda: claim.stat().st_mtime > long_ago + 900)
        with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", silent):
            pass


def test_renewing_keeps_it_on_a_store(any_s3: AnyS3) -> None:
    out = f"{any_s3.root}/out"

    def renewed() -> str:
        return storage.read_json(f"{out}/{CLAIM}")["renewed"]

    with sole_writer(out, "labels", quiet, Pace(renew_s=0.05, settle_s=0.0)) as claim:
        for _ in range(3):
            before = renewed()
            wait_for(lambda before=before: renewed() != before)
        claim.check()


def test_a_job_that_stood_still_notices_that_it_lost(
    starting: Callable[..., Contender], out: str
) -> None:
    first = starting()
    first.enter(out, renew_s=3600.0, dead_s=0.0)  # it looks only when it is asked
    assert first.answer() == {"won": True}
    assert first.ask(check=1) == {"lost": None}
    os.kill(first.process.pid, signal.SIGSTOP)
    with sole_writer(out, "labels", silent, TAKES_ALL) as claim:
        os.kill(first.process.pid, signal.SIGCONT)
        lost = first.ask(check=1)["lost"]
        assert lost.startswith(f"{out}: another job took over (host ")
        assert f"process {os.getpid()}" in lost and "\n" not in lost
        assert first.ask(leave=1) == {"left": True}
        claim.check()
        assert os.listdir(out) == [CLAIM], "the loser removed the winner's claim"


def test_a_loss_is_noticed_while_renewing(any_s3: AnyS3) -> None:
    out = f"{any_s3.root}/out"
    with sole_writer(out, "labels", quiet, Pace(renew_s=0.05, settle_s=0.0)) as claim:
        with sole_writer(out, "labels", quiet, TAKES_ALL) as other:
            # until one of them has seen the other's, on a store that decides nothing
            wait_for(lambda: claim._lost or other._lost)
            loser, winner = (claim, other) if claim._lost else (other, claim)
            with pytest.raises(StorageError, match=r"another job took over \(host "):
                loser.check()
            winner.check()
        if any_s3.name == "moto":
            assert loser is claim


def test_a_claim_that_somebody_removed_is_lost(out: str) -> None:
    with sole_writer(out, "labels", silent, Pace(renew_s=0.01)) as claim:
        os.unlink(Path(out, CLAIM))
        wait_for(lambda: claim._lost)
        with pytest.raises(StorageError, match=r"\.writer\.json was removed"):
            claim.check()


def test_a_store_that_is_away_for_a_while_does_not_matter(out: str, monkeypatch) -> None:
    real, calls = LocalPlace.put, []

    def put(self: LocalPlace, data: bytes, over: Found | None) -> Found | None:
        calls.append(data)
        if len(calls) in (2, 3):
            raise StorageError("away")
        held = real(self, data, over)
        return None if len(calls) == 4 else held  # written, and the answer was lost

    monkeypatch.setattr(LocalPlace, "put", put)
    with sole_writer(out, "labels", silent, Pace(renew_s=0.01)) as claim:
        wait_for(lambda: len(calls) > 6)
        claim.check()
    assert os.listdir(out) == []


# --- what a store guarantees ----------------------------------------------------------------------


def test_a_store_says_what_it_cannot_do(any_s3: AnyS3) -> None:
    said: list[str] = []
    with sole_writer(f"{any_s3.root}/out", "labels", said.append, Pace(settle_s=0.0)) as claim:
        assert said == ([UNCERTAIN] if any_s3.name == "rclone" else [])
        claim.check()


@pytest.mark.parametrize("condition", ["IfNoneMatch", "IfMatch"])
@pytest.mark.parametrize("answer", ["NotImplemented", None])
def test_both_conditions_are_tried(
    any_s3: AnyS3, monkeypatch: MonkeyPatch, condition: str, answer: str | None
) -> None:
    """A store may know one and not the other, and say so or not."""
    real = S3Place._put

    def put(self: S3Place, data: bytes, **conditions: str) -> str | None:
        if condition in conditions and answer is not None:
            error = botocore.exceptions.ClientError({"Error": {"Code": answer}}, "PutObject")
            with monkeypatch.context() as patch:
                patch.setattr(self.fs, "call_s3", lambda *a, **k: (_ for _ in ()).throw(error))
                return real(self, data, **conditions)
        kept = {name: value for name, value in conditions.items() if name != condition}
        return real(self, data, **kept)

    monkeypatch.setattr(S3Place, "_put", put)
    said: list[str] = []
    out = f"{any_s3.root}/out"
    with sole_writer(out, "labels", said.append, Pace(renew_s=0.05, settle_s=0.0)) as claim:
        assert said == [UNCERTAIN]
        with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", quiet):
            pass
        before = storage.read_json(f"{out}/{CLAIM}")["renewed"]
        wait_for(lambda: storage.read_json(f"{out}/{CLAIM}")["renewed"] != before)
        claim.check()


def test_who_reads_back_another_claim_gives_up(out: str) -> None:
    """On a filesystem without conditions: the other one writes after we looked."""
    uri = "memory://claims-read-back"
    waited: list[float] = []

    def other_comes(seconds: float) -> None:
        waited.append(seconds)
        place = place_of(uri)
        place._put(Holder("labels", Process("far", None, 1, None)).stamped())

    pace = Pace(settle_s=0.7, sleep=other_comes)
    with pytest.raises(UsageError, match="host far"), sole_writer(uri, "labels", quiet, pace):
        pass
    assert len(waited) == 1 and waited[0] >= 0.7
    said: list[str] = []
    with sole_writer(uri, "labels", said.append, TAKES_ALL) as claim:
        claim.check()
    assert said == [UNCERTAIN]
    assert not storage.exists(f"{uri}/{CLAIM}")


def test_without_locks_a_folder_is_read_back(out: str, monkeypatch: MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", no_locks)
    said: list[str] = []
    with sole_writer(out, "labels", said.append, Pace(settle_s=0.0)) as claim:
        assert said == [UNCERTAIN]
        with pytest.raises(UsageError, match=ONE_LINE), sole_writer(out, "labels", quiet):
            pass
        claim.check()
