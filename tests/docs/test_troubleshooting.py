"""docs/troubleshooting.md quotes what the code says, word for word, and every reason of a row."""

import ast
import re
from functools import lru_cache

import pytest

from emotion_core.storage.schemas import REASONS
from tests.support.jobs import ROOT

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
SOURCES = (
    *sorted((ROOT / "emotion_core").rglob("*.py")),
    *sorted((ROOT / "tests" / "support").glob("*.py")),
    ROOT / "tests" / "conftest.py",
)
# Said by others: not looked for in the code.
OTHERS = ("OutOfMemoryError", "worker was killed due to the node running low on memory")


@lru_cache
def spoken() -> tuple[str, ...]:
    """Every text of the code; what is put into it when it runs is ``…``."""
    found = [(ROOT / "Makefile").read_text(encoding="utf-8")]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append("".join(_piece(each) for each in node.values))
    return tuple(" ".join(text.split()) for text in found)


def _piece(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else "…"


def quoted() -> list[str]:
    """The messages: code of several words, or with a gap, at the beginning of an item."""
    items = re.findall(r"^- (.+?)(?=^- |^#|^\n|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    found = [
        " ".join(code.split())
        for item in items
        for code in re.findall(r"`([^`]+)`", re.split(r"`: ", item)[0] + "`")
    ]
    return [
        each for each in found if each.count(" ") >= 3 and not re.match(r"docker|ray |apt", each)
    ]


def says(message: str) -> bool:
    """Whether a text of the code holds the message's words in their order, gaps between them."""
    return any(_holds(text, [words.strip() for words in message.split("…")]) for text in spoken())


def _holds(text: str, pieces: list[str]) -> bool:
    place = 0
    for piece in pieces:
        place = text.find(piece, place)
        if place < 0:
            return False
        place += len(piece)
    return True


def test_messages_are_found() -> None:
    assert len(quoted()) > 45
    assert any("another job writes" in message for message in quoted())


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_one_of_the_code(message: str) -> None:
    assert says(message), f"no code says so any more: {message}"


def test_the_test_knows_a_message_that_nobody_says() -> None:
    assert not says("… is not empty and was made by this job: choose another --out")


def test_every_reason_has_its_line() -> None:
    lines = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", TEXT, re.MULTILINE)
    assert lines == list(REASONS)
