"""Detector networks in ONNX Runtime: any input size, any batch, CPU or CUDA."""

import hashlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from emotion_core.errors import UsageError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DEVICES = ("cpu", "cuda")
_CUDA = "CUDAExecutionProvider"
_ERRORS_ONLY = 3


def file_hash(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def any_size(path: Path) -> bytes:
    """The network of an ONNX file with free batch, height and width.

    Exporters write the size of their example input into the file as if it were a law. The layers
    of a fully convolutional network do not depend on it, so the declared sizes can go; the caller
    finds out by running it whether the graph had them baked in elsewhere.

    Raises:
        UsageError: the file is no ONNX network.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
        graph = model.graph
        weights = {tensor.name for tensor in graph.initializer}
        inputs = [value for value in graph.input if value.name not in weights]
        (pictures,) = (v for v in inputs if len(v.type.tensor_type.shape.dim) == 4)
    except (DecodeError, ValueError) as error:
        raise UsageError(f"{path} is not an ONNX network that takes pictures") from error
    dims = pictures.type.tensor_type.shape.dim
    for index, name in ((0, "batch"), (2, "height"), (3, "width")):
        dims[index].ClearField("dim_value")
        dims[index].dim_param = name
    # Old exporters list weights as inputs too, which keeps the runtime from folding them.
    del graph.input[:]
    graph.input.extend(inputs)
    del graph.value_info[:]
    for output in graph.output:
        for index, dim in enumerate(output.type.tensor_type.shape.dim):
            dim.ClearField("dim_value")
            dim.dim_param = f"{output.name}_{index}"
    return model.SerializeToString()


def open_session(model: bytes, device: str = "cpu", threads: int = 1) -> "InferenceSession":
    """An ONNX Runtime session.

    Args:
        model: a serialised network.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads inside one operator.

    Raises:
        UsageError: unknown device, or ``cuda`` where it cannot be had. The CPU never steps in for
            it: that would be many times slower, and nobody would know why.
    """
    import onnxruntime

    if device not in DEVICES:
        raise UsageError(f"no device {device!r}: choose one of {', '.join(DEVICES)}")
    if device == "cuda" and _CUDA not in onnxruntime.get_available_providers():
        raise _no_cuda("has no CUDA provider")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Threads that wait by spinning would steal the cores that decoding needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[str | tuple[str, dict[str, str]]] = ["CPUExecutionProvider"]
    if device == "cuda":
        onnxruntime.preload_dlls()  # CUDA and cuDNN from the wheels that torch brought
        # The default searches all algorithms again for every new picture size.
        providers.insert(0, (_CUDA, {"cudnn_conv_algo_search": "HEURISTIC"}))
    session = onnxruntime.InferenceSession(model, options, providers=providers)
    if device == "cuda" and session.get_providers()[0] != _CUDA:
        raise _no_cuda("cannot start on the GPU")
    return session


def default_batch(session: "InferenceSession") -> int:
    """Pictures a call: on a CPU more of them take memory (40 MB each) and no less time."""
    return 16 if session.get_providers()[0] == _CUDA else 4


def _no_cuda(what: str) -> UsageError:
    return UsageError(
        f"node {platform.node()}: ONNX Runtime {what}, so faces cannot be found on its GPU: there, "
        "pip uninstall -y onnxruntime onnxruntime-gpu && "
        "pip install --no-deps -c constraints.txt onnxruntime-gpu (README, 'GPU'); on a machine of "
        "your own, CUDA_VISIBLE_DEVICES= does without"
    )
