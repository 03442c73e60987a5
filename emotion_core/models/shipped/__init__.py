"""The models that come with the package: folders of this room, each a bundle with its licence."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.foreign.places import foreign_uri, is_foreign

# What ``--model`` calls them, and on what terms: their LICENSE says it in full.
TERMS: Mapping[str, str] = MappingProxyType(
    {
        "voice": "CC BY-NC-SA 4.0, as RAVDESS, which it learned from: no commercial use",
        "face": "research only, as FER2013, which it learned from",
    }
)
NAMES = tuple(TERMS)
_HERE = Path(__file__).parent


def bundle_uri(model: str) -> str:
    """Where a model lies: a shipped one by its name, every other at the URI that names it.

    A name is looked up where it is used: on another machine the package lies elsewhere.

    Args:
        model: ``voice``, ``face``, or a URI. A folder of that name is ``./voice``.

    Raises:
        UsageError: this installation has no such model, or it is another project's.
    """
    if is_foreign(model):
        raise UsageError(
            f"{model}: another project's model only labels (jobs/label.py); here give one that "
            "jobs/train.py made, or one that comes with the package"
        )
    if model not in NAMES:
        return model
    if not (_HERE / model / "recipe.json").is_file():
        raise UsageError(
            f"this installation comes without the model {model!r}: give --model a bundle that "
            "jobs/train.py made, or install a wheel of emotion-core that holds both models (8 MB)"
        )
    return str(_HERE / model)


def model_uri(model: str) -> str:
    """What ``--model`` says, as it is kept: a shipped model's name, else an absolute URI."""
    if is_foreign(model):
        return foreign_uri(model)
    return model if model in NAMES else storage.absolute(model)
