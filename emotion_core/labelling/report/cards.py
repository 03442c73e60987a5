"""What a report says of the models: their figure for people they had not met, and their limits."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.shipped import NAMES, TERMS, bundle_uri
from emotion_core.text import printable

# As ``models.bundle`` names them, which would load torch.
_METRICS, _CARD = "metrics.json", "README.md"
# Both may be a stranger's.
_MOST_BYTES, _MOST_PARAGRAPHS = 1 << 18, 12


@dataclass(frozen=True)
class ModelCard:
    """A model, for people.

    Attributes:
        name: what the command calls it, or the last part of its place.
        terms: on what terms it may be used, where that is known.
        figure: how right it is, in a sentence.
        figures, limits: paragraphs of these sections of its card.
    """

    name: str
    terms: str
    figure: str
    figures: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()


def cards(
    model_ids: Sequence[str], places: Sequence[str], foreign: Sequence[Mapping[str, Any]] = ()
) -> list[ModelCard]:
    """The cards of the models that made labels.

    Args:
        model_ids: of the models, as the labels' settings have them.
        places: where they may lie: URIs, or names of shipped ones. A model is known by its id; one
            that is not found there has a card that says so.
        foreign: what ``run.json`` says of other people's models (``ForeignModel.facts``).
    """
    found = {each["model_id"]: _foreign_card(each) for each in foreign}
    for place in dict.fromkeys([*places, *NAMES]):
        try:
            uri = bundle_uri(place)
            metrics = json.loads(_read(storage.join(uri, _METRICS)))
            model_id = metrics["model_id"]
            text = _read(storage.join(uri, _CARD))
        except (UsageError, ValueError, TypeError, KeyError):
            continue  # gone, or no model any more
        if model_id in model_ids and model_id not in found:
            found[model_id] = _card(place, metrics, text)
    unknown = "its card is not where the labels were made with it, so nothing is known of it here."
    return [found.get(each) or ModelCard(f"model {each}", "", unknown) for each in model_ids]


def _read(uri: str) -> str:
    return storage.read_bytes(uri, 0, _MOST_BYTES).decode("utf-8", "replace")


def _card(place: str, metrics: dict[str, Any], text: str) -> ModelCard:
    name = place.rstrip("/").rpartition("/")[2]
    return ModelCard(
        printable(name), TERMS.get(place, ""), _figure(metrics), _section(text, "Figures"),
        _section(text, "Limits"),
    )  # fmt: skip


def _foreign_card(facts: Mapping[str, Any]) -> ModelCard:
    told = ", ".join(facts.get("dimensions", ()))
    known = ", ".join(facts["emotions"])
    knows = f"It knows {known}; what it does not know has no probability from it."
    knows = knows if known else "It has no vote about emotions."
    beside = (
        (f"It tells {told}, each from -1 to 1, which have columns of their own.",) if told else ()
    )
    at = f" ({facts['url']})" if facts["url"] else ""
    return ModelCard(
        printable(facts["name"]),
        printable(facts["licence"]),
        f"another project's model{printable(at)}; how right it is was not measured here.",
        limits=(
            printable(knows),
            *beside,
            f"Weights {printable(facts['weights_hash'])}.",
        ),
    )


def _figure(metrics: dict[str, Any]) -> str:
    """The most that its own figures allow to be said."""
    try:
        if folds := metrics.get("folds"):
            return (
                f"right about {folds['war']:.0%} of {folds['n']:,} clips of people whom it had not "
                f"met (mean over emotions {folds['uar']:.0%}); expect less of other recordings."
            )
        return (
            f"right about {metrics['war']:.0%} of {metrics['n']:,} clips that it did not learn "
            f"from (mean over emotions {metrics['uar']:.0%}); they chose how long it learned, so "
            "expect less, and less again of other recordings."
        )
    except (KeyError, TypeError, ValueError):
        return "it was not measured on people whom it had not met."


def _section(card: str, title: str) -> tuple[str, ...]:
    """Paragraphs and points of a Markdown section as plain text; its tables are left out."""
    section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", card, re.MULTILINE | re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=- )", section[1]) if section else []
    plain = (" ".join(re.sub(r"\*\*|`", "", each).split()) for each in blocks)
    told = [printable(each.removeprefix("- ")) for each in plain if each and each[0] != "|"]
    return tuple(told[:_MOST_PARAGRAPHS])
