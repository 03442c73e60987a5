"""AlexNet on faces, a CNN or an LSTM on sound, and three ways to join them (luyunan)."""

from dataclasses import replace

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec

# 282 frames of 25 ms, the published length, hold 7 s; the published MFCC, of sound at 48 kHz with
# librosa's hop of 512, held 3 s in as many
AUDIO = AudioSpec(
    kind="mfcc",
    sample_rate=16000,
    n_mfcc=20,
    n_mels=128,
    n_fft=1024,
    hop_length=400,
    max_frames=282,
)
# 32 pictures are 11 s at 30 a second
VIDEO = VideoSpec(sampling="stride", every=10, max_frames=32, face_size=224)

AUDIO_CNN = Recipe(
    name="alexnet-audio-cnn",
    summary="20 x 282 MFCC -> CNN like AlexNet, two dense layers of 4096",
    source="github.com/luyunan0404/Multimodal-Emotion-Recognition",
    label_set="emotions7",
    # its author kept actors 21-24 of RAVDESS apart, and chose and reported on them. This is the
    # nearest protocol with validation speakers of its own: five of RAVDESS, one of SAVEE held out
    split="luna5:3+savee4:2",
    audio=AUDIO,
    video=None,
    network="alexnet-audio",
    network_options={"encoder": "cnn"},
    training=TrainSpec(
        epochs=40, batch_size=32, lr=3e-4, weight_decay=1e-2, patience=12, label_smoothing=0.1
    ),
    published="53.33 % accuracy on RAVDESS + SAVEE",
)
AUDIO_LSTM = replace(
    AUDIO_CNN,
    name="alexnet-audio-lstm",
    summary="20 MFCC -> LSTM with two layers of 128",
    network_options={"encoder": "lstm"},
    training=TrainSpec(epochs=60, batch_size=32, lr=2e-3, patience=15, label_smoothing=0.1),
    published="37.68 % accuracy on RAVDESS + SAVEE",
)
VISUAL = replace(
    AUDIO_CNN,
    name="alexnet-visual",
    summary="every tenth picture, face of 224 x 224 -> AlexNet; a clip's answer is their mean",
    audio=None,
    video=VIDEO,
    network="alexnet-visual",
    network_options={"pretrained": None},
    training=TrainSpec(
        epochs=30, batch_size=16, lr=1e-4, weight_decay=1e-2, patience=8, label_smoothing=0.1
    ),
    published="48.89 % accuracy on RAVDESS + SAVEE",
)

CONCAT = replace(
    AUDIO_CNN,
    name="alexnet-fusion-concat",
    summary="second-last layers of AlexNet and of the CNN on sound, 8192 -> three dense layers",
    video=VIDEO,
    network="alexnet-fusion",
    network_options={"fusion": "concat", "encoder": "cnn", "pretrained": None},
    training=TrainSpec(
        epochs=30,
        batch_size=16,
        lr=2e-4,
        weight_decay=1e-2,
        patience=8,
        label_smoothing=0.1,
        phases=("audio", "face", "fusion"),
    ),
    published="given as a picture only",
)
SINGLE = replace(
    CONCAT,
    name="alexnet-fusion-single",
    summary="learned weighting of AlexNet's answer to one picture and of the CNN's to the sound",
    network_options={"fusion": "single", "encoder": "cnn", "pretrained": None},
)
MULTI = replace(
    CONCAT,
    name="alexnet-fusion-multi",
    summary="learned weighting of AlexNet's mean answer to all pictures and of the CNN's to sound",
    network_options={"fusion": "multi", "encoder": "cnn", "pretrained": None},
)


def _with_encoder(base: Recipe, encoder: str) -> Recipe:
    return replace(
        base,
        name=f"{base.name}-{encoder}",
        summary=base.summary.replace("CNN", encoder.upper()).replace("8192", _WIDTHS[encoder]),
        network_options={**base.network_options, "encoder": encoder},
    )


_WIDTHS = {"cnn": "8192", "lstm": "4096 + 128"}
FUSIONS = tuple(
    recipe
    for base in (CONCAT, SINGLE, MULTI)
    for recipe in (base, _with_encoder(base, "cnn"), _with_encoder(base, "lstm"))
)

RECIPES = (VISUAL, AUDIO_CNN, AUDIO_LSTM, *FUSIONS)
