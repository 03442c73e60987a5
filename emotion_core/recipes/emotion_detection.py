"""Three networks for FER2013's pictures and one for sound (Emotion-Detection-2.0)."""

from dataclasses import replace

from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec

SOURCE = "github.com/ariesiitr/Emotion-Detection-2.0"

# Classes count as often as they occur, because what is published is accuracy: one picture in 65 is
# of disgust, and where each of those counts for ten the others suffer.
TRAINING = TrainSpec(
    epochs=30,
    batch_size=128,
    weight_decay=1e-3,
    patience=8,
    class_weights=False,
    label_smoothing=0.1,
)

FER_CNN = Recipe(
    name="fer-cnn",
    summary="48 x 48 grey -> four blocks of 64, 128, 256, 512 with batch norm and max-pooling",
    source=SOURCE,
    label_set="emotions7",
    split="fer2013",
    audio=None,
    # no margin: FER2013's pictures, which are taken whole, show little around the face
    video=VideoSpec(sampling="uniform", count=3, face_size=48, margin=0.0, grey=True),
    network="fer-cnn",
    # its authors have two convolutions a block, for three times the work
    network_options={"convolutions": 1},
    training=replace(TRAINING, lr=1e-3),
    published="58 % accuracy on its validation part of FER2013",
)
FER_VGG16_GREY = replace(
    FER_CNN,
    name="fer-vgg16-grey",
    summary="48 x 48 grey -> VGG16 whose first kernels are averaged to one channel",
    network="fer-vgg16-grey",
    network_options={"pretrained": None},
    training=replace(TRAINING, lr=1e-4),
    published="tried and not kept; no figure",
)
FER_INCEPTION_RESNET = replace(
    FER_CNN,
    name="fer-inception-resnet",
    summary="48 x 48 grey, enlarged -> InceptionResNetV2, dense layers of 1024, 512, 256, 128",
    network="fer-inception-resnet",
    network_options={"pretrained": None},
    training=replace(TRAINING, lr=5e-4),
    published="69 % accuracy on its validation part of FER2013, 68.8 % on its test part",
)
AUDIO_CNN1D = Recipe(
    name="audio-cnn1d",
    summary="MFCC and log-mel side by side, each to [0, 1] -> one-dimensional CNN of 12 layers",
    source=SOURCE,
    label_set="emotions7",
    split="random",
    audio=AudioSpec(
        kind="mfcc+logmel",
        sample_rate=16000,
        n_mfcc=40,
        n_mels=128,
        n_fft=1024,
        hop_length=256,
        scale="minmax",
    ),
    video=None,
    network="audio-cnn1d",
    training=TrainSpec(epochs=60, batch_size=32, lr=1e-3, patience=15, label_smoothing=0.1),
    published="F1 81 % on RAVDESS + TESS",
)

RECIPES = (FER_CNN, FER_VGG16_GREY, FER_INCEPTION_RESNET, AUDIO_CNN1D)
