"""Every fault that a cluster knows, many times: ``make chaos``.

    python -m chaos --out out/chaos --only mutation --only kills --count 100

Trials are decided by a seed and written to ``OUT/SET.jsonl`` as they end: the same command goes on
where it stopped, and tries again what went wrong. Sets may run side by side. ``OUT/summary.json``
is what docs/reliability.md shows.
"""

import json
import os
import shutil
import tempfile
import time
import traceback
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from chaos.faults import FAULTS
from chaos.summary import results, table
from chaos.trials import Faults, Ledger, Run, Trial, read
from emotion_core import cli
from emotion_core.errors import UsageError


def main(
    out: Annotated[Path, typer.Option(help="Folder for what was found; an older one goes on.")],
    only: Annotated[
        list[str] | None, typer.Option(help=f"Repeatable: {', '.join(FAULTS)}; default: all.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="Files, kills or runs of each set.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed is another campaign.")] = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Begin no trial after so many; run it again to go on.")
    ] = None,
) -> int:
    """Cause faults, count what was lost, and show it as a table."""
    unknown = set(only or ()) - set(FAULTS)
    if unknown:
        raise UsageError(f"--only {sorted(unknown)[0]}: choose of {', '.join(FAULTS)}")
    until = None if minutes is None else time.monotonic() + 60 * minutes
    out.mkdir(parents=True, exist_ok=True)
    for fault in only or FAULTS:
        faults, ledger = FAULTS[fault], Ledger.open(out / f"{fault}.jsonl")
        names = faults.names(count or faults.count, seed)
        over = until is not None and time.monotonic() > until
        if (left := ledger.left(names)) and not over:
            cli.say(f"{fault}: {len(left)} of {len(names)} trials to do")
            _run(fault, faults, left, ledger, until)
    trials = [trial for fault in FAULTS for trial in read(out / f"{fault}.jsonl")]
    found = results(trials, {fault: faults.happens for fault, faults in FAULTS.items()})
    (out / "summary.json").write_text(json.dumps(found, indent=1) + "\n")
    cli.console.print(table(found["lines"]))
    wrong = [trial for trial in trials if not trial.held]
    for trial in wrong:
        cli.say(f"{trial.fault} {trial.name}: {'; '.join(trial.wrong) or trial}")
    return cli.EXIT_FAILED_ROWS if wrong else 0


def _run(fault: str, faults: Faults, names: list[str], ledger: Ledger, until: float | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        with faults.ready(folder) as run:
            for name in names:
                if until is not None and time.monotonic() > until:
                    return
                ledger.add(_tried(fault, name, run))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(fault: str, name: str, run: Run) -> Trial:
    """A trial that cannot be run counts as one that went wrong, and the campaign goes on."""
    start = time.monotonic()
    try:
        trial = run(name)
    except Exception as error:
        cli.say(traceback.format_exc())
        told = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        trial = Trial(fault, name, f"{fault}: could not be tried", 1, 0, wrong=(told,))
    if not trial.held:
        cli.say(f"{fault} {name}: {trial}")
    seconds = round(time.monotonic() - start, 1)
    return replace(trial, seconds=seconds, date=datetime.now(UTC).date().isoformat())


if __name__ == "__main__":
    # on a busy machine a node of Ray takes longer to start than Ray waits
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")
    cli.run(main)
