"""Corpora as mirrors on the Hugging Face hub have them: a file in each row of Parquet files."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from emotion_core import storage
from emotion_core.corpora import scan
from emotion_core.errors import ClipError, UsageError
from emotion_core.storage.parts import read_parts
from tests.support.jobs import run_here
from tests.support.s3 import S3Server

NAMES = [f"03-01-{emotion:02d}-01-01-01-{actor:02d}.wav" for emotion in (3, 4) for actor in (1, 2)]


def mirror(path: Path, rows: list[tuple[str | None, bytes | None]], column: str = "audio") -> Path:
    """As ``datasets`` writes it: a struct of bytes and path, a label beside it."""
    files = [{"bytes": data, "path": name} for name, data in rows]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"label": list(range(len(rows))), column: pa.array(files, kind)})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=3)
    return path


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number, name in enumerate(NAMES):
        time_s = np.arange(16000) / 16000
        wave = 0.3 * np.sin(2 * np.pi * (200.0 + 40 * number) * time_s)
        soundfile.write(folder / name, wave, 16000)
    return folder


@pytest.fixture
def mirrored(sounds: Path, tmp_path: Path) -> Path:
    rows: list[tuple[str | None, bytes | None]] = [(n, (sounds / n).read_bytes()) for n in NAMES]
    mirror(tmp_path / "data" / "train-00000-of-00002.parquet", rows[:1])
    mirror(tmp_path / "data" / "train-00001-of-00002.parquet", rows[1:])
    return tmp_path / "data"


def told(clips: list[Any]) -> list[tuple]:
    return [(storage.path_of(c.uri).rsplit("/", 1)[-1], c.speaker, c.emotion) for c in clips]


def test_rows_are_the_clips_that_files_would_be(sounds: Path, mirrored: Path) -> None:
    found = scan("ravdess", str(mirrored))
    assert told(found.clips) == told(scan("ravdess", str(sounds)).clips)
    assert found.clips[1].uri == (
        f"parquet://000000000/{NAMES[1]}::{mirrored}/train-00001-of-00002.parquet"
    )
    for clip in found.clips:
        with storage.local_copy(clip.uri, version=clip.version) as copy:
            assert copy.suffix == ".wav"
            assert copy.read_bytes() == (sounds / storage.path_of(clip.uri)).read_bytes()
    one = scan("ravdess", str(mirrored / "train-00001-of-00002.parquet"))
    assert told(one.clips) == told(found.clips[1:])


def test_a_mirror_beside_the_files_is_the_same_clips(sounds: Path, mirrored: Path) -> None:
    shutil.copyfile(sounds / NAMES[0], mirrored / NAMES[0])
    found = scan("ravdess", str(mirrored))
    assert len(found.clips) == 4 and found.duplicates == 1


def test_what_rows_do_not_say(sounds: Path, tmp_path: Path) -> None:
    data = (sounds / NAMES[0]).read_bytes()
    place = mirror(tmp_path / "a.parquet", [(NAMES[0], data), (None, data), (NAMES[1], None)])
    pq.write_table(pa.table({"x": [1]}), tmp_path / "features.parquet")
    found = scan("ravdess", str(tmp_path))
    assert len(found.clips) == 2
    assert found.unparsed == [f"parquet://000000001/row 1::{place}"]
    with (
        pytest.raises(ClipError, match="unreadable: .*names .* and does not hold it"),
        storage.local_copy(found.clips[1].uri),
    ):
        pass


def test_a_mirror_that_changed_or_went_costs_its_rows_only(sounds: Path, mirrored: Path) -> None:
    found = scan("ravdess", str(mirrored))
    place = mirrored / "train-00001-of-00002.parquet"
    mirror(place, [(NAMES[1], (sounds / NAMES[1]).read_bytes())])
    for clip, why in zip(found.clips[1:3], ("not what it was", "no such file"), strict=True):
        with (
            pytest.raises(ClipError, match=why),
            storage.local_copy(clip.uri, version=clip.version),
        ):
            pass
    place.unlink()
    with (
        pytest.raises(ClipError, match="no such file"),
        storage.local_copy(found.clips[1].uri, version=found.clips[1].version),
    ):
        pass


def test_tables_without_files_are_no_corpus(tmp_path: Path) -> None:
    pq.write_table(pa.table({"audio": [b"x"]}), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="no media files there"):
        scan("ravdess", str(tmp_path))
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(UsageError, match="not a readable Parquet file"):
        scan("ravdess", str(tmp_path))


def test_features_from_a_bucket_are_those_of_files(
    sounds: Path, mirrored: Path, ray_with_s3: S3Server, tmp_path: Path
) -> None:
    ray_with_s3.bucket("mirrors")
    ray_with_s3.upload("mirrors", {f"ravdess/{p.name}": p for p in mirrored.glob("*.parquet")})
    features = []
    for name, corpus in (("files", str(sounds)), ("rows", "s3://mirrors/ravdess")):
        out = tmp_path / name
        words = ("--recipe", "voice-small", "--corpus", f"ravdess={corpus}", "--out", out)
        done = run_here("preprocess", *words)
        assert done.returncode == 0, done.stderr
        table = read_parts(str(out / "features"))
        assert table is not None and set(table["status"].to_pylist()) == {"ok"}
        rows = sorted(table.to_pylist(), key=lambda row: (row["speaker"], row["emotion"]))
        features.append([(row["speaker"], row["emotion"], row["audio_features"]) for row in rows])
    assert features[0] == features[1] and len(features[0]) == 4
