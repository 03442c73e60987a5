"""Folders that processes share: made once, removed by the last, whoever is killed in between."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_core.errors import StorageError
from emotion_core.storage.temporary import shared_folder

# Says when it makes the folder and when it has it; goes on with each line of its input.
SHARE = """
import sys
from pathlib import Path
from emotion_core.storage.temporary import shared_folder
def make(place):
    Path(place, "half").touch()
    print("making", flush=True)
    sys.stdin.readline()
    Path(place, "content").write_text(sys.argv[1])
with shared_folder("test", make) as folder:
    print(folder, flush=True)
    sys.stdin.readline()
"""

# Comes and goes as often as it can, beside others.
RUSH = """
import sys
from pathlib import Path
from emotion_core.storage.temporary import shared_folder
for turn in range(100):
    with shared_folder("rush", lambda place: Path(place, "content").write_text("whole")) as folder:
        assert Path(folder, "content").read_text() == "whole"
"""


def start(script: str, root: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], env={**os.environ, "TMPDIR": str(root)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    _, error = process.communicate("\n")
    assert process.returncode == 0, error


def test_one_makes_it_others_wait_and_the_last_removes_it(tmp_path: Path) -> None:
    first = start(SHARE, tmp_path, "first")
    assert line(first) == "making"
    second = start(SHARE, tmp_path, "second")
    go_on(first)
    folder = line(first)
    assert line(second) == folder, "the second one makes nothing"
    assert Path(folder, "content").read_text() == "first"
    end(first)
    assert Path(folder, "content").read_text() == "first", "the second one has it still"
    end(second)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_maker_left_is_never_used(tmp_path: Path) -> None:
    killed = start(SHARE, tmp_path, "killed")
    assert line(killed) == "making"
    waiting = start(SHARE, tmp_path, "waiting")
    killed.kill()
    killed.communicate()
    assert line(waiting) == "making", "it is the other one's turn"
    go_on(waiting)
    folder = line(waiting)
    assert sorted(os.listdir(folder)) == ["content", "half"]
    assert Path(folder, "content").read_text() == "waiting"
    waiting.kill()  # and now one that has it whole
    waiting.communicate()
    assert Path(folder).is_dir()
    third = start(SHARE, tmp_path, "third")
    assert line(third) == "making", "what nobody held was removed"
    go_on(third)
    assert line(third) == folder and Path(folder, "content").read_text() == "third"
    end(third)
    assert not list(tmp_path.iterdir())


def test_a_maker_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(place: str) -> None:
        made.append(place)
        Path(place, "half").touch()
        raise KeyError("no luck")

    made: list[str] = []
    for _ in range(2):
        with pytest.raises(KeyError, match="no luck"), shared_folder("failing", fail):
            pytest.fail("there is nothing to be had")
    assert len(made) == 2 and not os.path.exists(os.path.dirname(made[0]))


def test_many_come_and_go_at_once(tmp_path: Path) -> None:
    crowd = [start(RUSH, tmp_path) for _ in range(4)]
    for process in crowd:
        end(process)
    assert not list(tmp_path.iterdir())


def test_a_folder_for_temporary_files_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python would take another disk without a word."""
    missing = str(tmp_path / "missing")
    monkeypatch.setenv("TMPDIR", missing)
    with (
        pytest.raises(StorageError, match=f"TMPDIR={missing}: no folder that can be written"),
        shared_folder("test", os.listdir),  # type: ignore[arg-type]
    ):
        pytest.fail("there is nothing to be had")


def test_another_users_folder_is_not_trusted(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can make another user's folder")
    script = (
        "import os, sys; os.mkdir(sys.argv[1]); os.chown(sys.argv[1], 1, 1)\n"
        "from emotion_core.storage.temporary import shared_folder\n"
        "with shared_folder('test', print): pass"
    )
    process = start(script, tmp_path, str(tmp_path / f"emotion-core-test-{os.getuid()}"))
    _, error = process.communicate()
    assert "somebody else's" in error.splitlines()[-1] and "TMPDIR" in error.splitlines()[-1]
