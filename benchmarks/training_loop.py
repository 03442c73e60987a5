"""Our training loop beside a plain PyTorch one: same network, same clips, same batches.

python -m benchmarks.training_loop [--clips 256] [--repeat 3]

Clips are noise, as log-mel spectrograms of two seconds, with recipe voice-small. The plain loop
holds every clip as a tensor and pads a batch to its longest; ours reads them from mapped files,
weighs classes and corpora, and keeps its figures. Neither augments, averages weights or validates.
Seconds are those of an epoch, the fastest of --repeat, in turn.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.table import Table
from torch import nn
from torch.nn import functional

from emotion_core import cli
from emotion_core.clips.clip import Clip
from emotion_core.models.dataset import FeatureSet, load_features
from emotion_core.models.networks import Batch, build_network
from emotion_core.recipes import RECIPES
from emotion_core.recipes.emotions import EMOTIONS
from emotion_core.recipes.specs import Recipe
from emotion_core.training.loop import Training
from emotion_core.training.plan import TrainPlan, global_batches
from tests.support.synthetic_features import row, write_features

FRAMES = 200


def recipe(batch_size: int) -> Recipe:
    """voice-small without what a plain loop does not do."""
    made = RECIPES["voice-small"]
    spec = replace(made.training, epochs=1, batch_size=batch_size, augment=False, ema=0.0)
    return replace(made, training=spec)


def features(folder: str, count: int, made: Recipe) -> FeatureSet:
    """``count`` clips of noise."""
    assert made.audio is not None
    rng = np.random.default_rng(0)
    rows = []
    for number in range(count):
        length = int(rng.integers(FRAMES // 2, FRAMES))
        sound = rng.normal(-40, 15, (length, made.audio.n_mels)).astype(np.float32)
        clip = Clip(f"{number:05d}.wav", 1, "1", corpus="ravdess", speaker=f"{number % 8:02d}",
                    emotion=EMOTIONS[number % len(EMOTIONS)], modality="audio")  # fmt: skip
        rows.append(row(clip, audio_features=list(sound), audio_frames=length))
    return load_features(write_features(Path(folder) / "f", rows, made), made)


def ours(clips: FeatureSet, made: Recipe) -> float:
    """Seconds of an epoch of our loop."""
    nobody = clips.select(np.zeros(len(clips), bool))
    state = Training(TrainPlan(made, FRAMES), clips, nobody).run(lambda _: None)
    assert state is not None
    return state.history[-1].seconds


def plain(clips: FeatureSet, made: Recipe) -> float:
    """Seconds of an epoch of what one would write without us."""
    torch.manual_seed(0)
    network = build_network(made).train()
    spec = made.training
    optimiser = torch.optim.AdamW(network.parameters(), spec.lr, weight_decay=spec.weight_decay,
                                  fused=True)  # fmt: skip
    samples = [clips.sample(number) for number in range(len(clips))]
    sounds = [torch.from_numpy(np.array(sample.audio)) for sample in samples]
    labels = torch.tensor([sample.label for sample in samples])
    none = torch.zeros(0)
    order = np.random.default_rng([0, 0]).permutation(len(clips))
    started = time.perf_counter()
    for rows in global_batches(order, spec.batch_size, 1):
        mine = [sounds[place] for place in rows]
        lengths = torch.tensor([len(sound) for sound in mine])
        longest = int(lengths.max())
        padded = torch.stack([functional.pad(s, (0, 0, longest - len(s), 0)) for s in mine])
        batch = Batch(padded, lengths, lengths > 0, None, none.bool().expand(len(mine), 0),
                      labels[rows])  # fmt: skip
        loss = functional.cross_entropy(network(batch), batch.label,
                                        label_smoothing=spec.label_smoothing)  # fmt: skip
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), spec.clip_grad_norm)
        optimiser.step()
    return time.perf_counter() - started


def main(
    clips: Annotated[int, typer.Option(min=16)] = 256,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    repeat: Annotated[int, typer.Option(min=1)] = 3,
    threads: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Measure both loops in turn."""
    torch.set_num_threads(threads)
    made = recipe(batch_size)
    with tempfile.TemporaryDirectory() as folder:
        found = features(folder, clips, made)
        seconds: dict[str, list[float]] = {"plain PyTorch": [], "ours": []}
        for _ in range(repeat):
            seconds["plain PyTorch"].append(plain(found, made))
            seconds["ours"].append(ours(found, made))
    table = Table(title=f"an epoch of {clips} clips, fastest of {repeat}")
    for heading in ("", "seconds", "clips a second"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, each in seconds.items():
        table.add_row(name, f"{min(each):.2f}", f"{clips / min(each):.0f}")
    cli.console.print(table)
    ratio = min(seconds["plain PyTorch"]) / min(seconds["ours"])
    cli.say(f"ours reaches {ratio:.2f} of plain PyTorch")


if __name__ == "__main__":
    cli.run(main)
