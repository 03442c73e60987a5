"""A classifier of the Hugging Face hub, fed by its own preprocessing."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.errors import UsageError
from emotion_core.hub import Source, config_of, load_network, preprocessor_of, transformers_for
from emotion_core.models.foreign.dimensions import Dimension, apart, scaled
from emotion_core.models.foreign.onnx_network import LEAST_S, noise, snow
from emotion_core.models.member import Given

_AT_ONCE = 16


class HubNetwork:
    """A classifier of sound or of pictures, as ``transformers`` has it.

    Args:
        source, folder: where it lies.
        device: as torch has it.
        dimensions: outputs that are no classes.

    Attributes:
        labels: in the order of its outputs, as its makers spell them.
        sample_rate: Hz; None of a model of pictures.
        size: pixels; None of a model of sound.

    Raises:
        UsageError: it is no such classifier, a file is missing or damaged, or it would have to run
            code that lies beside it.
    """

    def __init__(
        self, source: Source, folder: Path, device: str, dimensions: Sequence[Dimension] = ()
    ):
        import torch

        config = config_of(source, folder)
        told = config.id2label or {}
        names = [str(told[place]) for place in sorted(told)]
        self._dimensions, self._outputs = tuple(dimensions), len(names)
        beyond = [each for each in dimensions if each.column >= len(names) or each.tensor]
        if beyond:
            raise UsageError(
                f"{source.told} has {len(names)} outputs in one tensor: dimensions."
                f"{beyond[0].name} of its description is none of them"
            )
        columns = {each.column for each in dimensions}
        self.labels = tuple(name for place, name in enumerate(names) if place not in columns)
        hears = _hears(source, config, votes=bool(self.labels))
        kind = "AutoFeatureExtractor" if hears else "AutoImageProcessor"
        self._prepare = preprocessor_of(source, folder, kind)
        self.sample_rate: int | None = int(self._prepare.sampling_rate) if hears else None
        self.size: int | None = None if hears else _side(self._prepare)
        library = transformers_for(source)
        auto = library.AutoModelForAudioClassification if hears else (
            library.AutoModelForImageClassification
        )  # fmt: skip
        # only training looks at it
        spare = ("masked_spec_embed", f"{config.model_type}.masked_spec_embed")
        self._model = load_network(source, folder, auto, spare).to(torch.device(device))
        self._device = device
        self._try(source)

    def answers(self, inputs: Sequence[np.ndarray]) -> Given:
        """See ``model.Network``."""
        classes, values = apart(self._outputs_of(inputs), self._dimensions, logits=True)
        return Given(classes, scaled(values, self._dimensions))

    def _outputs_of(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        if self.sample_rate is not None:
            return np.concatenate([self._heard(sound) for sound in inputs])
        batches = (inputs[start : start + _AT_ONCE] for start in range(0, len(inputs), _AT_ONCE))
        return np.concatenate([self._seen(batch) for batch in batches])

    def _try(self, source: Source) -> None:
        """One input, so that what does not fit is known before the first video."""
        side = self.size or 1
        trial = noise(LEAST_S, self.sample_rate) if self.sample_rate else (
            snow((side, side, 3))
        )  # fmt: skip
        try:
            given = self._outputs_of([trial])
        except Exception as error:  # torch and transformers have many
            raise source.unusable(error) from error
        if given.shape != (1, self._outputs):
            raise source.unusable(ValueError(f"{given.shape[-1]} outputs, {self._outputs} labels"))
        if not np.isfinite(given).all():
            raise source.unusable(ValueError("it answers noise with no number"))

    def _heard(self, sound: np.ndarray) -> np.ndarray:
        """One sound alone: what fills up others would be heard too."""
        assert self.sample_rate is not None
        least = round(LEAST_S * self.sample_rate)
        sound = np.pad(sound, (0, max(0, least - len(sound))))
        return self._answers(
            self._prepare(sound, sampling_rate=self.sample_rate, return_tensors="pt")
        )

    def _seen(self, faces: Sequence[np.ndarray]) -> np.ndarray:
        return self._answers(
            self._prepare(
                images=list(faces), input_data_format="channels_last", return_tensors="pt"
            )
        )

    def _answers(self, given: Any) -> np.ndarray:
        import torch

        with torch.no_grad():
            outputs = self._model(**{key: value.to(self._device) for key, value in given.items()})
        return outputs.logits.float().cpu().numpy()


def _hears(source: Source, config: Any, votes: bool) -> bool:
    """Whether it is a classifier of sound, not of pictures.

    Args:
        source, config: of the model.
        votes: it answers with labels, not with dimensions alone.
    """
    auto = transformers_for(source).models.auto.modeling_auto
    architecture = (config.architectures or [None])[0]
    for hears, kinds in (
        (True, auto.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES),
        (False, auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES),
    ):
        known = kinds.get(config.model_type, ())
        if architecture in ((known,) if isinstance(known, str) else known):
            problem = getattr(config, "problem_type", None)
            if votes and problem not in (None, "single_label_classification"):
                raise UsageError(
                    f"{source.told} answers with {problem}, not with one label of several"
                )
            return hears
    raise UsageError(
        f"{source.told} is {architecture or 'nothing'} of {config.model_type}: it should be a "
        "classifier of sound or of pictures that transformers has itself"
    )


def _side(prepare: Any) -> int:
    """The side of its pictures, pixels."""
    size = dict(prepare.size or {})
    found = [size[key] for key in ("height", "width", "shortest_edge") if size.get(key)]
    return int(max(found, default=224))
