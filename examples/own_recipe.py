"""A system of your own: what it hears, its network, how it is trained and tested.

python jobs/preprocess.py --recipe examples/own_recipe.py --corpus ravdess=DATA --out features
python jobs/train.py --recipe examples/own_recipe.py --features features --out model
PYTHONPATH=examples python jobs/label.py --model model --trust-code --videos VIDEOS --out labels
"""

import torch
from torch import Tensor, nn

from emotion_core.models.networks import Batch
from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec


class MeanAndSpread(nn.Module):
    """Mean and deviation of each log-mel band over the clip -> two dense layers."""

    def __init__(
        self, audio: AudioSpec, video: VideoSpec | None, n_classes: int, hidden: int = 128
    ):
        super().__init__()
        dense = nn.Linear(2 * audio.coefficients, hidden)
        self.layers = nn.Sequential(dense, nn.ReLU(), nn.Dropout(0.5), nn.Linear(hidden, n_classes))

    def forward(self, batch: Batch) -> Tensor:
        """Logits (b, n_classes). Padding is zeros in front, so sums need no mask."""
        assert batch.audio is not None
        sound = torch.where(batch.has_audio[:, None, None], batch.audio / 80, 0)  # decibel
        length = batch.audio_length.clamp(min=1)[:, None]
        mean = sound.sum(dim=1) / length
        spread = (sound.square().sum(dim=1) / length - mean.square()).clamp(min=1e-6).sqrt()
        return self.layers(torch.cat([mean, spread], dim=1))


RECIPE = Recipe(
    name="mean-and-spread",
    summary="mean and deviation of 40 log-mel bands -> two dense layers",
    source="an example",
    label_set="emotions8",
    split="emobox6:0",
    audio=AudioSpec(kind="logmel", n_mels=40, trim_db=30.0, scale="none"),
    video=None,
    network="own_recipe:MeanAndSpread",
    network_options={"hidden": 64},
    training=TrainSpec(epochs=20, lr=2e-3),
)
