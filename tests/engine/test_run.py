"""What ends a run in the middle: trouble with the store, not with an input."""

from pathlib import Path

import pytest

from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.clips.each import each
from emotion_core.clips.work import ClipWork
from emotion_core.engine.needs import Needs
from emotion_core.engine.plan import Group
from emotion_core.engine.run import block_sizes, part_rows, run_groups
from emotion_core.errors import StorageError, UsageError
from emotion_core.storage.uris import explain


def run(folder: Path, make_steps, count: int) -> None:
    """Clips ``a``, ``b``, ... one by one through one worker; each part is a file of their names."""

    def write(works: list[ClipWork]) -> str:
        names = [f"{work.clip['uri']} {work.outcome.status}" for work in works]
        path = folder / f"{names[0]}.txt"
        path.write_text("\n".join(names))
        return str(path)

    clips = manifest_table([Clip(chr(ord("a") + i), 1, "v") for i in range(count)])
    for _ in run_groups(clips, [Group((make_steps,), Needs(), 1, 1)], write, 8, batch=1):
        pass


def written(folder: Path) -> list[str]:
    return sorted(line for path in folder.glob("*.txt") for line in path.read_text().split("\n"))


def test_a_store_that_is_lost_midway_ends_the_run_and_what_was_finished_is_kept(
    ray_local: None, tmp_path: Path
) -> None:
    def fetch(work: ClipWork) -> ClipWork:
        with (tmp_path / "log").open("a") as log:
            log.write(work.clip["uri"])
        if len((tmp_path / "log").read_text()) > 3:
            raise StorageError("s3://in/a.mp4: the server cannot be reached")
        return work

    with pytest.raises(StorageError, match="s3://in/a.mp4: the server cannot be reached"):
        run(tmp_path, lambda: lambda works: each(works, "decode", fetch), 12)

    # which clip comes first is Ray's to say, and on a busy machine it is not always the first one
    tried = (tmp_path / "log").read_text()
    assert len(tried) == 4, "nothing was tried after that"
    assert written(tmp_path) == [f"{name} ok" for name in sorted(tried[:3])]


def test_a_model_that_a_worker_cannot_read_any_more_is_the_stores_trouble(
    ray_local: None, tmp_path: Path
) -> None:
    def make_steps():
        try:
            raise ConnectionError("refused")
        except ConnectionError as error:
            raise UsageError(explain("s3://models/m", error)) from error

    with pytest.raises(StorageError, match="s3://models/m: refused"):
        run(tmp_path, make_steps, 2)
    assert written(tmp_path) == []


@pytest.mark.parametrize(
    ("rows", "batch", "workers"), [(1, 16, 2), (100, 16, 2), (20_000, 1, 2), (64_001, 16, 800)]
)
def test_a_block_is_one_batch(rows: int, batch: int, workers: int) -> None:
    sizes = block_sizes(rows, batch, workers)
    assert sum(sizes) == rows and set(sizes[:-1]) <= {batch} and sizes[-1] <= batch


@pytest.mark.parametrize(("batch", "workers"), [(1, 2), (1, 1600), (16, 2), (7, 100)])
def test_a_million_rows_are_few_blocks_that_get_small_at_the_end(batch: int, workers: int) -> None:
    sizes = block_sizes(1_000_000, batch, workers)
    assert sum(sizes) == 1_000_000 and len(sizes) < 60_000
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] <= batch
    assert all(size % batch == 0 for size in sizes[:-1]), "whole batches"
    # what is left when the last large block is taken keeps every worker busy
    assert sizes.count(batch) >= min(len(sizes), 3 * workers)


@pytest.mark.parametrize(
    ("wanted", "batch", "block", "rows"),
    [
        (64, 6, 6, 60),  # ten batches, which are blocks
        (125, 6, 54, 108),  # two blocks of nine batches
        (64, 6, 54, 54),
        (40, 6, 54, 30),  # a larger block is two parts, of five batches and of four
        (210, 6, 384, 192),
        (39, 6, 78, 30),
        (1, 6, 54, 6),
        (4, 1, 1, 4),
    ],
)
def test_a_part_is_whole_blocks_or_a_share_of_a_larger_one(
    wanted: int, batch: int, block: int, rows: int
) -> None:
    assert part_rows(wanted, batch, block) == rows
    assert rows <= max(wanted, batch) and rows % batch == 0
    assert block % rows == 0 or rows % block == 0 or block % rows >= rows // 2
