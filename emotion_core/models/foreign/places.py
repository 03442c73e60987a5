"""How ``--model`` names other people's models."""

import os
from pathlib import Path

from emotion_core import storage

ONNX, HUB = "onnx:", "hf:"


def is_foreign(model: str) -> bool:
    """Whether ``--model`` names another project's model, ``onnx:FILE.onnx`` or ``hf:NAME``."""
    return model.startswith((ONNX, HUB))


def foreign_uri(model: str) -> str:
    """What ``--model`` says, with local places made absolute: workers may stand elsewhere."""
    scheme, _, place = model.partition(":")
    if model.startswith(ONNX) or place.endswith(".json"):
        return f"{scheme}:{storage.absolute(place)}"
    return f"{scheme}:{os.path.abspath(place) if Path(place).is_dir() else place}"
