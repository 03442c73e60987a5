"""``SECURITY.md`` promises nothing that no test holds."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()


def test_every_promise_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (?!promise)(.+?) \| (.+?) \|$", TEXT, re.MULTILINE)
    assert len(rows) >= 8

    for promise, held_by in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", held_by)
        assert named, promise
        for path, name in named:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in there, f"{promise}: {path}::{name}"


def test_it_is_short_and_names_no_mailbox() -> None:
    assert len(TEXT.splitlines()) < 60
    assert "@" not in TEXT
