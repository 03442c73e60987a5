"""How many pictures a second each face detector takes, here and now.

python benchmarks/detectors.py --scrfd PATH.onnx --batch 1 --batch 6
"""

import time
from pathlib import Path
from typing import Annotated

import matplotlib
import numpy as np
import typer
from PIL import Image
from rich.table import Table

from emotion_core import cli
from emotion_core.faces.boxes import is_face
from emotion_core.faces.centerface import CenterFace
from emotion_core.faces.letterbox import fit
from emotion_core.faces.scrfd import Scrfd


def pictures(width: int, height: int, count: int) -> np.ndarray:
    """A photographed face (it ships with matplotlib) on a light wall, moving to the right."""
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(path) as photo:
        face = photo.convert("RGB")
    face.thumbnail((width, height))
    wall = Image.new("RGB", (width, height), (210, 205, 200))
    wall.paste(face, ((width - face.width) // 2, height - face.height))
    still = np.asarray(wall)
    return np.stack([np.roll(still, 4 * index, axis=1) for index in range(count)])


def seconds_per_picture(detector: CenterFace | Scrfd, frames: np.ndarray, rounds: int) -> float:
    """The fastest of ``rounds``: what the machine can do when nothing else disturbs it."""
    detector.detect(frames)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        detector.detect(frames)
        times.append(time.perf_counter() - start)
    return min(times) / len(frames)


def main(
    scrfd: Annotated[list[str] | None, typer.Option(help="SCRFD .onnx file or pack.")] = None,
    batch: Annotated[list[int] | None, typer.Option(help="Pictures a call.")] = None,
    width: int = 640,
    height: int = 360,
    count: Annotated[int, typer.Option(help="Pictures a round.")] = 12,
    rounds: int = 5,
    device: str = "cpu",
    threads: int = 1,
) -> None:
    """Time CenterFace, and SCRFD networks beside it, on pictures of one size."""
    frames = pictures(width, height, count)
    table = Table(title=f"{count} pictures of {width} x {height}, {threads} CPU thread(s)")
    for heading in ("detector", "on", "input", "batch", "ms", "per s", "ratio"):
        table.add_column(heading, justify="left" if heading == "detector" else "right")
    table.add_column("found", justify="right")
    first: float | None = None
    for size in batch or [1, 6]:
        detectors: list[tuple[int, CenterFace | Scrfd]] = [
            (448, CenterFace(448, device, threads, size))
        ]
        detectors += [(640, Scrfd(name, 640, device, threads, size)) for name in scrfd or []]
        for side, detector in detectors:
            seconds = seconds_per_picture(detector, frames, rounds)
            first = first or seconds
            found = sum(is_face(each, 0.5, 16).any() for each in detector.detect(frames))
            rows, columns = fit(height, width, side).canvas
            table.add_row(
                detector.name.removeprefix("insightface:"),
                detector.provider.removesuffix("ExecutionProvider"),
                f"{columns}x{rows}",
                str(size),
                f"{seconds * 1e3:.1f}",
                f"{1 / seconds:.1f}",
                f"{first / seconds:.2f}",
                f"{found}/{count}",
            )
    cli.console.print(table)


if __name__ == "__main__":
    cli.run(main)
