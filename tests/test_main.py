"""The program ``emotion-core``: the jobs by name, in a package that brings all it needs."""

import io
import subprocess
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from fnmatch import fnmatch
from importlib import import_module

import pytest

from emotion_core import cli
from emotion_core.main import COMMANDS, main
from tests.test_house import HEAVY, ROOT, tracked

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def said(monkeypatch: pytest.MonkeyPatch, *words: str, job: str = "") -> tuple[int, str, str]:
    """Exit code and both outputs of the program, or of a job, with these words."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", [f"{job}.py" if job else "emotion-core", *words])
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        if job:
            cli.run(import_module(f"jobs.{job}").main)
        main()
    return int(end.value.code or 0), out.getvalue(), err.getvalue()


def test_the_entry_point_is_this_program() -> None:
    module, _, name = PROJECT["project"]["scripts"]["emotion-core"].partition(":")

    assert getattr(import_module(module), name) is main


def test_it_has_every_job_with_the_same_help(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(COMMANDS) == {path.stem for path in (ROOT / "jobs").glob("*.py")} - {"__init__"}
    for name in COMMANDS:
        code, shown, _ = said(monkeypatch, name, "--help")
        assert (code, f"emotion-core {name} [OPTIONS]" in shown) == (0, True)
        _, of_job, _ = said(monkeypatch, "--help", job=name)
        # the first lines hold the name, and blanks up to the width
        assert [line.rstrip() for line in shown.splitlines()][2:] == [
            line.rstrip() for line in of_job.splitlines()
        ][2:], name


def test_its_help_teaches_and_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom emotion_core.main import main\n"
        "sys.argv = ['emotion-core', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    code = end.code\n"
        f"print('loaded', [name for name in {HEAVY!r} if name in sys.modules], 'code', code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert done.stdout.rstrip().endswith("loaded [] code 0"), done.stdout + done.stderr
    for name, (_, line) in COMMANDS.items():
        assert f"{name} " in done.stdout and line in done.stdout


def test_a_name_that_is_none_ends_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, err = said(monkeypatch, "lable", "--videos", "x")

    assert code == 2 and err.count("\n") == 1
    assert "lable" in err and "'label'" in err


def test_a_wheel_holds_all_that_is_no_module() -> None:
    """The page of a report, and the models with their cards and licences."""
    patterns = {
        f"{package.replace('.', '/')}/{pattern}"
        for package, of_it in PROJECT["tool"]["setuptools"]["package-data"].items()
        for pattern in of_it
    }
    data = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.is_relative_to(ROOT / "emotion_core") and path.suffix != ".py"
    ]

    assert sum("models/shipped/" in name for name in data) == 12
    assert [name for name in data if not any(fnmatch(name, each) for each in patterns)] == []
