"""Rows held against what was promised of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.trials import Trial
from emotion_core.storage.schemas import REASONS


@dataclass
class Count:
    """Adds up what a trial's rows say.

    Attributes:
        rows: that should be there.
    """

    rows: int = 0
    lost: int = 0
    doubled: int = 0
    errors: int = 0
    wrong: list[str] = field(default_factory=list)

    def one(self, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """The rows of one input: there should be one, that says what was wrong if anything was."""
        self.rows += 1
        self.lost += not rows
        self.doubled += max(0, len(rows) - 1)
        for row in rows:
            self._read(what, row)

    def all(
        self, rows: Iterable[Mapping[str, Any]], inputs: Iterable[str], key: str = "uri"
    ) -> None:
        """The rows of a job: one for each of its inputs."""
        found = list(rows)
        wanted = Counter(inputs)
        got = Counter(row[key] for row in found)
        self.rows += wanted.total()
        self.lost += (wanted - got).total()
        self.doubled += (got - wanted).total()
        for row in found:
            self._read(row[key], row)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.wrong.append(otherwise)

    def _read(self, what: str, row: Mapping[str, Any]) -> None:
        reasons = set(row["reasons"])
        if "error" in reasons:
            self.errors += 1
            self.wrong.append(f"{what}: {row['error']}")
        self.expect(reasons <= set(REASONS), f"{what}: unknown reasons {sorted(reasons)}")
        self.expect(
            (row["status"] == "ok") == (not reasons), f"{what}: {row['status']} {sorted(reasons)}"
        )

    def trial(
        self, fault: str, name: str, line: str, times: int, parts: Mapping[str, int] | None = None
    ) -> Trial:
        """What was counted."""
        return Trial(
            fault, name, line, times, self.rows, self.lost, self.doubled, self.errors,
            tuple(self.wrong), parts=dict(parts or {}),
        )  # fmt: skip
