"""What folds said of a recipe, for a model that is trained on everybody and cannot be measured."""

from dataclasses import asdict, dataclass
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.temperature import HIGHEST, LOWEST
from emotion_core.recipes.specs import Recipe


@dataclass(frozen=True)
class Measured:
    """Figures of the test sides of all folds together, of people whom each fold had not met.

    Attributes:
        split: the protocol.
        n: clips.
        war, uar, macro_f1: of all of them.
        ece_mass: expected calibration error with ``temperature``'s fellows, the folds' own
            temperatures; 15 bins of equally many clips.
        temperature: fitted on all of these answers.
    """

    split: str
    n: int
    war: float
    uar: float
    macro_f1: float
    ece_mass: float
    temperature: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def read_measured(place: str, recipe: Recipe) -> Measured:
    """The figures that ``jobs/evaluate.py`` wrote of folds of ``recipe``.

    Args:
        place: its ``--out``.
        recipe: what will be trained.

    Raises:
        UsageError: no finished evaluation of test sides there, one of another recipe, or of models
            that answer together.
    """
    uri = storage.join(place, "metrics.json")
    if not storage.exists(storage.join(place, "run.json")):
        raise UsageError(f"--figures {place!r}: no finished evaluation there (jobs/evaluate.py)")
    found = storage.read_json(uri)
    if found.get("recipe") != recipe.name or found.get("side") != "test":
        raise UsageError(
            f"--figures {place!r} are of {found.get('recipe')!r}, side {found.get('side')!r}: give "
            f"those of the test sides of {recipe.name!r}"
        )
    temperature = found.get("fitted_temperature")
    if not isinstance(temperature, (int, float)) or not LOWEST <= temperature <= HIGHEST:
        raise UsageError(f"--figures {place!r} hold no temperature: evaluate the folds again")
    keys = ("split", "n", "war", "uar", "macro_f1", "ece_mass")
    return Measured(**{key: found[key] for key in keys}, temperature=float(temperature))
