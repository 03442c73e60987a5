"""The state of a training between two epochs, as files that are read without unpickling code."""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from emotion_core.errors import UsageError

PROGRESS = "progress.json"
LAST = "last.safetensors"
BEST = "best.safetensors"
OPTIMISER = "optimiser.pt"
AVERAGE = "average.safetensors"
ASIDE = "aside.safetensors"


@dataclass(frozen=True)
class EpochRow:
    """What one epoch did. ``seconds`` are of training and validation, ``time`` is Unix time.

    ``epoch`` counts from 0 over all phases; ``phase`` is empty for a recipe without
    phases. The validation fields are None when there is no validation side. ``audio_uar`` and
    ``face_uar``: validation UAR of each modality alone, None where only one is asked.
    """

    epoch: int
    lr: float
    loss: float
    war: float
    validation_loss: float | None
    validation_war: float | None
    validation_uar: float | None
    best: bool
    seconds: float
    time: float
    workers: int
    phase: str = ""
    audio_uar: float | None = None
    face_uar: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.loss):  # nor will any later one be
            raise UsageError(
                f"the loss of epoch {self.epoch + 1} is {self.loss}: train with a lower --lr, here "
                f"it was {self.lr:g}"
            )


@dataclass(frozen=True)
class Snapshot:
    """Everything that the next epoch needs.

    Random numbers are drawn anew each epoch, from seed, epoch and worker: there is no generator to
    store.

    Attributes:
        history: one row an epoch, first to last.
        last: the network's weights.
        best: the weights of the best epoch so far, of the last phase that has begun.
        optimiser: the optimiser's ``state_dict``.
        finished: no epoch is left to do.
        average: the running mean of the weights, where the recipe keeps one, else empty.
        aside: weights that only the training needs (``hints``), else empty.
    """

    history: tuple[EpochRow, ...]
    last: dict[str, Tensor]
    best: dict[str, Tensor]
    optimiser: dict[str, Any]
    finished: bool
    average: dict[str, Tensor] = field(default_factory=dict)
    aside: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_row(self) -> EpochRow:
        """The epoch that ``best`` is from."""
        return [row for row in self.history if row.best][-1]

    def of_phase(self, phase: str) -> tuple[EpochRow, ...]:
        """The rows of one phase."""
        return tuple(row for row in self.history if row.phase == phase)

    def to_files(self) -> dict[str, bytes]:
        """File names and contents; ``progress.json`` holds the checksums of the others."""
        optimiser = io.BytesIO()
        torch.save(self.optimiser, optimiser)
        files = {
            LAST: save(self.last),
            BEST: save(self.best),
            OPTIMISER: optimiser.getvalue(),
            **({AVERAGE: save(self.average)} if self.average else {}),
            **({ASIDE: save(self.aside)} if self.aside else {}),
        }
        progress = {
            "epochs": len(self.history),
            "finished": self.finished,
            "history": [asdict(row) for row in self.history],
            "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        }
        return {**files, PROGRESS: json.dumps(progress, indent=1).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Snapshot":
        """The snapshot that ``to_files`` wrote.

        Raises:
            ValueError: a file is missing or damaged (a writer was killed in between).
        """
        try:
            progress = json.loads(files[PROGRESS])
            for name, digest in progress["sha256"].items():
                if hashlib.sha256(files[name]).hexdigest() != digest:
                    raise ValueError(f"{name} is damaged")
            return cls(
                history=tuple(EpochRow(**row) for row in progress["history"]),
                last=load(files[LAST]),
                best=load(files[BEST]),
                optimiser=torch.load(
                    io.BytesIO(files[OPTIMISER]), map_location="cpu", weights_only=True
                ),
                finished=progress["finished"],
                average=load(files[AVERAGE]) if AVERAGE in progress["sha256"] else {},
                aside=load(files[ASIDE]) if ASIDE in progress["sha256"] else {},
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a whole snapshot: {error!r}") from error


def weights_of(network: torch.nn.Module) -> dict[str, Tensor]:
    """A copy of the network's weights on the CPU."""
    return {
        k: v.detach().to("cpu", copy=True).contiguous() for k, v in network.state_dict().items()
    }


def is_best(uar: float | None, loss: float | None, history: tuple[EpochRow, ...]) -> bool:
    """A higher validation UAR, or the same with a lower loss; the last epoch without validation."""
    if uar is None or loss is None or not history:
        return True
    best = [row for row in history if row.best][-1]
    if best.validation_uar is None or best.validation_loss is None:
        return True
    return (uar, -loss) > (best.validation_uar, -best.validation_loss)
