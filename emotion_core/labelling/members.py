"""The models that ``--model`` names, of whatever kind, and what they need."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from emotion_core.models.bundle import Bundle, load_bundle
from emotion_core.models.foreign.load import load_foreign
from emotion_core.models.foreign.model import ForeignModel
from emotion_core.models.foreign.places import is_foreign
from emotion_core.models.member import Member
from emotion_core.models.shipped import bundle_uri


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
        return load_foreign(model, device)
    return _with_encoder(load_bundle(bundle_uri(model), device, trust_code), encoder)


def _with_encoder(bundle: Bundle, place: str | None) -> Bundle:
    audio = bundle.recipe.audio
    if place is None or audio is None or not audio.encoded:
        return bundle
    moved = replace(bundle.recipe, audio=replace(audio, encoder=place, revision=None))
    return replace(bundle, info=replace(bundle.info, recipe=moved))


def model_bytes(bundles: Sequence[Member]) -> int:
    """What a worker holds with their speech encoders, and with other people's models."""
    foreign = sum(each.memory_bytes for each in bundles if isinstance(each, ForeignModel))
    specs = [bundle.recipe.audio for bundle in bundles]
    encoded = [spec for spec in specs if spec is not None and spec.encoded]
    if not encoded:
        return foreign
    from emotion_core.sound.pretrained import memory_bytes

    return foreign + sum(memory_bytes(spec) for spec in encoded)


def trained_detectors(bundles: Sequence[Member]) -> list[Mapping[str, str]]:
    """The face detectors that they learned with."""
    return [each for each in (bundle.detector for bundle in bundles) if each is not None]


def finds_faces(bundles: Sequence[Member]) -> bool:
    """Whether one of them wants faces to be found."""
    foreign = (bundle for bundle in bundles if isinstance(bundle, ForeignModel))
    return bool(trained_detectors(bundles)) or any(each.recipe.video for each in foreign)
