"""Detectors by name, as ``--detector`` takes them."""

from emotion_core.errors import UsageError
from emotion_core.faces.packs import require_insightface
from emotion_core.faces.types import Detector

# Where no model says with which one it goes.
DEFAULT = "centerface"

_KNOWN = "centerface, insightface:PATH (an SCRFD .onnx file) or insightface:PACK (e.g. buffalo_l)"


def load_detector(spec: str, device: str = "cpu", threads: int = 1) -> Detector:
    """Load a detector, ready to run.

    Args:
        spec: ``centerface``, ``insightface:PATH`` or ``insightface:PACK``.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads of one call.

    Raises:
        UsageError: unknown detector or device, InsightFace or weights that are missing, weights of
            another kind, or ``cuda`` where ONNX Runtime cannot use it.
    """
    from emotion_core.faces import centerface, scrfd

    if spec == centerface.NAME:
        return centerface.CenterFace(device=device, threads=threads)
    return scrfd.Scrfd(_target(spec), device=device, threads=threads)


def detector_id(spec: str) -> dict[str, str]:
    """What features record of a detector, without running it: ``name`` and ``weights_hash``.

    Both equal the attributes of the detector that ``load_detector`` makes. A pack that is not on
    this machine yet is downloaded.

    Raises:
        UsageError: unknown detector, or InsightFace or weights that are missing.
    """
    from emotion_core.faces import centerface, packs, scrfd
    from emotion_core.faces.onnx_session import file_hash

    if spec == centerface.NAME:
        path, name = centerface.weights_path(), centerface.NAME
    else:
        path = packs.find_weights(_target(spec))
        name = scrfd.public_name(_target(spec), path)
    return {"name": name, "weights_hash": file_hash(path)}


def named_elsewhere(spec: str) -> str:
    """A detector's name as a stranger's file has it; ``--detector`` may be a path, this may not.

    The jobs write names without a folder in front, so a path was put there by hand: what lies at it
    would be searched and read here.

    Raises:
        UsageError: a path.
    """
    target = spec.partition(":")[2]
    if target.startswith(("~", ".")) or any(sign in target for sign in "/\\"):
        raise UsageError(f"detector {spec!r} is a path: pass it as --detector, if it is meant")
    return spec


def _target(spec: str) -> str:
    family, colon, target = spec.partition(":")
    if family != "insightface" or not colon or not target:
        raise UsageError(f"no detector {spec!r}: choose {_KNOWN}")
    require_insightface(f"detector {spec!r}", "use the default --detector centerface")
    return target
