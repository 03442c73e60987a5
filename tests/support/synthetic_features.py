"""A folder of features made from arrays: classes that can be told apart, in sound and in faces."""

import io
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from emotion_core import storage
from emotion_core.clips.clip import Clip
from emotion_core.evaluation.answering import judged, require_fit
from emotion_core.models.bundle import Bundle
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.preprocessing.rows import FEATURES
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.recipes.specs import AudioSpec, Recipe, TrainSpec, VideoSpec
from emotion_core.recipes.timedist_blstm import TIMEDIST_BLSTM

SMALL = replace(
    TIMEDIST_BLSTM,
    audio=AudioSpec(n_mfcc=6),
    video=VideoSpec(count=2, face_size=16),
    network_options={
        "hidden": 12,
        "fusion": 24,
        "dropout": 0.2,
        "fusion_dropout": 0.2,
        "frame_widths": [8, 16, 16],
    },
    training=TrainSpec(epochs=4, batch_size=24, lr=0.01, patience=10),
)
SPEAKERS = tuple(f"{number:02d}" for number in range(1, 25))


def sound(emotion: int, rng: np.random.Generator, width: int = 6) -> np.ndarray:
    """Float32 (10 to 15, width): a direction per emotion, and noise."""
    direction = np.random.default_rng(emotion).normal(0, 1, width)
    noise = rng.normal(0, 0.5, (rng.integers(10, 16), width))
    return (direction + noise).astype(np.float32)


def face(emotion: int, rng: np.random.Generator, size: int = 16, grey: bool = False) -> np.ndarray:
    """Uint8 (size, size[, 3]): a bright band at one of four heights, half of the emotions with a
    post in the middle. Mirrored it is the same."""
    picture = rng.integers(0, 60, (size, size, 3), np.uint8)
    height = (emotion % 4) * size // 4
    picture[height : height + size // 4] += 150
    if emotion >= 4:
        picture[:, size // 2 - 2 : size // 2 + 2] = 190
    return picture[:, :, 0] if grey else picture


def png(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()


def row(clip: Clip, **columns: Any) -> dict[str, Any]:
    """One row of ``FEATURES`` with what is not given left empty."""
    values: dict[str, Any] = dict.fromkeys(FEATURES.names)
    values.update({name: getattr(clip, name) for name in ("clip_id", *asdict(clip))})
    values.update(status="ok", reasons=[], audio_frames=0)
    return {**values, **columns}


def rows(
    recipe: Recipe = SMALL,
    modalities: tuple[str, ...] = ("audio", "face"),
    speakers: tuple[str, ...] = SPEAKERS,
    emotions: tuple[str, ...] = EMOTIONS,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One clip per speaker and emotion, of the corpus ``ravdess``."""
    rng = np.random.default_rng(seed)
    made = []
    for speaker in speakers:
        for emotion in emotions:
            index = EMOTIONS.index(emotion)
            clip = Clip(f"clips/{speaker}-{emotion}.mp4", 1, "1", corpus="ravdess",
                        speaker=speaker, emotion=emotion, modality="audio-visual")  # fmt: skip
            columns: dict[str, Any] = {}
            if "audio" in modalities and recipe.audio:
                matrix = sound(index, rng, recipe.audio.coefficients)
                if recipe.audio.encoded:
                    matrix = matrix.astype(np.float16)
                columns |= {recipe.audio.column: list(matrix), "audio_frames": len(matrix)}
            if "face" in modalities and recipe.video:
                spec = recipe.video
                crops = [png(face(index, rng, spec.face_size, spec.grey)) for _ in range(2)]
                columns |= {"faces": crops}
            made.append(row(clip, **columns))
    return made


def write_features(folder: Path, given: list[dict[str, Any]], recipe: Recipe = SMALL) -> str:
    """Write rows as ``preprocess`` would, in parts of 50 rows; returns the folder as a URI."""
    start_features(folder, recipe)
    for start in range(0, len(given), 50):
        write_part(folder, start, given[start : start + 50])
    return str(folder)


def start_features(folder: Path, recipe: Recipe) -> None:
    """The settings that features have before their first part."""
    settings = {
        "recipe": recipe.name,
        "audio": asdict(recipe.audio) if recipe.audio else None,
        "video": asdict(recipe.video) if recipe.video else None,
        "detector": {"name": "none", "weights_hash": "0" * 64} if recipe.video else None,
        "decoder": "auto",
        "audio_backend": "librosa",
    }
    storage.start_output(str(folder), "features", settings)


def write_part(folder: Path, start: int, given: list[dict[str, Any]]) -> None:
    """One part of rows, named after the number of its first one."""
    table = pa.Table.from_pylist(given, schema=FEATURES)
    storage.write_parquet(str(folder / "features" / f"part-{start:06d}.parquet"), table)


def load_matching_features(bundle: Bundle, uri: str) -> FeatureSet:
    """The clips of the features at ``uri`` that the bundle can judge."""
    features = load_features(uri, bundle.recipe)
    require_fit(bundle, features, uri)
    return features.select(judged(bundle, features))
