"""The history of a training as a TensorBoard event file."""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

from emotion_core.training.snapshot import EpochRow

NAME = "events.out.tfevents.0.training"
_SCALARS = {
    "loss/training": "loss",
    "loss/validation": "validation_loss",
    "war/training": "war",
    "war/validation": "validation_war",
    "uar/validation": "validation_uar",
    "learning_rate": "lr",
    "seconds_per_epoch": "seconds",
}


def event_file(history: Sequence[EpochRow]) -> bytes:
    """One event file with a point per epoch and figure.

    Times are those of the epochs, so that the file of a longer history begins with that of a
    shorter one: TensorBoard goes on reading where it was when the file is replaced.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that tensorboard brings along
        from torch.utils.tensorboard import SummaryWriter
    with tempfile.TemporaryDirectory(prefix="emotion-core-") as folder:
        writer = SummaryWriter(folder)
        for row in history:
            for tag, field in _SCALARS.items():
                value = getattr(row, field)
                if value is not None:
                    writer.add_scalar(tag, value, row.epoch + 1, walltime=row.time)
        writer.close()
        (written,) = Path(folder).iterdir()
        return written.read_bytes()
