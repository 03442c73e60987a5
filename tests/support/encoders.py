"""Small speech encoders with random weights, as ``transformers`` writes them to a folder."""

from pathlib import Path
from typing import Any

import numpy as np

from emotion_core.recipes.specs import AudioSpec

WIDTH, LAYERS = 16, 3
RATE = 16000  # Hz, what all of them hear

_SMALL: dict[str, Any] = {
    "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 2,
    "intermediate_size": 24, "conv_dim": (8, 8), "conv_kernel": (10, 4), "conv_stride": (10, 8),
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
}  # fmt: skip


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    """Sound for an encoder, float32 (samples,)."""
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def write_whisper(folder: Path, alone: bool = True, seed: int = 1) -> Path:
    """Whisper: the encoder ``alone``, or with its decoder, as the hub has it."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = transformers.WhisperConfig(
        vocab_size=60, d_model=WIDTH, encoder_layers=LAYERS, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=24,
        decoder_ffn_dim=24, num_mel_bins=20, max_source_positions=1500, max_target_positions=16,
        pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
        init_std=0.3,  # or attention would hardly matter
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    (model.model.encoder if alone else model).save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=20).save_pretrained(folder)
    return folder


def write_family(folder: Path, family: str, **changes: Any) -> Path:
    """wav2vec2 or one of its relations: ``hubert``, ``wavlm``, ``data2vec-audio``."""
    import torch
    import transformers

    torch.manual_seed(1)
    names = {
        "wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM",
        "data2vec-audio": "Data2VecAudio",
    }  # fmt: skip
    settings = {**_SMALL, **changes}
    if family == "data2vec-audio":
        settings["num_conv_pos_embeddings"] = 2  # of them are layers here
    config = getattr(transformers, names[family] + "Config")(**settings)
    getattr(transformers, names[family] + "Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


def write_tones(folder: Path) -> Path:
    """A corpus for encoders: three actors, happy and sad, sound alone, RAVDESS's names."""
    import soundfile

    rng = np.random.default_rng(0)
    for actor in (1, 2, 3):
        for emotion in (3, 4):
            path = folder / f"Actor_{actor:02d}" / f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            times = np.arange(8000 + 1600 * actor) / 16000
            tone = 0.2 * np.sin(2 * np.pi * 200 * emotion * times)
            soundfile.write(path, tone + 0.02 * rng.standard_normal(len(times)), 16000)
    return folder


def spec_of(folder: Path, **changes: Any) -> AudioSpec:
    """Features of every layer, as the recipe ``voice-encoder`` has them otherwise."""
    values = {"scale": "none", "steps": 6, **changes}
    return AudioSpec(kind="encoder", encoder=str(folder), **values)
