"""BLSTM on MFCC sequences and a frame network on faces (the ELTE notebook), and its variants."""

from dataclasses import replace

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec

TIMEDIST_BLSTM = Recipe(
    name="timedist-blstm",
    summary="MFCC sequence -> two BLSTM layers; six faces -> VGG-like network, maximum over time",
    source="ELTE course notebook on RAVDESS, time-distributed CNN + BLSTM",
    label_set="emotions7",
    split="elte",
    # 24 coefficients every 16 ms; silence at both ends cut, each clip standardised on its own
    audio=AudioSpec(kind="mfcc", sample_rate=16000, n_mfcc=24, trim_db=30.0),
    video=VideoSpec(sampling="uniform", count=6, face_size=64),
    network="timedist-blstm",
    network_options={},
    # of what was tried on RAVDESS sound under elte (lr 1e-3 and 2e-3, two strengths of augmentation
    # and mean pooling) this had the best UAR on the validation speakers: 48.0 %
    training=TrainSpec(epochs=40, batch_size=32, lr=2e-3, patience=12),
)

LOGMEL = replace(
    TIMEDIST_BLSTM,
    name="timedist-blstm-logmel",
    summary="timedist-blstm with 64 log-mel bands instead of MFCC",
    audio=AudioSpec(kind="logmel", sample_rate=16000, n_mels=64, trim_db=30.0),
)
MEAN_MFCC = replace(
    TIMEDIST_BLSTM,
    name="timedist-mean-mfcc",
    summary="timedist-blstm with the clip's mean MFCC vector instead of their sequence",
    # not scaled within the clip: every mean would be zero
    audio=AudioSpec(kind="mfcc", sample_rate=16000, n_mfcc=24, trim_db=30.0, scale="none"),
    network_options={"sound": "mean"},
)
RESIDUAL = replace(
    TIMEDIST_BLSTM,
    name="timedist-blstm-residual",
    summary="timedist-blstm with a residual instead of a VGG-like network for faces",
    network_options={"frame": "residual"},
)
GRU = replace(
    TIMEDIST_BLSTM,
    name="timedist-blstm-gru",
    summary="timedist-blstm with a GRU over the faces instead of their maximum",
    network_options={"time": "gru"},
)
LSTM = replace(
    TIMEDIST_BLSTM,
    name="timedist-blstm-lstm",
    summary="timedist-blstm with an LSTM over the faces instead of their maximum",
    network_options={"time": "lstm"},
)

RECIPES = (TIMEDIST_BLSTM, LOGMEL, MEAN_MFCC, RESIDUAL, GRU, LSTM)
