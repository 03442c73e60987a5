"""docs/protocols.md and ``--list-splits`` are what the code does."""

import re

import pytest

from emotion_core.corpora.explained import EXPLAINED, FACTS, protocols_page
from emotion_core.corpora.protocols import PROTOCOLS
from emotion_core.corpora.splits import KNOWN, expand, is_speaker_independent
from emotion_core.errors import UsageError
from emotion_core.training.card import LICENCES
from tests.support.jobs import ROOT, run_here


def test_the_page_is_the_one_that_the_code_makes() -> None:
    written = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")
    assert written == protocols_page(), (
        "python -m emotion_core.corpora.explained > docs/protocols.md"
    )
    assert "| `emobox6:0` | 16 speakers | 04 09 10 19 | 01 11 20 21 |" in written


def test_every_split_is_explained_and_does_what_is_said() -> None:
    names = [each.name for each in EXPLAINED]
    assert len(set(names)) == len(names) and set(PROTOCOLS) <= set(names)
    assert set(FACTS) == set(LICENCES)
    for each in EXPLAINED:
        first = each.spec.replace("..", ":").split(":")
        spec = ":".join(first[:2])
        assert expand(spec) == [spec]
        assert is_speaker_independent(spec) == each.apart
        if folds := PROTOCOLS.get(each.name):
            many = len(folds) > 1
            assert each.spec == (f"{each.name}:0..{len(folds) - 1}" if many else each.name)
            assert {sides.corpus for sides in folds} == {each.corpora}
    with pytest.raises(UsageError, match=re.escape(f"choose one of {KNOWN}")):
        expand("halves")


def test_the_splits_are_listed() -> None:
    done = run_here("train", "--list-splits", COLUMNS="300")
    assert done.returncode == 0
    for each in EXPLAINED:
        assert all(words in done.stdout for words in (each.spec, each.sides, each.source, each.use))
    assert "91 actors" in done.stdout and done.stdout.count("does not keep speakers apart") == 2
