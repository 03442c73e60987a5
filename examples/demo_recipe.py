"""A recipe of one's own: timedist-blstm as it learns most from very few clips.

The demo corpus has 96 training clips, so dropout and augmentation, which keep the network from
learning 1,000 clips by heart, would keep it from learning anything here. ``--recipe`` takes this
file's path.
"""

from dataclasses import replace

from emotion_core.recipes.specs import TrainSpec
from emotion_core.recipes.timedist_blstm import TIMEDIST_BLSTM

RECIPE = replace(
    TIMEDIST_BLSTM,
    name="demo",
    network_options={"dropout": 0.0, "fusion_dropout": 0.0, "modality_dropout": 0.0},
    training=TrainSpec(epochs=15, batch_size=8, lr=1e-3, patience=15, augment=False),
)
