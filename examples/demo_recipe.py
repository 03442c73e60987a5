"""A recipe of one's own: fusion-small as it learns most from very few clips.

The demo corpus has 96 training clips. Augmentation, which keeps a network from learning 1,000 clips
by heart, would keep it from learning anything here, and sound begins from nothing, so one modality
is hidden more often: else the faces, whose network comes with the package, would do all the work.
``--recipe`` takes this file's path.
"""

from dataclasses import replace

from emotion_core.recipes.face import FACES
from emotion_core.recipes.fusion import FUSION_SMALL
from emotion_core.recipes.specs import TrainSpec

RECIPE = replace(
    FUSION_SMALL,
    name="demo",
    label_set="emotions7",
    split="elte",
    video=replace(FACES, count=6),
    network_options={"dropout": 0.2, "modality_dropout": 0.7},
    training=TrainSpec(
        epochs=15, batch_size=12, lr=2e-3, keep="last", augment=False, ema=0.9, init="face"
    ),
)
