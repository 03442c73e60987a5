"""``--model onnx:FILE.onnx`` and ``--model hf:NAME_OR_FOLDER`` -> a model, ready to answer."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.hub import (
    CONFIG,
    EXTRACTOR,
    Source,
    commit_of,
    folder_of,
    licence_of,
    weights_hash,
    weights_of,
)
from emotion_core.models.foreign.description import (
    UNSTATED,
    About,
    Description,
    hub_description,
    onnx_description,
)
from emotion_core.models.foreign.hub_network import HubNetwork
from emotion_core.models.foreign.labels import emotions_of, label_set_for
from emotion_core.models.foreign.model import ForeignModel, hearing, seeing
from emotion_core.models.foreign.onnx_network import OnnxNetwork
from emotion_core.models.foreign.places import HUB, ONNX
from emotion_core.recipes.specs import Recipe


def load_foreign(uri: str, device: str = "cpu") -> ForeignModel:
    """Another project's model.

    Args:
        uri: as ``places.foreign_uri`` gives it.
        device: ``cpu`` or ``cuda``.

    Raises:
        UsageError: it is not there, is not what its description says, has labels that are no
            emotions known here, or would have to run somebody's code.
    """
    if uri.startswith(ONNX):
        return _from_onnx(uri, uri.removeprefix(ONNX), device)
    return _from_hub(uri, uri.removeprefix(HUB), device)


def _from_onnx(uri: str, place: str, device: str) -> ForeignModel:
    if not place.endswith(".onnx"):
        raise UsageError(f"--model {uri}: write onnx:FILE.onnx, with FILE.json beside it")
    what = onnx_description(place.removesuffix(".onnx") + ".json")
    data = storage.read_bytes(place)
    digest = hashlib.sha256(data).hexdigest()
    if what.weights_hash not in (None, digest):
        raise UsageError(f"{place} has the hash {digest[:12]}, its description {what.weights_hash}")
    about = About(what.name, what.url, what.licence)
    emotions = _emotions(what.labels, what, place)
    if what.face is not None:
        recipe = seeing(about, what.face.size, what.face.colour == "grey", what.crops)
    else:
        assert what.audio is not None
        recipe = hearing(about, what.audio.sample_rate)
    return ForeignModel(
        uri,
        about,
        recipe,
        emotions,
        label_set_for(emotions),
        OnnxNetwork(data, what, place, device),
        _model_id(digest, what, emotions),
        digest,
        None,
        3 * len(data),
        tuple(each.name for each in what.dimensions),
    )


def _from_hub(uri: str, place: str, device: str) -> ForeignModel:
    if place.endswith(".json"):
        what = hub_description(place)
        # workers stand elsewhere
        beside = Path(place).parent / what.model
        what = replace(what, model=str(beside) if beside.is_dir() else what.model)
    else:
        name, _, revision = place.partition("@")
        what = Description(model=place if Path(place).is_dir() else name, revision=revision or None)
    source = Source(
        what.model, what.revision, "model", "--model hf:FOLDER", "--model hf:NAME@refs/pr/N"
    )
    folder = folder_of(source)
    digest = weights_hash(source, folder, what.weights_hash)
    network = HubNetwork(source, folder, device, what.dimensions)
    labels = what.labels or network.labels
    if len(labels) != len(network.labels):
        raise UsageError(
            f"{source.told} has {len(network.labels)} outputs, its description {len(labels)} labels"
        )
    emotions = _emotions(labels, what, source.told)
    about = _about(what, source, folder)
    prepared = [(folder / name).read_bytes() for name in (CONFIG, EXTRACTOR)]
    return ForeignModel(
        uri,
        about,
        _recipe(network, about, what),
        emotions,
        label_set_for(emotions),
        network,
        _model_id(digest, what, emotions, prepared),
        digest,
        commit_of(source, folder),
        4 * sum(path.stat().st_size for path in weights_of(source, folder)),
        tuple(each.name for each in what.dimensions),
    )


def _emotions(labels: Sequence[str], what: Description, where: str) -> tuple[str | None, ...]:
    """As ``labels.emotions_of``; of a model that has dimensions alone none."""
    if not labels and what.dimensions:
        return ()
    return emotions_of(labels, what.merge, where)


def _recipe(network: HubNetwork, about: About, what: Description) -> Recipe:
    if network.sample_rate is not None:
        return hearing(about, network.sample_rate)
    assert network.size is not None
    return seeing(about, network.size, False, what.crops)


def _about(what: Description, source: Source, folder: Path) -> About:
    local = Path(source.name).is_dir()
    name = what.name or (Path(source.name).name if local else source.name)
    url = what.url or ("" if local else f"https://huggingface.co/{source.name}")
    return About(name, url, what.licence or licence_of(source, folder) or UNSTATED)


def _model_id(
    digest: str, what: Description, emotions: Sequence[Any], files: Sequence[bytes] = ()
) -> str:
    """Over what decides the answers: not over names and terms, nor over where it lies."""
    parts = ("labels", "face", "audio", "crops", "output", "dimensions")
    decides = {key: value for key, value in asdict(what).items() if key in parts}
    hashes = [digest, *(hashlib.sha256(each).hexdigest() for each in files)]
    written = json.dumps([hashes, decides, emotions], sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:16]
