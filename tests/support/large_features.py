"""Features as large as one likes, and a small network for them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from emotion_core.clips.clip import Clip
from emotion_core.models.networks import Batch
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.recipes.specs import AudioSpec, TrainSpec, VideoSpec
from tests.support.synthetic_features import SMALL, png, row, start_features, write_part

# 200 kB a clip: the steps of an encoder, and two faces
LARGE = replace(
    SMALL,
    name="large",
    audio=AudioSpec(
        kind="encoder", encoder="made/up", revision="0" * 40, weights_hash="ab" * 32, width=2048,
        layers=(1, 2), steps=24, scale="none",
    ),
    video=VideoSpec(count=2, face_size=32),
    split="random",
    network=f"{__name__}:Mean",
    network_options={},
    training=TrainSpec(epochs=2, batch_size=16, lr=0.001),
)  # fmt: skip
PART = 10  # few clips: what is read ahead is the same for a small set


class Mean(nn.Module):
    """Hardly computes anything: what it costs to train it are the clips."""

    def __init__(self, audio: AudioSpec, video: VideoSpec, n_classes: int):
        super().__init__()
        self.dense = nn.Linear(audio.coefficients + 3, n_classes)

    def forward(self, batch: Batch) -> torch.Tensor:
        assert batch.audio is not None and batch.faces is not None
        seen = batch.faces.mean(dim=(1, 3, 4))
        return self.dense(torch.cat([batch.audio.mean(dim=1), seen], dim=1))


def write_large(folder: Path, clips: int, seed: int = 0) -> str:
    """Features of so many clips of noise, made and written part by part; returns their URI."""
    rng = np.random.default_rng(seed)
    start_features(folder, LARGE)
    for start in range(0, clips, PART):
        numbers = range(start, min(start + PART, clips))
        write_part(folder, start, [_clip(number, rng) for number in numbers])
    return str(folder)


def _clip(number: int, rng: np.random.Generator) -> dict[str, Any]:
    assert LARGE.audio is not None and LARGE.video is not None
    clip = Clip(f"clips/{number:06d}.mp4", 1, "1", corpus="ravdess", speaker=f"{number % 20:02d}",
                emotion=EMOTIONS[number % len(EMOTIONS)], modality="audio-visual")  # fmt: skip
    steps = rng.normal(0, 1, (24, LARGE.audio.coefficients)).astype(np.float16)
    side = LARGE.video.face_size
    faces = [png(rng.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(2)]
    return row(clip, encoder_features=list(steps), audio_frames=24, faces=faces)
