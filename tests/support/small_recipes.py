"""Every recipe as it is, but small: the same network classes with less in them."""

from dataclasses import replace
from typing import Any

import numpy as np

from emotion_core.models.samples import Sample
from emotion_core.recipes import RECIPES
from emotion_core.recipes.specs import Recipe
from tests.support.synthetic_features import face, sound

# what makes each network small, and the side of its pictures
SHRINK: dict[str, tuple[dict[str, Any], int]] = {
    "timedist-blstm": ({"hidden": 8, "fusion": 12, "frame_widths": [4, 8]}, 16),
    "strip-cnn-lstm": ({"width": 12, "hidden": 8, "frame_widths": [4, 4, 4]}, 16),
    "alexnet-visual": ({"width": 16}, 64),
    "alexnet-audio": ({"width": 16}, 16),
    "alexnet-fusion": ({"audio_width": 16, "face_width": 12, "fusion_widths": [8, 8]}, 64),
    "fer-cnn": ({"widths": [4, 4, 8, 8], "dense": 12}, 16),
    "fer-vgg16-grey": ({"dense": 16}, 32),
    "fer-inception-resnet": ({"size": 112, "dense": [16, 16, 8, 8]}, 16),
    "audio-cnn1d": ({"widths": [12, 8, 8], "dense": 8}, 16),
    "voice-encoder": ({"hidden": 8, "attention": 4}, 16),
    "voice-finetune": ({"hidden": 8, "attention": 4, "pretrained": None}, 16),
    "voice-small": ({"widths": [4, 4, 8], "hidden": 8, "attention": 4}, 16),
    "fusion": ({"hidden": 16, "attention": 4, "learn_faces": True, "sound_widths": [4, 8]}, 16),
    "face-small": ({"widths": [4, 4, 8], "blocks": [1, 2]}, 16),
}
# and the encoder that it holds layers of
SMALL_LAYERS: dict[str, Any] = {"width": 16, "heads": 2, "inner": 24, "depth": 4}
SMALL_CNN = {"widths": [4, 4, 4, 4, 4]}


def small(name: str) -> Recipe:
    """The recipe ``name`` with a small network and small pictures."""
    recipe = RECIPES[name]
    options, side = SHRINK[recipe.network]
    if recipe.network.startswith("alexnet-") and recipe.network_options.get("encoder") == "cnn":
        options = {**options, **SMALL_CNN}
    video = replace(recipe.video, face_size=side) if recipe.video else None
    audio = recipe.audio
    if audio and audio.depth:
        audio = replace(audio, **SMALL_LAYERS)
    options = {**recipe.network_options, **options}
    return replace(recipe, audio=audio, video=video, network_options=options)


def frames(recipe: Recipe) -> int:
    """What the sound of these tests is padded to."""
    audio = recipe.audio
    return 0 if audio is None else audio.max_frames or 40


def samples(recipe: Recipe, audio: bool = True, faces: bool = True, count: int = 3) -> list[Sample]:
    """Clips with these modalities, as far as the recipe uses them; the second of three pictures of
    each shows no face."""
    rng = np.random.default_rng(8)
    spec, video = recipe.audio, recipe.video
    made = []
    for emotion in range(count):
        matrix = sound(emotion, rng, spec.coefficients) if spec else None
        crops: tuple[np.ndarray | None, ...] = (None, None, None)
        if video and faces:
            first, last = (face(emotion, rng, video.face_size, video.grey) for _ in range(2))
            crops = (first, None, last)
        made.append(Sample(matrix if audio else None, crops if video else (), emotion))
    return made
