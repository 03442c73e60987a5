"""The models that ``--model`` names, of whatever kind, and what they need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from emotion_core.models.described import described
from emotion_core.models.foreign.model import ForeignModel
from emotion_core.models.foreign.places import is_foreign
from emotion_core.models.member import Known, Member, hears
from emotion_core.models.shipped import NAMES, bundle_uri

if TYPE_CHECKING:
    from emotion_core.models.bundle import Bundle


def known(model: str, trust_code: bool, encoder: str | None) -> Known:
    """What is known of a model before anything is written, or what computes anywhere.

    The package's own are taken at their word, for torch takes two seconds to import. All others are
    loaded: what cannot answer is refused here.

    Args:
        model, trust_code, encoder: as ``load_member`` takes them.

    Raises:
        UsageError: it cannot be had.
    """
    if model in NAMES:
        return described(bundle_uri(model))
    found = load_member(model, "cpu", trust_code, encoder)
    if hears(found):
        found.features()  # its speech encoder has to be there, and the one that it learned with
    return found


def load_member(model: str, device: str, trust_code: bool, encoder: str | None) -> Member:
    """A model, ready to answer.

    Args:
        model: as ``models.shipped.model_uri`` gives it.
        device: ``cpu`` or ``cuda``.
        trust_code: as ``models.bundle.load_bundle`` takes it.
        encoder: where a bundle's speech encoder lies; None: where it says.

    Raises:
        UsageError: it cannot be had.
    """
    if is_foreign(model):
        from emotion_core.models.foreign.load import load_foreign

        return load_foreign(model, device)
    from emotion_core.models.bundle import load_bundle

    return _with_encoder(load_bundle(bundle_uri(model), device, trust_code), encoder)


def _with_encoder(bundle: "Bundle", place: str | None) -> "Bundle":
    audio = bundle.recipe.audio
    if place is None or audio is None or not audio.encoded:
        return bundle
    moved = replace(bundle.recipe, audio=replace(audio, encoder=place, revision=None))
    return replace(bundle, info=replace(bundle.info, recipe=moved))


def model_bytes(bundles: Sequence[Known]) -> int:
    """What a worker holds with their speech encoders, and with other people's models."""
    foreign = sum(each.memory_bytes for each in bundles if isinstance(each, ForeignModel))
    specs = [bundle.recipe.audio for bundle in bundles]
    encoded = [spec for spec in specs if spec is not None and spec.encoded]
    if not encoded:
        return foreign
    from emotion_core.sound.pretrained import memory_bytes

    return foreign + sum(memory_bytes(spec) for spec in encoded)


def trained_detectors(bundles: Sequence[Known]) -> list[Mapping[str, str]]:
    """The face detectors that they learned with."""
    return [each for each in (bundle.detector for bundle in bundles) if each is not None]


def finds_faces(bundles: Sequence[Known]) -> bool:
    """Whether one of them wants faces to be found."""
    foreign = (bundle for bundle in bundles if isinstance(bundle, ForeignModel))
    return bool(trained_detectors(bundles)) or any(each.recipe.video for each in foreign)
