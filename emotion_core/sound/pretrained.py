"""Pretrained speech encoders: whether they are the ones that are meant, and what they hear.

Encoders come by their name on the Hugging Face hub or from a local folder (``hub``).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.hub import (
    Source,
    commit_of,
    config_of,
    folder_of,
    load_network,
    preprocessor_of,
    transformers_for,
    weights_hash,
    weights_of,
)
from emotion_core.recipes.options import encoder_place
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.upper import shape_of

FAMILIES = ("data2vec-audio", "hubert", "wav2vec2", "wavlm", "whisper")

# Beyond these nobody would know the voice.
SPEEDS, MOST_SPEEDS = (0.25, 4.0), 16
# Only training looks at the first; a decoder is thrown away.
_UNUSED = ("masked_spec_embed", "decoder.")


def resolve(spec: AudioSpec) -> AudioSpec:
    """``spec`` with what decides its numbers filled in: commit, hash of the weights, width, layers.

    Where every position is kept, also what the layers above are. Other kinds of features are left
    alone. Weights are fetched from the hub if they are not here.

    Raises:
        UsageError: the extra, the network, the folder or a file in it is missing; no encoder known
            here; layers that it does not have, or from which no network can go on; or weights
            other than ``spec.weights_hash``.
    """
    if not spec.encoded:
        return spec
    _check(spec)
    spec = replace(spec, encoder=encoder_place(str(spec.encoder)))
    source = _source(spec)
    folder = folder_of(source)
    config = _config(spec, folder)
    last = int(config.num_hidden_layers)
    layers = tuple(range(last + 1)) if spec.layers is None else spec.layers
    if not layers or not all(0 <= layer <= last for layer in layers):
        raise UsageError(f"encoder {spec.encoder!r} has layers 0 to {last}, not {list(layers)}")
    found = replace(spec, layers=layers, width=int(config.hidden_size))
    if spec.steps is None:
        if len(layers) != 1 or layers[0] == last:
            raise UsageError(
                "audio steps null keeps every position of one layer, which others lie above: "
                f"--option audio.layers=[N] with N from 0 to {last - 1} for encoder "
                f"{spec.encoder!r}, not {list(layers)}"
            )
        found = replace(found, **shape_of(config, spec.encoder))
    return replace(
        found,
        revision=commit_of(source, folder),
        weights_hash=weights_hash(source, folder, spec.weights_hash),
    )


def memory_bytes(spec: AudioSpec) -> int:
    """What a worker holds with this encoder, beyond the interpreter: 160 MB, and the weights.

    Those count four times: float16 on disk become float32, and while they are read both are there.
    """
    source = _source(spec)
    files = sum(path.stat().st_size for path in weights_of(source, folder_of(source)))
    return (160 << 20) + 4 * files


def load_encoder(spec: AudioSpec) -> tuple[Any, Any]:
    """The feature extractor and the encoder, float32, in evaluation mode, on the CPU.

    Args:
        spec: as ``resolve`` gives it.

    Raises:
        UsageError: a file is missing or damaged, or hears another sample rate.
    """
    folder = folder_of(_source(spec))
    return _extractor(spec, folder), _model(spec, folder)


def _check(spec: AudioSpec) -> None:
    if not spec.encoder:
        raise UsageError(
            "audio features of an encoder need one: --option audio.encoder=NAME_OR_FOLDER"
        )
    if spec.scale != "none":
        raise UsageError(
            f"an encoder's features are not scaled: audio scale 'none', not {spec.scale!r}"
        )
    if spec.steps is not None and spec.steps < 1:
        raise UsageError(f"audio steps {spec.steps}: at least 1, or null for every position")
    slow, fast = SPEEDS
    if not 1 <= len(spec.speeds) <= MOST_SPEEDS or not all(slow <= s <= fast for s in spec.speeds):
        raise UsageError(
            f"audio speeds {list(spec.speeds)}: 1 to {MOST_SPEEDS} of them, from {slow} to {fast}"
        )


def _source(spec: AudioSpec) -> Source:
    return Source(
        str(spec.encoder),
        spec.revision,
        "encoder",
        "--option audio.encoder=FOLDER",
        "--option audio.revision=refs/pr/N",
    )


def _config(spec: AudioSpec, folder: Path) -> Any:
    config = config_of(_source(spec), folder)
    if config.model_type not in FAMILIES:
        raise UsageError(
            f"encoder {spec.encoder!r} is a {config.model_type}: known here are "
            f"{', '.join(FAMILIES)}"
        )
    return config


def _extractor(spec: AudioSpec, folder: Path) -> Any:
    extractor = preprocessor_of(_source(spec), folder, "AutoFeatureExtractor")
    if extractor.sampling_rate != spec.sample_rate:
        raise UsageError(
            f"encoder {spec.encoder!r} hears {extractor.sampling_rate} Hz, not "
            f"{spec.sample_rate}: --option audio.sample_rate={extractor.sampling_rate}"
        )
    return extractor


def _model(spec: AudioSpec, folder: Path) -> Any:
    """The encoder alone, float32, in evaluation mode."""
    transformers = transformers_for(_source(spec))
    config = _config(spec, folder)
    alone = config.architectures == ["WhisperEncoder"]
    kind = (
        transformers.models.whisper.modeling_whisper.WhisperEncoder
        if alone
        else transformers.AutoModel
    )
    model = load_network(_source(spec), folder, kind, _UNUSED)
    return model.encoder if config.model_type == "whisper" and not alone else model
