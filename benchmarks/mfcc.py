"""How fast librosa (the reference) and the batched torchaudio path make features.

python benchmarks/mfcc.py --folder AUDIO
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table

from emotion_core import cli
from emotion_core.errors import UsageError
from emotion_core.recipes.specs import AudioSpec
from emotion_core.sound.features import audio_features

_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def read_clips(folder: Path, spec: AudioSpec, limit: int) -> list[np.ndarray]:
    """The first ``limit`` sound files under ``folder``, mono, at the recipe's rate."""
    import librosa

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)[:limit]
    if not files:
        raise UsageError(f"no sound files ({', '.join(_SUFFIXES)}) under {folder}")
    return [librosa.load(path, sr=spec.sample_rate)[0] for path in files]


def made_up_clips(spec: AudioSpec, count: int) -> list[np.ndarray]:
    """Gliding tones in noise, 2 to 5 seconds."""
    generator = np.random.default_rng(0)
    clips = []
    for _ in range(count):
        t = np.arange(int(generator.uniform(2, 5) * spec.sample_rate)) / spec.sample_rate
        tone = np.sin(2 * np.pi * (150 * t + 30 * np.sin(2 * np.pi * t)))
        clips.append((0.2 * tone + 0.01 * generator.normal(size=len(t))).astype(np.float32))
    return clips


def fastest(compute: Callable[[], list[np.ndarray]], rounds: int) -> tuple[float, list[np.ndarray]]:
    """Seconds of the fastest round, after one that is not counted, and the result."""
    result, times = compute(), []
    for _ in range(rounds):
        start = time.perf_counter()
        result = compute()
        times.append(time.perf_counter() - start)
    return min(times), result


def main(
    folder: Annotated[Path | None, typer.Option(help="Sound files; made up without it.")] = None,
    limit: Annotated[int, typer.Option(help="Clips at most.")] = 100,
    kind: str = "mfcc",
    rounds: int = 3,
    threads: Annotated[int, typer.Option(help="CPU threads of torch.")] = 1,
) -> None:
    """Time both paths on the same clips, and say how far they are apart."""
    import torch

    from emotion_core.sound.gpu import BatchedAudioFeatures

    torch.set_num_threads(threads)
    spec = AudioSpec(kind=kind)
    clips = read_clips(folder, spec, limit) if folder else made_up_clips(spec, limit)
    length = sum(map(len, clips)) / spec.sample_rate
    table = Table(title=f"{kind}: {len(clips)} clips, {length:.0f} s of sound")
    for heading in ("path", "ms a clip", "x real time", "ratio", "largest difference"):
        table.add_column(heading, justify="left" if heading == "path" else "right")

    reference_s, reference = fastest(lambda: [audio_features(clip, spec) for clip in clips], rounds)
    rows = [("librosa", reference_s, 0.0)]
    for device in ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]:
        batched = BatchedAudioFeatures(spec, device)
        seconds, result = fastest(lambda compute=batched: compute(clips), rounds)  # type: ignore[misc]
        apart = max(np.abs(a - b).max() for a, b in zip(reference, result, strict=True))
        rows.append((f"torchaudio {device}", seconds, float(apart)))
    for name, seconds, apart in rows:
        table.add_row(
            name,
            f"{seconds / len(clips) * 1e3:.2f}",
            f"{length / seconds:.0f}",
            f"{reference_s / seconds:.2f}",
            f"{apart:.1e}",
        )
    cli.console.print(table)


if __name__ == "__main__":
    cli.run(main)
