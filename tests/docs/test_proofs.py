"""A promise in a document names the test that holds it, and that test is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROOF = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
DOCUMENTS = {"docs/reliability.md": 40}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_proof_that_is_named_exists(name: str) -> None:
    proofs = PROOF.findall((ROOT / name).read_text())
    assert len(proofs) >= DOCUMENTS[name]
    missing = [
        f"{path}::{test}"
        for path, test in proofs
        if not (ROOT / path).exists()
        or not re.search(rf"^def {test}\(", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert missing == []
