"""Models as the Hugging Face hub has them, or folders like that: fetched, checked and loaded.

The only module that knows ``transformers`` and the hub's client (``HF_HOME`` and ``HF_HUB_OFFLINE``
count). Weights are safetensors, and no code that lies beside them is ever run.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.text import one_line

SINGLE, SHARDS = "model.safetensors", "model-*-of-*.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG, EXTRACTOR, CARD = "config.json", "preprocessor_config.json", "README.md"

_EXTRA = "pip install 'emotion-core[encoders]'"


@dataclass(frozen=True)
class Source:
    """What is looked for, and the words in which messages speak of it.

    Attributes:
        name: on the hub, or a local folder in the layout of ``transformers``.
        revision: branch, tag or commit of the hub; None: its main branch.
        noun: what it is to the user.
        give_folder: the option that names a folder instead.
        give_revision: the option that names a revision of the hub.
    """

    name: str
    revision: str | None
    noun: str
    give_folder: str
    give_revision: str

    @property
    def told(self) -> str:
        return f"{self.noun} {self.name!r}"

    def unusable(self, error: Exception) -> UsageError:
        """What is to be raised for files that are not what they should be."""
        return UsageError(
            f"{self.told} cannot be used ({one_line(error)}): its folder needs {CONFIG}, "
            f"{EXTRACTOR} and {SINGLE} as transformers' save_pretrained writes them"
        )


def transformers_for(source: Source) -> Any:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise UsageError(f"{source.told} needs the package transformers: {_EXTRA}") from error
    return transformers


def folder_of(source: Source) -> Path:
    """Where its files lie, fetched from the hub if it is named by its name there.

    Raises:
        UsageError: it is neither here nor to be had there.
    """
    transformers_for(source)
    name = source.name
    if Path(name).is_dir():
        return Path(name)
    if Path(name).is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        article = "an" if source.noun[0] in "aeiou" else "a"
        raise UsageError(
            f"no folder {name!r} with {article} {source.noun}: give its place, or a name on the hub"
        )
    import huggingface_hub

    try:
        wanted = [CONFIG, EXTRACTOR, SINGLE, SHARDS, INDEX, CARD]
        return Path(
            huggingface_hub.snapshot_download(name, revision=source.revision, allow_patterns=wanted)
        )
    except Exception as error:  # the hub's client and what it downloads with have many
        raise UsageError(
            f"{source.told} is no folder here, and the hub does not give it ({one_line(error)}): "
            f"name a folder ({source.give_folder}), or fetch it once where there is a network"
        ) from error


def commit_of(source: Source, folder: Path) -> str | None:
    """The hub's commit, which is what the hub's client calls a folder of its cache."""
    return None if Path(source.name).is_dir() else folder.name


def config_of(source: Source, folder: Path) -> Any:
    """``config.json``, as ``transformers`` reads it."""
    return _read(source, folder, "AutoConfig")


def preprocessor_of(source: Source, folder: Path, kind: str) -> Any:
    """What prepares a model's inputs.

    Args:
        source, folder: of the model.
        kind: ``AutoFeatureExtractor`` or ``AutoImageProcessor``.

    Raises:
        UsageError: it is missing, damaged, or would have to run code beside it.
    """
    return _read(source, folder, kind)


def _read(source: Source, folder: Path, kind: str) -> Any:
    library = transformers_for(source)
    try:
        return getattr(library, kind).from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # a missing file, broken JSON, code beside it that would have to run
        raise source.unusable(error) from error


def weights_of(source: Source, folder: Path) -> list[Path]:
    """The files of its weights.

    Raises:
        UsageError: none that are safetensors.
    """
    single = folder / SINGLE
    found = [single] if single.is_file() else sorted(folder.glob(SHARDS))
    if not found:
        raise UsageError(
            f"{source.told} has no {SINGLE}, and other weights are not read: another "
            f"revision may have it ({source.give_revision}), or save_pretrained makes it"
        )
    return found


def weights_hash(source: Source, folder: Path, wanted: str | None = None) -> str:
    """SHA-256 of its weights, hex; of several files that of their hashes.

    Raises:
        UsageError: it is not the one that is ``wanted``.
    """
    digests = []
    for path in weights_of(source, folder):
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    one = digests[0] if len(digests) == 1 else _joined(digests)
    if wanted not in (None, one):
        raise UsageError(
            f"{source.told} holds weights {one[:12]}, needed are {str(wanted)[:12]}: give the "
            "folder or the revision that has them"
        )
    return one


def _joined(digests: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def load_network(source: Source, folder: Path, kind: Any, spare: Sequence[str] = ()) -> Any:
    """The network, float32, in evaluation mode, on the CPU.

    Args:
        source, folder: of the model.
        kind: its class in ``transformers``, or one of its ``Auto`` classes.
        spare: weights with these beginnings may be missing: nobody asks for what they make.

    Raises:
        UsageError: the weights are damaged, or some are missing: those would be drawn at random.
    """
    import torch

    library = transformers_for(source)
    try:
        with _quiet(library):
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
        raise source.unusable(error) from error
    lacking = [key for key in sorted(found["missing_keys"]) if not key.startswith(tuple(spare))]
    if lacking:
        raise source.unusable(KeyError(f"no weights for {lacking[0]}"))
    return model.eval().requires_grad_(False)


def licence_of(source: Source, folder: Path) -> str | None:
    """The licence that its card on the hub states; None where it states none."""
    card = folder / CARD
    if not card.is_file():
        return None
    import huggingface_hub

    try:
        stated = huggingface_hub.ModelCard.load(card, ignore_metadata_errors=True).data.license
    except Exception:  # a card that nobody can read states nothing
        return None
    return stated if isinstance(stated, str) and stated else None


@contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Without bars, and without tables of the weights that are for other tasks."""
    logging = library.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
