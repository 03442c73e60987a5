"""What a trial found, and the file that remembers it: a campaign takes several sittings."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Trial:
    """What became of the rows when something went wrong on purpose.

    Attributes:
        fault: the set that it belongs to: ``mutation``, ``kills``.
        name: unique in its set; says with which seed, so that the trial can be had again.
        line: what it is counted under in the table.
        times: how often the fault was caused in it.
        rows: rows that should have come out.
        lost, doubled: rows that did not come, and that came more than once.
        errors: rows with the reason ``error``: we do not know what happened there.
        wrong: what else was not as promised, in words.
        seconds: that it took.
        date: ``2026-01-31``.
        parts: where several kinds of fault were caused, how many of each.
    """

    fault: str
    name: str
    line: str
    times: int
    rows: int
    lost: int = 0
    doubled: int = 0
    errors: int = 0
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    date: str = ""
    parts: dict[str, int] = field(default_factory=dict)

    @property
    def held(self) -> bool:
        """Whether everything was as promised."""
        return not (self.lost or self.doubled or self.errors or self.wrong)


# Runs the trial of this name.
Run = Callable[[str], Trial]


@dataclass(frozen=True)
class Faults:
    """A set of trials.

    Attributes:
        happens: what becomes of the rows then, for the table.
        count: how many by default, in the unit that ``--count`` has.
        names: the trials of (count, seed), in order.
        ready: what they share, made in a folder: gives what runs one of them.
    """

    happens: str
    count: int
    names: Callable[[int, int], Sequence[str]]
    ready: Callable[[Path], AbstractContextManager[Run]]


@dataclass
class Ledger:
    """Trials of a set as lines of JSON, added as they end. The last one of a name counts."""

    path: Path
    trials: dict[str, Trial] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> "Ledger":
        """What earlier sittings wrote; a line that a kill cut short is taken away."""
        if path.exists():
            whole, newline, _ = path.read_bytes().rpartition(b"\n")
            path.write_bytes(whole + newline)
        return cls(path, {trial.name: trial for trial in read(path)})

    def left(self, names: Iterable[str]) -> list[str]:
        """Those that have not run yet, or that went wrong."""
        found = {name: self.trials.get(name) for name in names}
        return [name for name, trial in found.items() if trial is None or not trial.held]

    def add(self, trial: Trial) -> None:
        self.trials[trial.name] = trial
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(trial)) + "\n")


def read(path: Path) -> list[Trial]:
    """The last trial of each name; none where there is no file."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0].splitlines()
    rows = [json.loads(line) for line in whole if line]
    trials = [Trial(**{**row, "wrong": tuple(row["wrong"])}) for row in rows]
    return list({trial.name: trial for trial in trials}.values())
