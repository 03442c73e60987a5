"""What a small JSON file says of another project's model: its inputs, its labels, its terms.

Beside ``FILE.onnx`` lies ``FILE.json``, because an ONNX file says nothing of all that; a model of
the hub brings it with it, and a description may say what it does not. Every field is checked: with
a wrong one the model would still answer, only wrongly. docs/labelling.md lists them.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.models.foreign.dimensions import Dimension, dimensions_of
from emotion_core.recipes.checks import shown
from emotion_core.text import printable

_MOST_BYTES = 1 << 18
UNSTATED = "licence not stated"


@dataclass(frozen=True)
class About:
    """Whose model it is; decides no number.

    Attributes:
        name: what its makers call it.
        url: where it comes from; may be empty.
        licence: on what terms.
    """

    name: str
    url: str
    licence: str


@dataclass(frozen=True)
class FaceInput:
    """What a network of faces is fed with: ``(pixels / divide_by - mean) / std``.

    Attributes:
        size: the picture is ``size`` x ``size`` pixels.
        colour: order of its channels: ``rgb``, ``bgr`` or ``grey``.
        layout: ``channels_first`` (n, channels, size, size) or ``channels_last``.
        divide_by: of pixels from 0 to 255.
        mean, std: one number, or one for each channel in the order of ``colour``.
    """

    size: int
    colour: str
    layout: str
    divide_by: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class AudioInput:
    """What a network of sound is fed with: the waveform, mono, float32 (n, samples).

    Attributes:
        sample_rate: Hz.
        standardise: to a mean of 0 and a deviation of 1, sound by sound; else it lies in [-1, 1].
        seconds: sound is cut to so many, or filled up with zeros; None: it may be of any length.
    """

    sample_rate: int
    standardise: bool
    seconds: float | None = None


@dataclass(frozen=True)
class Crops:
    """How faces are cut for it.

    Attributes:
        margin: as ``VideoSpec`` has it.
        pictures: of a window, evenly spread; its answer is the mean of theirs.
    """

    margin: float = 0.2
    pictures: int = 3


@dataclass(frozen=True)
class Description:
    """What a description says; None and empty where it says nothing.

    Attributes:
        name, url, licence: see ``About``.
        labels: in the order of the outputs that are no dimensions, as its makers spell them.
        merge: label -> the emotion that it counts as; None: it is left out.
        face, audio: what it is fed with, one of the two; of a model of the hub its own files say.
        crops: of a model of faces.
        output: ``logits`` or ``probabilities``.
        weights_hash: SHA-256 that the weights must have.
        model, revision: name or folder of a model of the hub, and which of its revisions.
        dimensions: outputs that are no labels.
    """

    name: str = ""
    url: str = ""
    licence: str = ""
    labels: tuple[str, ...] = ()
    merge: Mapping[str, str | None] = field(default_factory=dict)
    face: FaceInput | None = None
    audio: AudioInput | None = None
    crops: Crops = Crops()
    output: str = "logits"
    weights_hash: str | None = None
    model: str = ""
    revision: str | None = None
    dimensions: tuple[Dimension, ...] = ()


def onnx_description(uri: str) -> Description:
    """The description of an ONNX file.

    Raises:
        UsageError: it is not there, or a field is missing, unknown, or cannot be that.
    """
    data = _read(uri)
    votes = "labels" in data or "dimensions" not in data
    _check(data, _ONNX, (*_ONNX_NEEDS, *(("labels", "output") if votes else ())), uri)
    if ("face" in data) == ("audio" in data):
        raise UsageError(f"{uri}: it needs one of face and audio: what the network is fed with")
    crops: dict[str, Any] = {}
    if "face" in data:
        _check(data["face"], {**_FACE, **_CROPS}, tuple(_FACE), uri, "face.")
        face = _tuples(data["face"])
        crops = {key: face.pop(key) for key in tuple(_CROPS) if key in face}
        channels = 1 if face["colour"] == "grey" else 3
        for key in ("mean", "std"):
            if len(face[key]) not in (1, channels):
                raise UsageError(f"{uri}: face.{key} has {len(face[key])} numbers, not {channels}")
        data = {**data, "face": FaceInput(**face)}
    else:
        _check(data["audio"], _AUDIO, ("sample_rate", "standardise"), uri, "audio.")
        data = {**data, "audio": AudioInput(**data["audio"])}
    return Description(**_with_dimensions(data, uri), crops=Crops(**crops))


def hub_description(uri: str) -> Description:
    """The description of a model of the hub.

    Raises:
        UsageError: as ``onnx_description``.
    """
    data = _read(uri)
    _check(data, _HUB, ("model",), uri)
    crops = data.pop("face", {})
    _check(crops, _CROPS, (), uri, "face.")
    return Description(**_with_dimensions(data, uri), crops=Crops(**crops))


def _with_dimensions(data: dict[str, Any], uri: str) -> dict[str, Any]:
    if "dimensions" not in data:
        return _tuples(data)
    return _tuples(data) | {"dimensions": dimensions_of(data["dimensions"], uri)}


def _read(uri: str) -> dict[str, Any]:
    if not storage.exists(uri):
        raise UsageError(
            f"{uri} is not there: a description of the model (inputs, labels, licence; "
            "docs/labelling.md, 'Other people's models', has its fields)"
        )
    try:
        data = json.loads(storage.read_bytes(uri, 0, _MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{uri} is no JSON file of at most 256 kB ({error})") from error
    if not isinstance(data, dict):
        raise UsageError(f"{uri} holds {shown(data)}, not an object")
    return data


# A test of a value, and what it should be.
_Field = tuple[Callable[[Any], bool], str]


def _check(
    data: Any, known: Mapping[str, _Field], needed: tuple[str, ...], uri: str, part: str = ""
) -> None:
    if not isinstance(data, dict):
        raise UsageError(f"{uri}: {part.rstrip('.')} is {shown(data)}, not an object")
    for key in needed:
        if key not in data:
            raise UsageError(f"{uri} lacks {part}{key}: {known[key][1]}")
    for key, value in data.items():
        if key not in known:
            raise UsageError(
                f"{uri}: there is no {part}{printable(key)[:60]}, only {', '.join(sorted(known))}"
            )
        fits, words = known[key]
        if not fits(value):
            raise UsageError(f"{uri}: {part}{key} is {shown(value)}: it should be {words}")


def _tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def _number(low: float, high: float) -> _Field:
    def fits(value: Any) -> bool:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and low <= value <= high

    return fits, f"a number from {low:g} to {high:g}"


def _whole(low: int, high: int) -> _Field:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return fits, f"a whole number from {low} to {high}"


def _one_of(*words: str) -> _Field:
    return (lambda value: isinstance(value, str) and value in words), f"one of {', '.join(words)}"


def _numbers(above_0: bool) -> _Field:
    def fits(value: Any) -> bool:
        if not isinstance(value, list) or len(value) not in (1, 3):
            return False
        numbers = all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in value)
        return numbers and all(math.isfinite(n) and (n > 0 or not above_0) for n in value)

    return fits, "a list of one number or three" + (" above 0" if above_0 else "")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 300 and printable(value) == value


def _are_labels(value: Any) -> bool:
    texts = isinstance(value, list) and all(map(_is_text, value))
    return texts and 2 <= len(value) <= 100 and len(set(value)) == len(value)


def _is_merge(value: Any) -> bool:
    return isinstance(value, dict) and all(v is None or _is_text(v) for v in value.values())


_TEXT: _Field = _is_text, "a line of at most 300 characters"
_LABELS: _Field = _are_labels, "a list of 2 to 100 different labels in the order of the outputs"
_COMMON: Mapping[str, _Field] = MappingProxyType(
    {
        "name": _TEXT,
        "url": _TEXT,
        "licence": _TEXT,
        "labels": _LABELS,
        "merge": (_is_merge, "an object: label -> the emotion that it counts as, or null"),
        "dimensions": ((lambda _: True), "an object"),
        "weights_hash": (
            lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)),
            "a SHA-256 in hex",
        ),
    }
)
_ANY: _Field = (lambda _: True), "an object"
_ONNX: Mapping[str, _Field] = MappingProxyType(
    {
        **_COMMON,
        "face": _ANY,
        "audio": _ANY,
        "output": _one_of("logits", "probabilities"),
    }
)
_ONNX_NEEDS = ("name", "url", "licence")
_HUB: Mapping[str, _Field] = MappingProxyType(
    {**_COMMON, "model": _TEXT, "revision": _TEXT, "face": _ANY}
)
_CROPS: Mapping[str, _Field] = MappingProxyType(
    {"margin": _number(0, 4), "pictures": _whole(1, 32)}
)
_FACE: Mapping[str, _Field] = MappingProxyType(
    {
        "size": _whole(8, 1024),
        "colour": _one_of("rgb", "bgr", "grey"),
        "layout": _one_of("channels_first", "channels_last"),
        "divide_by": _number(1e-6, 1e6),
        "mean": _numbers(above_0=False),
        "std": _numbers(above_0=True),
    }
)
_AUDIO: Mapping[str, _Field] = MappingProxyType(
    {
        "sample_rate": _whole(1_000, 96_000),
        "standardise": ((lambda value: isinstance(value, bool)), "true or false"),
        "seconds": _number(0.5, 60),
    }
)
