"""Emotion from single faces: a small network of our own."""

from emotion_core.recipes.specs import Recipe, TrainSpec, VideoSpec

# no margin: FER2013's pictures, which are taken whole, show little around the face
FACES = VideoSpec(sampling="uniform", count=3, face_size=48, margin=0.0, grey=True)

FACE_SMALL = Recipe(
    name="face-small",
    summary="48 x 48 grey -> residual network of 1.5 M parameters, its mirror image asked too",
    source="our own, after He et al. 2016 (residual networks)",
    label_set="emotions7",
    split="fer2013",
    audio=None,
    video=FACES,
    network="face-small",
    training=TrainSpec(
        epochs=36,
        batch_size=64,
        lr=2e-3,
        weight_decay=5e-2,
        keep="last",
        class_weights=False,
        label_smoothing=0.1,
        mixup=0.2,
        rotation=15.0,
        zoom=0.12,
        erasing=0.3,
        ema=0.999,
    ),
)

RECIPES = (FACE_SMALL,)
