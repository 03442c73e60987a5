"""SCRFD through InsightFace: real networks, rewritten networks, and the download of packs."""

import io
import logging
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from emotion_core.errors import UsageError
from emotion_core.faces import packs
from emotion_core.faces.boxes import is_face, take
from emotion_core.faces.detectors import detector_id, load_detector
from emotion_core.faces.onnx_session import any_size, open_session
from emotion_core.faces.scrfd import Scrfd
from emotion_core.faces.types import Detections


@pytest.fixture(scope="module")
def weights(corpora: Path) -> Path:
    return corpora / "models" / "scrfd_500m_kps.onnx"


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """uint8 (3, 640, 640, 3): a face, its mirror image at another place, two faces."""
    from skimage.data import astronaut

    face = astronaut()
    batch = np.full((3, 640, 640, 3), 90, dtype=np.uint8)
    batch[0, 64:576, 64:576] = face
    batch[1, :512, 128:] = face[:, ::-1]
    batch[2, 40:640, :320] = np.pad(face[:320, 96:416], ((0, 280), (0, 0), (0, 0)))
    batch[2, 100:420, 320:] = face[:320, 96:416]
    return batch


def reference(path: Path, size: tuple[int, int], images: np.ndarray) -> list[Detections]:
    """InsightFace's own code, one picture at a time, at this (width, height)."""
    from insightface.model_zoo.scrfd import SCRFD

    model = SCRFD(session=open_session(any_size(path), "cpu"))
    found = []
    for image in images:
        faces, points = model.detect(image[..., ::-1].copy(), input_size=size, det_thresh=0.1)
        found.append(Detections(faces[:, :4], faces[:, 4], points))
    return found


def assert_same(ours: list[Detections], theirs: list[Detections], above: float = 0.3) -> None:
    """``above``: near the lowest score rounding decides who is in."""
    assert len(ours) == len(theirs)
    for one, two in zip(ours, theirs, strict=True):
        one, two = take(one, one.scores > above), take(two, two.scores > above)
        assert len(one.scores) == len(two.scores)
        assert one.boxes == pytest.approx(two.boxes, abs=1e-2)
        assert one.scores == pytest.approx(two.scores, abs=1e-4)
        assert one.landmarks == pytest.approx(two.landmarks, abs=1e-2)


def count(found: list[Detections]) -> list[int]:
    return [int(is_face(each, 0.5, 16).sum()) for each in found]


def test_batches_equal_insightface(weights: Path, pictures: np.ndarray) -> None:
    detector = Scrfd(str(weights), device="cpu")
    found = detector.detect(pictures)
    assert detector.batched and count(found) == [1, 1, 2]
    assert_same(found, reference(weights, (640, 640), pictures))


def test_wide_pictures_take_less_room(weights: Path, pictures: np.ndarray) -> None:
    """640 x 360 goes through the network as 640 x 384, and gives what InsightFace gives there."""
    wide = pictures[:, 30:390]
    found = Scrfd(str(weights), device="cpu", batch_size=2).detect(wide)
    assert_same(found, reference(weights, (640, 384), wide))
    assert sum(count(found)) >= 3


def test_boxes_come_back_in_pixels_of_a_large_picture(weights: Path, pictures: np.ndarray) -> None:
    detector = Scrfd(str(weights), device="cpu")
    twice = pictures[:1].repeat(2, axis=1).repeat(2, axis=2)
    (one,) = (take(f, f.scores > 0.5) for f in detector.detect(pictures[:1]))
    (two,) = (take(f, f.scores > 0.5) for f in detector.detect(twice))
    assert two.boxes / 2 == pytest.approx(one.boxes, abs=1)
    assert two.landmarks / 2 == pytest.approx(one.landmarks, abs=1)


def rewritten(
    weights: Path, path: Path, perm: list[int], shape: Callable[[int], list[int]]
) -> Path:
    """The same network with another arrangement of its outputs: transposed, then reshaped."""
    model = onnx.load(str(weights))
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    for index, output in enumerate(graph.output):
        node = producers[output.name]
        reshape = producers[node.input[0]] if node.op_type == "Sigmoid" else node
        transpose = producers[reshape.input[0]]
        transpose.attribute[0].CopyFrom(helper.make_attribute("perm", perm))
        name = f"shape_{index}"
        constant = np.array(shape(index), dtype=np.int64)
        graph.initializer.append(numpy_helper.from_array(constant, name))
        reshape.input[1] = name
        del output.type.tensor_type.shape.dim[:]
        for size in constant:
            output.type.tensor_type.shape.dim.add().dim_value = max(1, int(size))
    onnx.save(model, str(path))
    return path


WIDTHS = [1, 1, 1, 4, 4, 4, 10, 10, 10]


def test_rows_of_all_pictures_in_one_axis(
    weights: Path, pictures: np.ndarray, tmp_path: Path
) -> None:
    """As InsightFace's own packs are exported: no batch axis, pictures interleaved."""
    path = rewritten(weights, tmp_path / "rows.onnx", [2, 3, 0, 1], lambda i: [-1, WIDTHS[i]])
    detector = Scrfd(str(path), device="cpu")
    assert detector.batched
    assert_same(detector.detect(pictures), Scrfd(str(weights), device="cpu").detect(pictures))


def test_outputs_that_cannot_be_told_apart_go_one_by_one(
    weights: Path, pictures: np.ndarray, tmp_path: Path
) -> None:
    path = rewritten(weights, tmp_path / "flat.onnx", [0, 2, 3, 1], lambda i: [-1, WIDTHS[i]])
    detector = Scrfd(str(path), device="cpu")
    assert not detector.batched
    assert_same(detector.detect(pictures), Scrfd(str(weights), device="cpu").detect(pictures))


def test_a_network_of_one_size(weights: Path, pictures: np.ndarray, tmp_path: Path) -> None:
    anchors = [12800, 3200, 800]
    path = rewritten(
        weights, tmp_path / "fixed.onnx", [0, 2, 3, 1], lambda i: [1, anchors[i % 3], WIDTHS[i]]
    )
    detector = Scrfd(str(path), device="cpu")
    assert not detector.batched
    wide = pictures[:, 30:390]
    padded = np.pad(wide, ((0, 0), (0, 280), (0, 0), (0, 0)))
    assert_same(detector.detect(wide), reference(weights, (640, 640), padded))


def test_a_network_without_points(weights: Path, pictures: np.ndarray, tmp_path: Path) -> None:
    model = onnx.load(str(weights))
    del model.graph.output[6:]
    onnx.save(model, str(tmp_path / "bare.onnx"))
    bare = Scrfd(str(tmp_path / "bare.onnx"), device="cpu").detect(pictures)
    full = Scrfd(str(weights), device="cpu").detect(pictures)
    for one, two in zip(bare, full, strict=True):
        assert one.boxes == pytest.approx(two.boxes, abs=1e-3)
        assert one.landmarks.shape == two.landmarks.shape and np.isnan(one.landmarks).all()


def test_names_and_hashes(weights: Path) -> None:
    spec = f"insightface:{weights}"
    loaded = load_detector(spec, device="cpu")
    assert detector_id(spec) == {"name": loaded.name, "weights_hash": loaded.weights_hash}
    assert loaded.name == "insightface:scrfd_500m_kps.onnx"


def test_wrong_files(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "text.onnx").write_text("this is no network")
    (tmp_path / "empty.onnx").write_bytes(b"")
    wrong = {
        "text.onnx": "not an ONNX network",
        "empty.onnx": "not an ONNX network",
        "missing.onnx": "no such file",
        ".": "holds no SCRFD detector",
    }
    for name, message in wrong.items():
        with pytest.raises(UsageError, match=message):
            Scrfd(str(tmp_path / name), device="cpu")
    with pytest.raises(UsageError, match="not an SCRFD network"):
        Scrfd(str(weights.parent / "yunet_n_dynamic.onnx"), device="cpu")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a local server offers in the place of InsightFace's release page."""
    from insightface.utils import storage

    folder = tmp_path / "zoo"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}/"
    monkeypatch.setattr(storage, "MODEL_ZOO_RELEASE_DOWNLOAD_URL", url)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def offer(zoo: Path, pack: str, files: dict[str, bytes]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    (zoo / f"{pack}.zip").write_bytes(buffer.getvalue())


def small_network() -> bytes:
    """A network that is no detector, as packs hold several."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "relu",
        [value("x", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
        [value("y", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    return helper.make_model(graph).SerializeToString()


def test_a_pack_is_downloaded_once(
    zoo: Path, weights: Path, pictures: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    others = {"2d106det.onnx": small_network(), "w600k.onnx": small_network()}
    offer(zoo, "buffalo_test", {**others, "nested/det_500m.onnx": weights.read_bytes()})
    detector = load_detector("insightface:buffalo_test", device="cpu")
    assert detector.name == "insightface:buffalo_test"
    assert detector.weights_hash == Scrfd(str(weights), device="cpu").weights_hash
    assert count(detector.detect(pictures)) == [1, 1, 2]
    assert capfd.readouterr().out == ""  # standard output belongs to the job

    (zoo / "buffalo_test.zip").unlink()
    assert detector_id("insightface:buffalo_test")["weights_hash"] == detector.weights_hash
    models = Path("~/.insightface/models").expanduser()
    assert [path.name for path in models.iterdir()] == ["buffalo_test"]


def test_a_broken_download_is_done_again(zoo: Path, weights: Path) -> None:
    (zoo / "buffalo_test.zip").write_bytes(b"half a zip file")
    with pytest.raises(UsageError, match="buffalo_test could not be downloaded"):
        packs.find_weights("buffalo_test")
    models = Path("~/.insightface/models").expanduser()
    assert list(models.iterdir()) == []
    (models / "buffalo_test").mkdir()  # what InsightFace itself leaves behind
    offer(zoo, "buffalo_test", {"det_500m.onnx": weights.read_bytes()})
    assert packs.find_weights("buffalo_test") == models / "buffalo_test" / "det_500m.onnx"


def test_a_pack_that_is_not_offered(zoo: Path) -> None:
    with pytest.raises(UsageError, match="the pack bufalo could not be downloaded") as caught:
        load_detector("insightface:bufalo")
    message = str(caught.value)
    assert "\n" not in message
    assert "insightface:PATH" in message and "centerface" in message


def test_a_machine_without_a_network(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from insightface.utils import storage

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = taken.getsockname()[1]
    url = f"http://127.0.0.1:{closed}/"
    monkeypatch.setattr(storage, "MODEL_ZOO_RELEASE_DOWNLOAD_URL", url)
    for function in (load_detector, detector_id):
        with pytest.raises(UsageError, match=r"buffalo_l could not be downloaded \(Connection"):
            function("insightface:buffalo_l")


def test_a_pack_without_a_detector(zoo: Path) -> None:
    offer(zoo, "only_others", {"w600k.onnx": small_network()})
    with pytest.raises(UsageError, match="holds no SCRFD detector"):
        packs.find_weights("only_others")


def test_the_licence_is_told_once(weights: Path, caplog: pytest.LogCaptureFixture) -> None:
    packs.note_licence.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            Scrfd(str(weights), device="cpu")
    notes = [r.getMessage() for r in caplog.records if r.name == packs.__name__]
    assert len(notes) == 1 and "non-commercial" in notes[0]
