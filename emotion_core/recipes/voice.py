"""Emotion from the voice: behind a pretrained speech encoder, in one, and small enough to ship."""

from dataclasses import replace

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec

_HEARD = AudioSpec(
    kind="encoder",
    encoder="openai/whisper-base",
    width=512,
    # the middle ones know the emotion best, the last one what was said
    layers=(2, 3, 4, 5, 6),
    steps=12,
    speeds=(0.9, 1.0, 1.1),
    trim_db=35.0,
    scale="none",
)

VOICE_ENCODER = Recipe(
    name="voice-encoder",
    summary="layers 2 to 6 of Whisper base, frozen -> learned mix, attentive mean and deviation",
    source="our own, after Yang et al. 2021 (SUPERB) and Okabe et al. 2018 (attentive statistics)",
    label_set="emotions8",
    split="emobox6:all",
    audio=_HEARD,
    video=None,
    network="voice-encoder",
    training=TrainSpec(
        epochs=20,
        batch_size=32,
        lr=1e-3,
        weight_decay=1e-2,
        keep="last",
        class_weights=False,
        balance=True,
        augment=False,
        label_smoothing=0.1,
        mixup=1.0,
    ),
)

VOICE_FINETUNE = replace(
    VOICE_ENCODER,
    name="voice-finetune",
    summary="layer 2 of Whisper base -> its layers 3 to 6, trained too -> as voice-encoder",
    source="our own, after Wang et al. 2021 (fine-tuning for emotion), Okabe et al. 2018 (pooling)",
    audio=replace(
        _HEARD, layers=(2,), steps=None, depth=6, heads=8, inner=2048, norms="before+end"
    ),
    network="voice-finetune",
    network_options={"pretrained": "encoder"},
    # new weights would wreck what they are put on at the rate that they need themselves
    training=replace(VOICE_ENCODER.training, pretrained_lr=1e-4),
)

VOICE_SMALL = Recipe(
    name="voice-small",
    summary="log-mel of 80 bands -> residual network of 0.6 M parameters, attentive pooling",
    source="our own, after He et al. 2016 (residual networks), Okabe et al. 2018 (pooling)",
    label_set="emotions8",
    split="emobox6:all",
    audio=AudioSpec(
        kind="logmel",
        n_mels=80,
        n_fft=512,
        hop_length=160,
        trim_db=35.0,
        # with each clip's own mean and deviation its level and tilt would be gone
        scale="none",
        # RAVDESS's recordings do not hum, other people's do, and there is no voice below
        highpass_hz=100.0,
    ),
    video=None,
    network="voice-small",
    training=TrainSpec(
        epochs=60,
        batch_size=16,
        lr=1.5e-3,
        weight_decay=2e-2,
        keep="last",
        class_weights=False,
        balance=True,
        label_smoothing=0.1,
        ema=0.99,
        hint=1.0,
    ),
)

RECIPES = (VOICE_ENCODER, VOICE_FINETUNE, VOICE_SMALL)
