"""Five faces of a second as one strip, and its sound (spatio-temporal strip CNN + LSTM).

Its author took RAVDESS's speech and songs.
"""

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec

STRIP_CNN_LSTM = Recipe(
    name="strip-cnn-lstm",
    summary="each second: five faces as one strip -> CNN -> 200, MFCC -> LSTM -> 200, then dense",
    source="github.com/abhishekyana/Emotion-Recognition-using-Spatio-Temporal-Data",
    label_set="emotions8",
    split="random",
    # 50 frames a second, so that a second is 50 frames and five pictures; nothing is trimmed, or
    # sound and pictures would not begin together
    audio=AudioSpec(kind="mfcc", sample_rate=16000, n_mfcc=40, n_fft=512, hop_length=320),
    video=VideoSpec(sampling="fps", fps=5.0, face_size=64),
    network="strip-cnn-lstm",
    training=TrainSpec(epochs=40, batch_size=64, lr=1e-3, patience=10, label_smoothing=0.1),
    published='"performed pretty well" on the validation fifth; no figure',
    segment_s=1.0,
    channel="all",
)

RECIPES = (STRIP_CNN_LSTM,)
