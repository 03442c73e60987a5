"""Parquet columns as arrays over files of this machine."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.mapped import LocalCopy, Source, listed
from emotion_core.storage.ragged import Ragged
from tests.support.jobs import environment

ROWS = [
    {"name": "a", "sound": [[1, 2], [3, 4]], "faces": [b"one", None, b"three"]},
    {"name": "b", "sound": None, "faces": None},
    {"name": "c", "sound": [], "faces": []},
    {"name": "d", "sound": [[5, 6]], "faces": [b""]},
    {"name": "e", "sound": [[7, 8], [9, 10], [11, 12]], "faces": [None, b"last"]},
]
HALF, SINGLE = pa.float16(), pa.float32()


def write(folder: Path, groups: list[list[dict]], kind: pa.DataType = SINGLE) -> Path:
    """Files of these rows, each in row groups of two."""
    sound, faces = pa.list_(pa.list_(kind)), pa.list_(pa.binary())
    schema = pa.schema([("name", pa.string()), ("sound", sound), ("faces", faces)])
    folder.mkdir()
    for number, rows in enumerate(groups):
        made = [{**r, "sound": r["sound"] and [np.array(x, kind.to_pandas_dtype())
                                               for x in r["sound"]]} for r in rows]  # fmt: skip
        table = pa.Table.from_pylist(made, schema=schema)
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=2)
    return folder


def source(folder: Path) -> Source:
    return listed(str(folder), ("name",), ("sound", 2), "faces")


@pytest.mark.parametrize("kind", [HALF, SINGLE])
@pytest.mark.parametrize(
    "groups", [[ROWS], [ROWS[:1], [], ROWS[1:]], [[row] for row in ROWS]], ids=["1", "3", "5"]
)
def test_what_is_written_is_what_is_mapped(
    tmp_path: Path, groups: list[list[dict]], kind: pa.DataType
) -> None:
    with LocalCopy(source(write(tmp_path / "f", groups, kind))) as copy:
        matrix, blobs = copy.matrix, copy.blobs
        assert matrix is not None and blobs is not None
        assert copy.rows()["name"].to_pylist() == list("abcde")
        assert matrix.values.dtype == kind.to_pandas_dtype()
        for row, wanted in enumerate(ROWS):
            assert matrix[row].tolist() == (wanted["sound"] or [])
            given = [each or b"" for each in wanted["faces"] or []]
            assert [each.tobytes() for each in blobs[row]] == given
        assert blobs.filled.tolist() == [True, False, False, False, True]
        assert is_mapped(matrix.values) and is_mapped(blobs.data) and is_mapped(blobs.spans.values)
        place = copy._folder
    assert not os.path.exists(os.path.dirname(place))


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base  # type: ignore[assignment]
    return False


def test_columns_without_a_single_value(tmp_path: Path) -> None:
    with LocalCopy(source(write(tmp_path / "f", [ROWS[1:3], []]))) as copy:
        matrix, blobs = copy.matrix, copy.blobs
        assert matrix is not None and blobs is not None
        assert matrix.values.shape == (0, 2) and not len(blobs.data)
        assert matrix.lengths.tolist() == [0, 0] and not blobs.filled.any()


def test_copies_of_one_source_are_one_and_go_with_the_last(tmp_path: Path) -> None:
    wanted = source(write(tmp_path / "f", [ROWS]))
    one, two = LocalCopy(wanted), LocalCopy(wanted)
    place, kept = one._folder, one.matrix
    assert two._folder == place
    one.close()
    assert os.path.isdir(place)
    one.close()  # nothing more
    del two
    gc.collect()
    assert not os.path.exists(place), "nobody knows it any more"
    assert isinstance(kept, Ragged) and kept[0].tolist() == [[1, 2], [3, 4]], "what is mapped stays"


def test_other_files_or_columns_are_another_source(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", [ROWS])
    keys = [source(folder).key, listed(str(folder), ("name",), ("sound", 2), None).key]
    assert source(folder).key == keys[0]
    os.utime(folder / "0.parquet", ns=(1, 1))
    keys.append(source(folder).key)
    assert len(set(keys)) == 3


def test_files_that_changed_since_they_were_listed(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", [ROWS])
    before = source(folder)
    os.utime(folder / "0.parquet", ns=(1, 1))
    with pytest.raises(StorageError, match="f: changed while it was read: repeat"):
        LocalCopy(before)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    folder = write(tmp_path / "f", [ROWS])
    storage.write_parquet(str(folder / "1.parquet"), pa.table({"name": ["x"]}))
    with pytest.raises(UsageError, match="1.parquet: no column faces, sound"):
        LocalCopy(source(folder))
    other = pq.read_table(folder / "0.parquet")
    storage.write_parquet(str(folder / "1.parquet"), other.set_column(0, "name", [[1] * 5]))
    with pytest.raises(UsageError, match="f is damaged: .*schema"):
        LocalCopy(source(folder))
    with pytest.raises(UsageError, match="f is damaged: .*do not all hold 3 numbers"):
        LocalCopy(listed(str(folder), ("name",), ("sound", 3), None))


# The kernel lets no file grow beyond so many bytes, as a full disk would.
FULL = """
import resource, sys
from emotion_core.storage.mapped import LocalCopy, listed
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
LocalCopy(listed(sys.argv[1], ("name",), None, "faces"))
"""


def test_a_disk_that_is_full_is_one_line_and_stays_no_fuller(tmp_path: Path) -> None:
    rows = [{**ROWS[0], "faces": [os.urandom(50_000)]} for _ in range(4)]
    folder, scratch = write(tmp_path / "f", [rows]), tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run([sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True,
                          env=environment(TMPDIR=str(scratch)))  # fmt: skip
    last = done.stderr.splitlines()[-1]
    assert f"StorageError: {scratch}/emotion-core-columns-" in last
    assert "cannot be written (file too large): free some room, or set TMPDIR to" in last
    assert not list(scratch.iterdir())
