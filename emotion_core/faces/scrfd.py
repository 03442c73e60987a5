"""InsightFace's SCRFD detectors, in batches.

Guo et al. 2021, 'Sample and Computation Redistribution for Efficient Face Detection'
(arXiv:2105.04714), through the package ``insightface``. Its own code runs one picture at a time;
here a batch goes through the network at once, and InsightFace's helpers decode the answers. Its
published weights are for non-commercial research only.
"""

from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.faces.boxes import order_by_score
from emotion_core.faces.letterbox import fit, letterbox
from emotion_core.faces.onnx_session import any_size, default_batch, file_hash, open_session
from emotion_core.faces.packs import find_weights, note_licence
from emotion_core.faces.types import Detections

PREFIX = "insightface:"
_POINTS = 5
_SAME = 1e-3  # what batching may change in raw outputs (rounding); a wrong layout changes far more


def public_name(target: str, weights: Path) -> str:
    """What the features record: the pack's name, or the file's without its folder."""
    pack = not Path(target).expanduser().exists()
    return PREFIX + (target if pack else weights.name)


class Scrfd:
    """An SCRFD network on batches of pictures.

    Args:
        target: what stands after ``insightface:``, see ``packs.find_weights``.
        side: pictures are scaled down so that their longer side has at most this many pixels.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads of one call.
        batch_size: pictures that go through the network together, where it allows that; None: as
            suits the device.
        min_score: candidates below are dropped before suppression; callers filter further.

    Attributes:
        batched: the network takes several pictures at once.

    Raises:
        UsageError: no such weights, or they are no SCRFD network.
    """

    def __init__(
        self,
        target: str,
        side: int = 640,
        device: str = "cpu",
        threads: int = 1,
        batch_size: int | None = None,
        min_score: float = 0.1,
    ):
        path = find_weights(target)
        note_licence()
        self.name = public_name(target, path)
        self.weights_hash = file_hash(path)
        self._network = _Network(path, device, threads)
        self.provider: str = self._network.session.get_providers()[0]
        self.batched = self._network.layout != "single"
        self._side = side
        self._batch_size = (
            (batch_size or default_batch(self._network.session)) if self.batched else 1
        )
        self._min_score = min_score

    def detect(self, images: np.ndarray) -> list[Detections]:
        """Faces of each picture of ``images``, uint8 (n, height, width, 3) RGB.

        Boxes may reach over the picture's edge. ``landmarks`` are NaN for networks without points.
        """
        found: list[Detections] = []
        network = self._network
        for start in range(0, len(images), self._batch_size):
            part = images[start : start + self._batch_size]
            place = fit(part.shape[1], part.shape[2], self._side, network.fixed)
            for outputs in network(letterbox(part, place)):
                found.append(self._decode(outputs, place.canvas, place.scale))
        return found

    def _decode(
        self, outputs: list[np.ndarray], canvas: tuple[int, int], scale: np.ndarray
    ) -> Detections:
        """One picture's outputs, (anchors, 1 | 4 | 10) per stride -> its faces."""
        from insightface.model_zoo.scrfd import distance2bbox, distance2kps

        levels = self._network.levels
        scores, boxes, points = [], [], []
        for level, (stride, anchors) in enumerate(levels):
            score = outputs[level][:, 0]
            good = np.nonzero(score >= self._min_score)[0]
            cell = good // anchors
            columns = canvas[1] // stride
            centres = np.stack([cell % columns, cell // columns], axis=1) * np.float32(stride)
            scores.append(score[good])
            boxes.append(distance2bbox(centres, outputs[len(levels) + level][good] * stride))
            if self._network.has_points:
                shifts = outputs[2 * len(levels) + level][good] * stride
                points.append(distance2kps(centres, shifts).reshape(-1, _POINTS, 2))
            else:
                points.append(np.full((len(good), _POINTS, 2), np.nan, dtype=np.float32))
        overlap = 0.4  # InsightFace's nms_thresh
        return order_by_score(
            np.concatenate(boxes) / np.tile(scale, 2),
            np.concatenate(scores),
            np.concatenate(points) / scale,
            overlap,
        )


class _Network:
    """The session, and what it was found to be able to do.

    Attributes:
        layout: where the pictures of a batch are in the outputs: ``batch`` (n, anchors, c),
            ``rows`` (anchors of all pictures in one axis, cell by cell, as InsightFace's own
            exports have it) or ``single`` (one picture at a time only).
        fixed: (height, width) when the network takes only that size.
        levels: (stride, anchors per cell) of each level.
        has_points: it predicts the five landmarks too.
    """

    def __init__(self, path: Path, device: str, threads: int):
        self.session = open_session(any_size(path), device, threads)
        self._input = self.session.get_inputs()[0].name
        self.levels, self.has_points = _family(path, len(self.session.get_outputs()))
        self.fixed: tuple[int, int] | None = None
        try:
            self.layout = self._probe()
        except _runtime_errors():
            # Its size is part of the graph and not only declared: take the file as it is.
            self.session = open_session(path.read_bytes(), device, threads)
            height, width = self.session.get_inputs()[0].shape[2:]
            self.fixed, self.layout = (height, width), "single"

    def __call__(self, batch: np.ndarray) -> list[list[np.ndarray]]:
        """float32 (n, 3, H, W), 0 to 255, RGB -> per picture its outputs without batch axis."""
        # InsightFace trains with mean 127.5 and divisor 128, and turns its BGR pictures to RGB
        outputs = self._run((batch - 127.5) / 128.0)
        return [self._of(outputs, index, len(batch)) for index in range(len(batch))]

    def _run(self, batch: np.ndarray) -> list[Any]:
        return list(self.session.run(None, {self._input: batch.astype(np.float32, copy=False)}))

    def _of(self, outputs: list[np.ndarray], index: int, count: int) -> list[np.ndarray]:
        if outputs[0].ndim == 3:
            return [output[index] for output in outputs]
        if count == 1:
            return outputs
        strides = self.levels * (len(outputs) // len(self.levels))
        return [
            output.reshape(-1, count, anchors, output.shape[-1])[:, index].reshape(
                -1, output.shape[-1]
            )
            for output, (_, anchors) in zip(outputs, strides, strict=True)
        ]

    def _probe(self) -> str:
        """Whether two pictures at once give what they give alone."""
        noise = np.random.default_rng(0).uniform(-1, 1, (2, 3, 64, 96)).astype(np.float32)
        alone = [self._of(self._run(noise[i : i + 1]), 0, 1) for i in range(2)]
        try:
            both = self._run(noise)
            together = [self._of(both, i, 2) for i in range(2)]
        except _runtime_errors():  # the graph holds a batch of one
            return "single"
        except (ValueError, IndexError):  # outputs that cannot be divided among the pictures
            return "single"
        same = all(
            one.shape == two.shape and np.abs(one - two).max() < _SAME
            for i in range(2)
            for one, two in zip(alone[i], together[i], strict=True)
        )
        return ("batch" if both[0].ndim == 3 else "rows") if same else "single"


def _family(path: Path, outputs: int) -> tuple[list[tuple[int, int]], bool]:
    """(stride, anchors per cell) of each level, and whether there are points."""
    three = [(8, 2), (16, 2), (32, 2)]
    five = [(8, 1), (16, 1), (32, 1), (64, 1), (128, 1)]
    families = {6: (three, False), 9: (three, True), 10: (five, False), 15: (five, True)}
    if outputs not in families:
        raise UsageError(
            f"detector 'insightface:{path}': not an SCRFD network ({outputs} outputs instead of "
            "6, 9, 10 or 15): give another .onnx file, or use --detector centerface"
        )
    return families[outputs]


def _runtime_errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    return (state.Fail, state.InvalidArgument, state.RuntimeException)
