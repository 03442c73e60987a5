"""Emotion from voice and faces together: two pretrained parts of our own, joined."""

from dataclasses import replace

from emotion_core.recipes.face import FACES
from emotion_core.recipes.specs import Recipe, TrainSpec
from emotion_core.recipes.voice import VOICE_ENCODER, VOICE_SMALL

FUSION = Recipe(
    name="fusion",
    summary="voice-encoder's sound, embeddings of the shipped face model, attention over time",
    source="our own; one modality hidden at random after Neverova et al. 2016 (ModDrop)",
    label_set="emotions8",
    split="luna5:all",
    audio=VOICE_ENCODER.audio,
    video=replace(FACES, count=8),
    network="fusion",
    training=TrainSpec(
        epochs=30,
        batch_size=32,
        lr=1e-3,
        weight_decay=1e-2,
        keep="last",
        class_weights=False,
        balance=True,
        label_smoothing=0.1,
        rotation=10.0,
        zoom=0.1,
        init="face",
    ),
)
FUSION_SMALL = replace(
    FUSION,
    name="fusion-small",
    summary="fusion with voice-small's log-mel spectrogram: needs no pretrained speech encoder",
    audio=VOICE_SMALL.audio,
    training=replace(FUSION.training, epochs=60, batch_size=16),
)

RECIPES = (FUSION, FUSION_SMALL)
