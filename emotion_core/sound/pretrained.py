"""Pretrained speech encoders: where they come from, whether they are the ones that are meant.

The only module that knows ``transformers``. Encoders come by their name on the Hugging Face hub
(``HF_HOME`` and ``HF_HUB_OFFLINE`` count) or from a local folder; weights are safetensors, and no
code that lies beside them is ever run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from emotion_core.errors import UsageError
from emotion_core.recipes.options import encoder_place
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.upper import shape_of

FAMILIES = ("data2vec-audio", "hubert", "wav2vec2", "wavlm", "whisper")
SINGLE, SHARDS = "model.safetensors", "model-*-of-*.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG, EXTRACTOR = "config.json", "preprocessor_config.json"

# Beyond these nobody would know the voice.
SPEEDS, MOST_SPEEDS = (0.25, 4.0), 16
# Only training looks at it.
_UNUSED = ("masked_spec_embed",)
_EXTRA = "pip install 'emotion-core[encoders]'"


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
    folder = _folder(spec)
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
    return replace(found, revision=_commit(spec, folder), weights_hash=_checked_hash(spec, folder))


def memory_bytes(spec: AudioSpec) -> int:
    """What a worker holds with this encoder, beyond the interpreter: 160 MB, and the weights.

    Those count four times: float16 on disk become float32, and while they are read both are there.
    """
    files = sum(path.stat().st_size for path in _weights(spec, _folder(spec)))
    return (160 << 20) + 4 * files


def load_encoder(spec: AudioSpec) -> tuple[Any, Any]:
    """The feature extractor and the encoder, float32, in evaluation mode, on the CPU.

    Args:
        spec: as ``resolve`` gives it.

    Raises:
        UsageError: a file is missing or damaged, or hears another sample rate.
    """
    folder = _folder(spec)
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


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise UsageError(f"speech encoders need the package transformers: {_EXTRA}") from error
    return transformers


def _folder(spec: AudioSpec) -> Path:
    """Where the encoder's files lie, fetched from the hub if it is named by its name there."""
    _transformers()
    name = str(spec.encoder)
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise UsageError(
            f"no folder {name!r} with an encoder: give its place, or a name on the hub"
        )
    import huggingface_hub

    try:
        wanted = [CONFIG, EXTRACTOR, SINGLE, SHARDS, INDEX]
        return Path(
            huggingface_hub.snapshot_download(name, revision=spec.revision, allow_patterns=wanted)
        )
    except Exception as error:  # the hub's client and what it downloads with have many
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UsageError(
            f"encoder {name!r} is no folder here, and the hub does not give it ({reason}): name a "
            "folder (--option audio.encoder=FOLDER), or fetch it once where there is a network"
        ) from error


def _commit(spec: AudioSpec, folder: Path) -> str | None:
    """The hub's commit, which is what the hub's client calls a folder of its cache."""
    return None if Path(str(spec.encoder)).is_dir() else folder.name


def _config(spec: AudioSpec, folder: Path) -> Any:
    transformers = _transformers()
    try:
        config = transformers.AutoConfig.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # a missing file, broken JSON, code beside it that would have to run
        raise _unusable(spec, error) from error
    if config.model_type not in FAMILIES:
        raise UsageError(
            f"encoder {spec.encoder!r} is a {config.model_type}: known here are "
            f"{', '.join(FAMILIES)}"
        )
    return config


def _unusable(spec: AudioSpec, error: Exception) -> UsageError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return UsageError(
        f"encoder {spec.encoder!r} cannot be used ({reason}): its folder needs {CONFIG}, "
        f"{EXTRACTOR} and {SINGLE} as transformers' save_pretrained writes them"
    )


def _weights(spec: AudioSpec, folder: Path) -> list[Path]:
    single = folder / SINGLE
    found = [single] if single.is_file() else sorted(folder.glob(SHARDS))
    if not found:
        raise UsageError(
            f"encoder {spec.encoder!r} has no {SINGLE}, and other weights are not read: another "
            "revision may have it (--option audio.revision=refs/pr/N), or save_pretrained makes it"
        )
    return found


def _checked_hash(spec: AudioSpec, folder: Path) -> str:
    digests = []
    for path in _weights(spec, folder):
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    one = digests[0] if len(digests) == 1 else _joined(digests)
    if spec.weights_hash not in (None, one):
        raise UsageError(
            f"encoder {spec.encoder!r} holds weights {one[:12]}, needed are "
            f"{str(spec.weights_hash)[:12]}: give the folder or the revision that has them"
        )
    return one


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _extractor(spec: AudioSpec, folder: Path) -> Any:
    transformers = _transformers()
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:
        raise _unusable(spec, error) from error
    if extractor.sampling_rate != spec.sample_rate:
        raise UsageError(
            f"encoder {spec.encoder!r} hears {extractor.sampling_rate} Hz, not "
            f"{spec.sample_rate}: --option audio.sample_rate={extractor.sampling_rate}"
        )
    return extractor


def _model(spec: AudioSpec, folder: Path) -> Any:
    """The encoder alone, float32, in evaluation mode."""
    transformers = _transformers()
    config = _config(spec, folder)
    alone = config.architectures == ["WhisperEncoder"]
    kind = (
        transformers.models.whisper.modeling_whisper.WhisperEncoder
        if alone
        else transformers.AutoModel
    )
    try:
        with _quiet(transformers):
            model, found = kind.from_pretrained(
                folder,
                dtype=torch.float32,
                # every family has it; a folder's own wish might name code from the hub
                attn_implementation="eager",
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except Exception as error:
        raise _unusable(spec, error) from error
    # what is not there was drawn at random; a decoder that is thrown away may lack anything
    lacking = [
        key
        for key in sorted(found["missing_keys"])
        if key not in _UNUSED and not key.startswith("decoder.")
    ]
    if lacking:
        raise _unusable(spec, KeyError(f"no weights for {lacking[0]}"))
    if config.model_type == "whisper" and not alone:
        model = model.encoder
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """Without bars, and without tables of the weights that are for other tasks."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
