"""People who are nothing but colours: videos of them, what finds them, and what knows them."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import onnx
from onnx import TensorProto, helper
from scipy import ndimage

from emotion_core.faces.types import Detections

RED, GREEN, BLUE = (230, 20, 20), (20, 210, 20), (20, 20, 230)
WIDTH, HEIGHT, FPS, FACE = 320, 240, 5, 80
# where ArcFace's template has eyes, nose and mouth, as fractions of a face's box
_POINTS = np.array([[0.34, 0.46], [0.66, 0.46], [0.5, 0.64], [0.37, 0.82], [0.63, 0.82]])

Colour = tuple[int, int, int]
# Who is at which left edge (pixels), for how many seconds.
Shot = tuple[float, dict[int, Colour]]


class Colours:
    """A detector that takes every patch of a strong colour for a face."""

    name, weights_hash, provider = "colours", "0" * 64, "none"

    def detect(self, images: np.ndarray) -> list[Detections]:
        return [_patches(image.astype(int)) for image in images]


def _patches(image: np.ndarray) -> Detections:
    strong, count = ndimage.label(np.ptp(image, axis=2) > 100)
    boxes = [
        (cols.start, rows.start, cols.stop, rows.stop)
        for rows, cols in ndimage.find_objects(strong, count)
        if min(rows.stop - rows.start, cols.stop - cols.start) > 20
    ]
    found = np.array(boxes, np.float32).reshape(-1, 4)
    corner, sides = found[:, None, :2], (found[:, 2:] - found[:, :2])[:, None]
    marks = (corner + _POINTS * sides).astype(np.float32)
    return Detections(found, np.ones(len(found), np.float32), marks)


def write_video(path: Path, shots: Sequence[Shot]) -> Path:
    """A silent video of these shots, one after the other."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        number = 0
        for seconds, people in shots:
            image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            for left, colour in people.items():
                image[80 : 80 + FACE, left : left + FACE] = colour
            for _ in range(round(seconds * FPS)):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, number = number, number + 1
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def colour_network(path: Path, side: int = 112) -> Path:
    """An ONNX network of ArcFace's shape whose vector is a face's mean colour."""
    shape = ["n", 3, side, side]
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["face"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["vector"]),
        ],
        "colours",
        [helper.make_tensor_value_info("face", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 3])],
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), str(path))
    return path
