"""Finding the weights of ``insightface:PATH_OR_PACK``: a file, a folder, or a pack to download."""

import contextlib
import logging
import os
import sys
import tempfile
import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from emotion_core.errors import UsageError

_log = logging.getLogger(__name__)
_OUTPUTS = (6, 9, 10, 15)  # an SCRFD has (scores, boxes[, points]) for 3 or 5 strides
_ANSWER_SECONDS = 30


def require_insightface(option: str, instead: str) -> None:
    """Find out whether the package is there, without loading it (and OpenCV).

    Args:
        option: what asks for it, for the message.
        instead: what can be done without it.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("insightface") is None:
        raise UsageError(
            f"{option} needs the package insightface, which is not installed here: "
            f"pip install insightface, or {instead}"
        )


def find_weights(target: str, root: Path | None = None) -> Path:
    """The SCRFD network that ``target`` names.

    Args:
        target: an ONNX file, a folder that holds one, or a pack of InsightFace's model zoo
            (``buffalo_l``), which is downloaded at its first use.
        root: InsightFace's folder, ``~/.insightface`` as in InsightFace itself.

    Raises:
        UsageError: no such file, no detector in it, or a pack that cannot be downloaded.
    """
    path = Path(target).expanduser()
    if path.is_file():
        return path
    if path.is_dir():
        return _detector_in(path, target)
    if target.endswith(".onnx") or "/" in target or os.sep in target or not target:
        raise UsageError(
            f"detector 'insightface:{target}': no such file: give the path of an SCRFD .onnx file "
            "or the name of a pack such as buffalo_l"
        )
    models = (root or Path("~/.insightface").expanduser()) / "models"
    folder = models / target
    if not any(folder.rglob("*.onnx")):
        _download(target, models)
    return _detector_in(folder, target)


@lru_cache(maxsize=1)
def note_licence() -> None:
    """Say once per process under which terms InsightFace gives its weights."""
    _log.warning(
        "InsightFace's published models are for non-commercial research only; "
        "the default detector centerface is MIT"
    )


def _detector_in(folder: Path, target: str) -> Path:
    """The detection network of a pack, which also holds recognition, landmarks, age ..."""
    # Nearly always det_*.onnx or scrfd_*.onnx: looked at first, the others can be large.
    files = sorted(
        folder.rglob("*.onnx"), key=lambda p: (not p.name.startswith(("det", "scrfd")), p.name)
    )
    for path in files:
        if _count_outputs(path) in _OUTPUTS:
            return path
    raise UsageError(
        f"detector 'insightface:{target}': {folder} holds no SCRFD detector: give the path of its "
        ".onnx file, or use --detector centerface"
    )


def _put(ready: Path, folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()  # an empty one, left by an earlier attempt of InsightFace's own
    try:
        ready.rename(folder)
    except OSError:
        if not any(folder.rglob("*.onnx")):  # otherwise another worker was quicker
            raise


def _count_outputs(path: Path) -> int:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return len(onnx.load(str(path), load_external_data=False).graph.output)
    except DecodeError:
        return 0


def _download(pack: str, models: Path) -> None:
    """Fetch a pack through InsightFace itself, so that it appears whole or not at all.

    InsightFace makes the pack's folder before it has unpacked anything, and takes a folder that
    exists for a finished one. So it works in a folder of its own, which is renamed at the end;
    several workers of a node may do so at once.
    """
    import requests
    from insightface.utils import storage

    try:
        models.mkdir(parents=True, exist_ok=True)
        # InsightFace asks without a time limit: find out first whether anybody answers
        url = storage.model_zoo_download_url(f"{pack}.zip")
        with requests.get(url, stream=True, timeout=_ANSWER_SECONDS) as answer:
            answer.raise_for_status()
        with (
            tempfile.TemporaryDirectory(dir=models, prefix=f".{pack}-") as place,
            contextlib.redirect_stdout(sys.stderr),  # it prints; standard output is the job's
        ):
            ready = Path(storage.download("models", pack, force=True, root=place))
            _put(ready, models / pack)
    except (requests.RequestException, zipfile.BadZipFile, RuntimeError, OSError) as error:
        raise UsageError(
            f"detector 'insightface:{pack}': the pack {pack} could not be downloaded "
            f"({type(error).__name__}): put its .onnx file here and use "
            "--detector insightface:PATH, or use the default --detector centerface"
        ) from error
