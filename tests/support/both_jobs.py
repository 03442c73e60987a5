"""The steps of ``label`` and ``preprocess`` in one process, without Ray: what becomes of a file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emotion_core.faces.types import Detector
from emotion_core.labelling.rows import segment_rows, video_rows
from emotion_core.labelling.step import LabelOptions, LabelStep
from emotion_core.preprocessing.decode import DecodeStep
from emotion_core.preprocessing.faces import FaceStep
from emotion_core.preprocessing.rows import feature_rows
from emotion_core.preprocessing.sound import SoundStep
from emotion_core.recipes.specs import Recipe
from tests.support.labelling import LABELS, OneFace, step, work_on

# What the tables say of how a clip fared.
FARED = ["status", "stage", "reasons", "error", "decoder"]
TIMEOUT_S = 20.0

Row = dict[str, Any]


@dataclass(frozen=True)
class BothJobs:
    """``label`` (which decodes with PyAV), and ``preprocess`` once for each decoder.

    Attributes:
        labeller: the step of ``label``.
        chains: decoder -> the steps of ``preprocess``.
    """

    labeller: LabelStep
    chains: Mapping[str, tuple[DecodeStep, FaceStep, SoundStep]]

    def rows(self, path: Path) -> dict[str, list[Row]]:
        """What each writes of a file: one row each, unless something is wrong."""
        (done,) = self.labeller([work_on(path)])
        assert segment_rows([done], LABELS, "m").num_rows == len(done.segments)
        found = {"label": video_rows([done], LABELS).select(FARED).to_pylist()}
        for name, (decode, faces, sound) in self.chains.items():
            made = feature_rows(sound(faces(decode([work_on(path)]))))
            found[f"preprocess, {name}"] = made.select(FARED).to_pylist()
        return found


@contextmanager
def both_jobs(
    model: Path,
    recipe: Recipe,
    decoders: Sequence[str] = ("auto",),
    detector: Detector | None = None,
    options: LabelOptions | None = None,
) -> Iterator[BothJobs]:
    """Both jobs' steps, ready; their children end with the block.

    Args:
        model: what labels.
        recipe: what features are made for; of sound and pictures.
        decoders: those of ``preprocess``.
        detector: None: one that finds a face in the middle of every picture.
        options: of labelling.
    """
    import torch

    finder = detector or OneFace()
    audio, video = recipe.audio, recipe.video
    assert audio is not None and video is not None
    chains = {
        name: (
            DecodeStep(audio, video, name, TIMEOUT_S),
            FaceStep(video, finder),
            SoundStep(audio),
        )
        for name in decoders
    }
    jobs = BothJobs(step(model, options=options, detector=finder), chains)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two would wait for each other in every one of these small networks
    try:
        yield jobs
    finally:
        torch.set_num_threads(threads)
        jobs.labeller.decoder.close()
        for decode, _, _ in chains.values():
            decode.decoder.close()
