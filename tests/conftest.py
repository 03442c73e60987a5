"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora and clips that ``EMOTION_CORPORA`` names; skips where unset."""
    folder = os.environ.get("EMOTION_CORPORA")
    if not folder:
        pytest.skip("EMOTION_CORPORA is not set: no real corpora on this machine")
    return Path(folder).resolve()
