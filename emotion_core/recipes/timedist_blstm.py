"""BLSTM on MFCC sequences and a frame network on faces (the ELTE notebook)."""

from emotion_core.specs import AudioSpec, Recipe, TrainSpec, VideoSpec

TIMEDIST_BLSTM = Recipe(
    name="timedist-blstm",
    summary="MFCC sequence -> two BLSTM layers; six faces -> VGG-like network, maximum over time",
    source="ELTE course notebook on RAVDESS, time-distributed CNN + BLSTM",
    label_set="emotions7",
    split="elte",
    # 24 coefficients every 16 ms; silence at both ends cut, each clip standardised on its own
    audio=AudioSpec(kind="mfcc", sample_rate=16000, n_mfcc=24, trim_db=30.0, standardise=True),
    video=VideoSpec(sampling="uniform", count=6, face_size=64),
    network="timedist-blstm",
    network_options={},
    # of what was tried on RAVDESS sound under elte (lr 1e-3 and 2e-3, two strengths of augmentation
    # and mean pooling) this had the best UAR on the validation speakers: 48.0 %
    training=TrainSpec(epochs=40, batch_size=32, lr=2e-3, patience=12),
)
