"""The jobs that are killed: small ones, with their inputs, how far they are, and what they left."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from emotion_core.storage.parts import read_parts
from tests.support.containers import VIDEOS
from tests.support.jobs import command
from tests.support.labelling import untrained
from tests.support.media_clips import write_clip
from tests.support.small_recipes import small
from tests.support.synthetic_features import SMALL, rows, write_features

CLIPS = 16
EPOCHS = 8
RATE = 16000
RECIPE = """
from dataclasses import replace
from emotion_core.recipes import with_training
from tests.support.synthetic_features import SMALL
options = {**SMALL.network_options, "dropout": 0, "fusion_dropout": 0}
RECIPE = with_training(replace(SMALL, name="chaos", split="elte", network_options=options),
                       epochs=EPOCHS, patience=EPOCHS)
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A job, whose output can be compared with that of another run of it.

    Attributes:
        name: ``label``, ``preprocess`` or ``train``.
        actors: what Ray calls those of its processes that do the work.
        arguments: all but ``--out``.
        steps: how far ``progress`` gets.
        progress: how far the one that writes to this ``--out`` is.
        rows: what it left: one for each input; nothing in them depends on the run.
        inputs: the rows' ``uri``, as they should be.
    """

    name: str
    actors: tuple[str, ...]
    arguments: tuple[object, ...]
    steps: int
    progress: Callable[[Path], int]
    rows: Callable[[Path], list[Row]]
    inputs: tuple[str, ...]

    def command(self, out: Path) -> list[str]:
        return command(self.name, *self.arguments, "--out", out)


def made(folder: Path) -> dict[str, Job]:
    """All three, their inputs in ``folder``."""
    clips = folder / "clips"
    uris = tuple(sorted(str(path) for path in _clips(clips)))
    model = untrained(folder / "model", ("audio",), small("audio-cnn1d"))
    features = write_features(folder / "features", rows(SMALL), SMALL)
    (folder / "recipe.py").write_text(RECIPE.replace("EPOCHS", str(EPOCHS)))
    return {
        "label": Job(
            "label", ("MapWorker(MapBatches(Steps))",),
            ("--videos", clips, "--model", model, "--any-sound"),
            CLIPS, _rows_of("videos"), _labelled, uris,
        ),
        "preprocess": Job(
            "preprocess", ("MapWorker(MapBatches(Steps))",),
            ("--corpus", f"folder={clips}"),
            CLIPS, _rows_of("features"), _features, uris,
        ),
        "train": Job(
            "train", ("RayTrainWorker",),
            ("--features", features, "--recipe", folder / "recipe.py", "--num-workers", 2),
            EPOCHS, _epochs, _trained, tuple(f"epoch {number}" for number in range(EPOCHS)),
        ),
    }  # fmt: skip


def _clips(folder: Path) -> Iterator[Path]:
    """Sounds and videos of a few seconds in turn, in folders that say an emotion."""
    for number in range(CLIPS):
        emotion = ("happy", "sad")[number % 4 // 2]
        (folder / emotion).mkdir(parents=True, exist_ok=True)
        if number % 2:
            path = folder / emotion / f"clip {number:02d}.mp4"
            yield write_clip(path, frames=50, loudness=0.5 + number / 40, **VIDEOS["h264.mp4"])
            continue
        path = folder / emotion / f"sound {number:02d}.wav"
        times = np.arange(6 * RATE) / RATE
        voice = sum(np.sin(2 * np.pi * (110 + 5 * number) * k * times) / k for k in range(1, 5))
        noise = np.random.default_rng(number).normal(0, 0.01, times.size)
        soundfile.write(path, 0.2 * voice + noise, RATE)
        yield path


def _rows_of(table: str) -> Callable[[Path], int]:
    def progress(out: Path) -> int:
        try:
            found = read_parts(str(out / table), ["clip_id"])
        except OSError:  # replaced while it was read
            return 0
        return 0 if found is None else len(found)

    return progress


def _epochs(out: Path) -> int:
    """Of the checkpoint that got furthest; they are gone when the training is done."""
    done = 0
    for path in out.glob("checkpoints/run-*/checkpoint_*/progress.json"):
        with suppress(OSError, ValueError):  # half written, or removed since
            done = max(done, json.loads(path.read_text())["epochs"])
    return done


def _read(folder: Path, key: str) -> list[Row]:
    table = read_parts(str(folder))
    assert table is not None
    return sorted(table.drop_columns(["processing_s"]).to_pylist(), key=lambda row: row[key])


def _labelled(out: Path) -> list[Row]:
    """Each video's row, with its segments."""
    segments = read_parts(str(out / "segments"))
    assert segments is not None
    by_uri: dict[str, list[Row]] = {}
    for row in sorted(segments.to_pylist(), key=str):
        by_uri.setdefault(row["uri"], []).append(row)
    return [{**row, "segments": by_uri.get(row["uri"])} for row in _read(out / "videos", "uri")]


def _features(out: Path) -> list[Row]:
    return _read(out / "features", "uri")


def _trained(out: Path) -> list[Row]:
    """The epochs. Whole ones of the first start, and of what went on from its checkpoint."""
    history = json.loads((out / "history.json").read_text())
    kept = ("phase", "loss", "validation_loss", "uar", "war")
    return [
        {"uri": f"epoch {row['epoch']}", "status": "ok", "reasons": [], "error": None}
        | {name: _rounded(row[name]) for name in kept if name in row}
        for row in history
    ]


def _rounded(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


def damage_newest_checkpoint(out: Path, rng: np.random.Generator) -> bool:
    """Cuts the largest file of the newest checkpoint, or changes a bit of it.

    False, and nothing is changed, where there is none before it to fall back to.
    """
    written = (path.parent for path in out.glob("checkpoints/run-*/checkpoint_*/progress.json"))
    found = sorted(written, key=lambda path: path.stat().st_mtime)
    if len(found) < 2:
        return False
    files = [path for path in found[-1].iterdir() if path.is_file()]
    largest = max(files, key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    place = int(rng.integers(1, len(data)))
    if rng.random() < 0.5:
        data = data[:place]
    else:
        data[place] ^= 0x10
    largest.write_bytes(data)
    return True
