"""Models by fold: what ``--model`` leads to, a bundle or a folder with one bundle per fold."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.bundle import Bundle, load_bundle

# Made by jobs/train.py --split ...:all, beside the folders of the folds.
FOLDS = "folds.json"
# How that folder's mark (``settings.json``) calls what it holds.
FOLDS_KIND = "the folds of a model"


@dataclass(frozen=True)
class Fold:
    """One fold, or the only one.

    Attributes:
        name: the split of one fold (``luna5:0``); empty for models that are not folds.
        models: URIs of the bundles that answer together.
    """

    name: str
    models: tuple[str, ...]


def find_folds(models: Sequence[str]) -> tuple[str | None, list[Fold]]:
    """The folds that the given places hold, and the split that they belong to.

    Args:
        models: at least one URI: all of bundles, or all of folders with ``folds.json``.

    Returns:
        The split (``luna5:all``) and its folds; None and one nameless fold for plain bundles.

    Raises:
        UsageError: bundles mixed with folders of folds, folders of different splits, or a training
            that has not finished.
    """
    written = [_folds_at(place) for place in models]
    given = [each for each in written if each is not None]
    if not given:
        return None, [Fold("", tuple(models))]
    if len(given) < len(models):
        raise UsageError(
            "--model: one is a folder of folds and another is not: give only folders of the same "
            "split, or single bundles"
        )
    splits = {each["split"] for each in given}
    if len(splits) > 1:
        raise UsageError(
            f"--model: folders of different splits ({', '.join(sorted(splits))}) cannot be combined"
        )
    folders = [{fold["split"]: fold["folder"] for fold in each["folds"]} for each in given]
    if any(set(each) != set(folders[0]) for each in folders):
        raise UsageError("--model: the folders hold different folds of the same split")
    found = [
        Fold(
            name,
            tuple(
                storage.join(place, each[name]) for place, each in zip(models, folders, strict=True)
            ),
        )
        for name in folders[0]
    ]
    return given[0]["split"], found


def _folds_at(place: str) -> dict | None:
    uri = storage.join(place, FOLDS)
    if storage.exists(uri):
        written = storage.read_json(uri)
        if _is_whole(written):
            return written
        raise UsageError(f"{uri!r} is damaged: run jobs/train.py again")
    mark = storage.join(place, "settings.json")
    marked = storage.read_json(mark) if storage.exists(mark) else None
    if isinstance(marked, dict) and marked.get("kind") == FOLDS_KIND:
        raise UsageError(
            f"the folds at {place!r} are not all trained: repeat the command of jobs/train.py, it "
            "goes on where it stopped"
        )
    return None


def _is_whole(written: object) -> bool:
    """Whether a ``folds.json`` names a split, and folds in folders beside it."""
    if not isinstance(written, dict) or not isinstance(written.get("split"), str):
        return False
    folds = written.get("folds")
    return (
        isinstance(folds, list)
        and bool(folds)
        and all(
            isinstance(fold, dict)
            and isinstance(fold.get("split"), str)
            and isinstance(fold.get("folder"), str)
            and re.fullmatch(r"[\w-][\w.-]*", fold["folder"])
            for fold in folds
        )
    )


class ModelCache:
    """Loads bundles, and keeps those of one fold only: a protocol may have many folds.

    Args:
        device: where the networks compute.
        trust_code: networks that are not of this package may be imported.
    """

    def __init__(self, device: str = "cpu", trust_code: bool = False):
        self.device, self.trust_code = device, trust_code
        self._held: tuple[Fold, tuple[Bundle, ...]] | None = None

    def bundles(self, fold: Fold) -> tuple[Bundle, ...]:
        """The models of a fold."""
        if self._held is None or self._held[0] != fold:
            self._held = None  # before the others are loaded
            bundles = tuple(load_bundle(uri, self.device, self.trust_code) for uri in fold.models)
            self._held = (fold, bundles)
        return self._held[1]
