"""An ONNX network of somebody else's, fed as its description says."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.faces.onnx_session import open_session
from emotion_core.models.foreign.description import AudioInput, Description, FaceInput
from emotion_core.models.foreign.dimensions import apart, scaled
from emotion_core.models.member import Given
from emotion_core.text import one_line, printable

# Shorter sounds are filled up with zeros to so many seconds: many networks take no shorter ones.
LEAST_S = 0.5
_AT_ONCE = 16
# How far from 1 the sum of probabilities may lie.
_OFF = 1e-2


class OnnxNetwork:
    """A network in ONNX Runtime.

    Args:
        data: the ONNX file.
        what: its description.
        where: what messages call it.
        device: ``cpu`` or ``cuda``.

    Raises:
        UsageError: no network, one with weights in other files, or one that does not take and give
            what its description says; or ``cuda`` cannot be had.
    """

    def __init__(self, data: bytes, what: Description, where: str, device: str):
        try:
            self._session = open_session(data, device)
        except UsageError:
            raise
        except Exception as error:  # ONNX Runtime has its own, which have nothing in common
            raise UsageError(
                f"{where} is no ONNX network in one file ({one_line(error)}): weights that lie in "
                "files beside it are not read"
            ) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            told = ", ".join(f"{each.name} {each.type}" for each in inputs)
            raise UsageError(f"{where} takes {told}: it should take one tensor of floats")
        (self._input,) = inputs
        batch = self._input.shape[0] if self._input.shape else 0
        if isinstance(batch, int) and batch != 1:
            raise UsageError(f"{where} takes {batch} inputs at once: it should take one, or any")
        self._where = where
        self._what, self._outputs = self._named(what)
        self._tensors = [self._outputs.index(e.tensor or self._outputs[0]) for e in what.dimensions]
        self._prepared: Callable[[np.ndarray], np.ndarray]
        if what.face is not None:
            face = what.face
            self._prepared = lambda picture: prepared_face(picture, face)
            self._at_once = 1 if batch == 1 else _AT_ONCE
            trial = snow((face.size, face.size, 3)[: 2 + (face.colour != "grey")])
        else:
            assert what.audio is not None
            audio = what.audio
            self._prepared = lambda sound: prepared_sound(sound, audio)
            self._at_once = 1  # of any length
            trial = noise(LEAST_S, audio.sample_rate)
        self._try(trial, where)

    def answers(self, inputs: Sequence[np.ndarray]) -> Given:
        """See ``model.Network``."""
        found = []
        for start in range(0, len(inputs), self._at_once):
            some = np.stack([self._prepared(e) for e in inputs[start : start + self._at_once]])
            found.append(self._run(some))
        given = [np.concatenate(each) for each in zip(*found, strict=True)]
        here = [each for each in self._what.dimensions if each.tensor is None]
        classes, _ = apart(given[0], here, self._what.output == "logits")
        return Given(classes if self._what.labels else classes[:, :0], self._dimensions(given))

    def _dimensions(self, given: Sequence[np.ndarray]) -> np.ndarray:
        dimensions = self._what.dimensions
        places = zip(self._tensors, dimensions, strict=True)
        values = [given[tensor][:, each.column] for tensor, each in places]
        return scaled(np.stack(values, 1) if values else np.empty((len(given[0]), 0)), dimensions)

    def _named(self, what: Description) -> tuple[Description, list[str]]:
        """The description with no name for the first output, and the outputs that it wants.

        No others are asked for: hidden states may be of another length for each sound.
        """
        names = [each.name for each in self._session.get_outputs()]
        for name in (each.tensor for each in what.dimensions):
            if name is not None and name not in names:
                raise UsageError(
                    f"{self._where} has no output {name!r}, as its description says, only "
                    f"{printable(', '.join(names))[:200]}"
                )
        dimensions = tuple(
            replace(each, tensor=None) if each.tensor == names[0] else each
            for each in what.dimensions
        )
        if len({(each.tensor, each.column) for each in dimensions}) < len(dimensions):
            raise UsageError(f"{self._where}: its description has two dimensions in one column")
        others = (each.tensor for each in dimensions if each.tensor is not None)
        return replace(what, dimensions=dimensions), list(dict.fromkeys([names[0], *others]))

    def _run(self, some: np.ndarray) -> list[np.ndarray]:
        given = self._session.run(self._outputs, {self._input.name: some})
        return [np.asarray(each) for each in given]

    def _try(self, trial: np.ndarray, where: str) -> None:
        """One input of each kind, so that what does not fit is known before the first video."""
        try:
            given = self._run(self._prepared(trial)[None])
        except Exception as error:
            raise UsageError(
                f"{where} does not take what its description says ({one_line(error)})"
            ) from error
        what = self._what
        if not all(np.isfinite(each).all() for each in given):
            raise UsageError(f"{where} answers noise with no number: is the file damaged?")
        for tensor, each in zip(self._tensors, what.dimensions, strict=True):
            if given[tensor].ndim != 2 or given[tensor].shape[1] <= each.column:
                raise UsageError(
                    f"{where} gives {list(given[tensor].shape)}, its description has "
                    f"{each.name} in column {each.column}"
                )
        if not what.labels:
            return
        here = [each for each in what.dimensions if each.tensor is None]
        outputs = len(what.labels) + len(here)
        if given[0].shape != (1, outputs):
            told = f"{len(what.labels)} labels" + f" and {len(here)} dimensions" * bool(here)
            raise UsageError(
                f"{where} gives {list(given[0].shape)}, its description has {told}: "
                f"its first output should be [1, {outputs}]"
            )
        classes = np.delete(given[0], [each.column for each in here], axis=1)
        adds_up = abs(float(classes.sum()) - 1) < _OFF and bool((classes >= 0).all())
        if adds_up != (what.output == "probabilities"):
            raise UsageError(
                f"{where} gives {'probabilities' if adds_up else 'no probabilities'}, its "
                f"description says output {what.output}"
            )


def prepared_face(picture: np.ndarray, face: FaceInput) -> np.ndarray:
    """A face as the network wants it.

    Args:
        picture: uint8 (size, size, 3) RGB, or (size, size) grey.
        face: see there.

    Returns:
        float32 (channels, size, size) or (size, size, channels).
    """
    values = picture[:, :, None] if picture.ndim == 2 else picture
    if face.colour == "bgr":
        values = values[:, :, ::-1]
    mean, std = np.asarray(face.mean, np.float32), np.asarray(face.std, np.float32)
    scaled = (values.astype(np.float32) / np.float32(face.divide_by) - mean) / std
    return np.ascontiguousarray(
        scaled.transpose(2, 0, 1) if face.layout == "channels_first" else scaled
    )


def prepared_sound(sound: np.ndarray, audio: AudioInput) -> np.ndarray:
    """A sound as the network wants it, float32 (samples,).

    Args:
        sound: float32 (samples,) at its rate.
        audio: see there.
    """
    if audio.seconds is not None:
        sound = sound[: round(audio.seconds * audio.sample_rate)]
    if audio.standardise:
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    least = round((audio.seconds or LEAST_S) * audio.sample_rate)
    return np.pad(sound, (0, max(0, least - len(sound)))).astype(np.float32)


def snow(shape: tuple[int, ...]) -> np.ndarray:
    """The same picture of noise each time, uint8."""
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def noise(seconds: float, sample_rate: int) -> np.ndarray:
    """The same noise each time, float32 (samples,)."""
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(round(seconds * sample_rate))).astype(np.float32)
