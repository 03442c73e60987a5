"""Sound as a pretrained speech encoder hears it, and a small network behind it."""

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec

VOICE_ENCODER = Recipe(
    name="voice-encoder",
    summary="layers 2 to 6 of Whisper base, frozen -> learned mix, attentive mean and deviation",
    source="our own, after Yang et al. 2021 (SUPERB) and Okabe et al. 2018 (attentive statistics)",
    label_set="emotions8",
    split="emobox6:all",
    audio=AudioSpec(
        kind="encoder",
        encoder="openai/whisper-base",
        width=512,
        # the middle ones know the emotion best, the last one what was said
        layers=(2, 3, 4, 5, 6),
        steps=24,
        trim_db=35.0,
        scale="none",
    ),
    video=None,
    network="voice-encoder",
    training=TrainSpec(
        epochs=20,
        batch_size=32,
        lr=1e-3,
        weight_decay=1e-2,
        keep="last",
        class_weights=False,
        augment=False,
        label_smoothing=0.1,
        mixup=1.0,
    ),
)

RECIPES = (VOICE_ENCODER,)
