"""A promise in a document names the test that holds it, and that test is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


@pytest.mark.parametrize(("name", "least"), [("docs/reliability.md", 35), ("SECURITY.md", 8)])
def test_every_promise_names_tests_that_exist(name: str, least: int) -> None:
    text = (ROOT / name).read_text("utf-8")
    # figures are held by tests/docs/test_reliability.py, and what Ray does is nobody's promise
    text = re.sub(r"^## (The campaign|Defects of Ray).*?(?=^## )", "", text, flags=re.M | re.S)
    rows = re.findall(r"^\| (?!promise|what \||-)(.+) \| (.+?) \|$", text, re.MULTILINE)
    rows = [row for row in rows if not row[0].startswith("---")]
    assert len(rows) >= least
    for promise, held_by in rows:
        named = PROOF.findall(held_by)
        assert named, promise
        for path, test in named:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in there, f"{promise}: {path}::{test}"


def test_security_is_short_and_names_no_mailbox() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    assert len(text.splitlines()) < 60
    assert "@" not in text
