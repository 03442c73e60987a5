"""What a face looks like as a vector: a face-embedding network of the user's, in ONNX Runtime.

Any network of the ArcFace kind will do (Deng et al. 2019, arXiv 1801.07698): it takes a face that
was moved to ArcFace's template by its five landmarks, and gives one vector. InsightFace's own code
moves the face and feeds the network; nothing is downloaded, and nothing is sent anywhere.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.faces.onnx_session import file_hash, open_session
from emotion_core.faces.packs import require_insightface
from emotion_core.text import one_line

SIDE = 112  # of the template, pixels
_AT_ONCE = 16


def find_embedder(target: str) -> Path:
    """The network that ``target`` names.

    Args:
        target: an ONNX file, or a folder such as a pack of InsightFace's model zoo, in which the
            one network counts that takes pictures of 112 x 112 and gives one vector.

    Raises:
        UsageError: there is none.
    """
    path = Path(target).expanduser()
    if path.is_file():
        return path
    # no folder holds none
    fitting = [each for each in sorted(path.rglob("*.onnx")) if _fits(each)]
    if len(fitting) != 1:
        raise UsageError(
            f"--identify {target}: {len(fitting)} face-embedding networks there: give the path of "
            "an .onnx file that makes a vector of a face of 112 x 112 pixels"
        )
    return fitting[0]


def _fits(path: Path) -> bool:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(path), load_external_data=False).graph
    except DecodeError:
        return False
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    sides = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim[2:]] if inputs else []
    outputs = [len(value.type.tensor_type.shape.dim) for value in graph.output]
    return sides == [SIDE, SIDE] and outputs == [2]


class FaceEmbedder:
    """A face-embedding network.

    Args:
        target: as ``find_embedder`` takes it.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads of one call.

    Raises:
        UsageError: InsightFace is not installed, there is no such network, it is of another kind,
            or ``cuda`` cannot be had.
    """

    def __init__(self, target: str, device: str = "cpu", threads: int = 1):
        require_insightface(f"--identify {target}", "leave --identify out")
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        path = find_embedder(target)
        try:
            session = open_session(path.read_bytes(), device, threads)
        except UsageError:
            raise
        except Exception as error:  # ONNX Runtime has its own, which have nothing in common
            raise UsageError(f"--identify {path} is no ONNX network: {one_line(error)}") from error
        shape, outputs = session.get_inputs()[0].shape, len(session.get_outputs())
        if len(shape) != 4 or shape[1:] != [3, SIDE, SIDE] or outputs != 1:
            raise UsageError(
                f"--identify {path}: it takes {shape} and gives {outputs} outputs: a network that "
                f"knows faces takes [N, 3, {SIDE}, {SIDE}] and gives one"
            )
        self.weights_hash = file_hash(path)
        self._at_once = shape[0] if isinstance(shape[0], int) else _AT_ONCE
        self._network = ArcFaceONNX(str(path), session)

    def aligned(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray | None:
        """A face on ArcFace's template.

        Args:
            image: uint8 (height, width, 3), RGB.
            landmarks: float32 (5, 2), as ``Detections`` has them.

        Returns:
            uint8 (112, 112, 3), RGB; None where the detector gave no landmarks.
        """
        from insightface.utils.face_align import norm_crop

        if not np.isfinite(landmarks).all() or np.ptp(landmarks, axis=0).min() <= 0:
            return None
        with warnings.catch_warnings():
            # it calls a method of scikit-image that will go in a later version
            warnings.simplefilter("ignore", FutureWarning)
            return norm_crop(image, landmarks, SIDE)

    def embed(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        """One vector of length 1 for each face; of length 0 where the network says nothing.

        Args:
            faces: as ``aligned`` makes them.

        Returns:
            float32 (faces, size of the network's answer).
        """
        found = []
        for start in range(0, len(faces), self._at_once):
            some = list(faces[start : start + self._at_once])
            spare = self._at_once - len(some) if self._at_once != _AT_ONCE else 0
            some += [np.zeros((SIDE, SIDE, 3), np.uint8)] * spare
            bgr = [face[:, :, ::-1] for face in some]  # as OpenCV has it, and InsightFace
            answers = np.asarray(self._network.get_feat(bgr), np.float32)
            found.append(answers.reshape(len(some), -1)[: len(some) - spare])
        vectors = np.nan_to_num(np.concatenate(found), posinf=0.0, neginf=0.0)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
