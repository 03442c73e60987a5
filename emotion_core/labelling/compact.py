"""Finished tables of many files as a copy of few large ones, in bounded memory."""

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from emotion_core import storage
from emotion_core.errors import UsageError
from emotion_core.labelling.tables import SEGMENTS, VIDEOS, LabelTables
from emotion_core.storage.parts import SUFFIX, parts

# A file of each table holds this many videos and their segments, up to about a gigabyte.
VIDEOS_PER_FILE = 200_000

# Rows of one row group, all files that are written at once together, and the least of one file.
_ROWS_AT_ONCE = 400_000
_LEAST_ROWS = 20_000
_READ_AHEAD = 8
# What rows are looked up by. A Bloom filter in each row group tells a reader whether to open it:
# every row group holds URIs from A to Z, so their least and largest values tell nothing.
_LOOKED_UP = ("clip_id", "uri")
_FALSE_ALARMS = 0.01


def compact(tables: LabelTables, to: str) -> list[str]:
    """A copy of finished tables in few large files, for readers of archives of many videos.

    Args:
        tables: complete.
        to: URI of a folder that holds nothing yet: within one folder, many files could not become
            few without a moment in which rows are there twice or not at all.

    Returns:
        The files, relative to ``to``.

    Raises:
        UsageError: there is something at ``to``.
        StorageError: it cannot be written.
    """
    refuse_used(to, tables.out)
    sources = storage.join(tables.out, VIDEOS)
    clips = sum(storage.parquet_rows(uri) for uri in parts(sources))
    count = max(1, -(-clips // VIDEOS_PER_FILE))
    made = []
    for table in (SEGMENTS, VIDEOS):
        names = [f"{table}/{table}-{i:04d}-of-{count:04d}{SUFFIX}" for i in range(count)]
        order = tables.published.order if table == SEGMENTS else ("uri",)
        _merge(
            parts(storage.join(tables.out, table)),
            [storage.join(to, name) for name in names],
            tables.schemas[table],
            [(column, "ascending") for column in order],
            clips,
        )
        made += names
    return made


def refuse_used(to: str, out: str) -> None:
    """Raises ``UsageError`` when there is something at ``to``, or one folder lies in the other."""
    inner, outer = sorted((to.rstrip("/") + "/", out.rstrip("/") + "/"), key=len, reverse=True)
    if inner.startswith(outer):
        raise UsageError(f"--compact-to {to}: choose a folder that is not in --out, nor around it")
    if storage.exists(to) and storage.list_files(to):
        raise UsageError(f"--compact-to {to}: there is something already, choose a new folder")


def _merge(
    sources: list[str],
    targets: list[str],
    schema: pa.Schema,
    order: list[tuple[str, str]],
    clips: int,
) -> None:
    """All rows of the sources; a row's target depends on its URI only."""
    most = max(_LEAST_ROWS, _ROWS_AT_ONCE // len(targets))
    with ExitStack() as stack:
        files = [
            _File(
                schema,
                order,
                most,
                min(most, -(-clips // len(targets)) + 1),
                stack.enter_context(storage.open_write(target)),
                stack,
            )
            for target in targets
        ]
        for rows in _read_ahead(sources):
            for number, mine in _by_file(rows, len(files)):
                files[number].add(mine)
        for file in files:
            file.flush()


class _File:
    """One file of a table while it is written.

    Args:
        schema: of the table.
        order: rows of a row group are sorted by these columns.
        most: rows of a row group.
        clips: about as many, at most, are in a row group.
        target: the open file.
        stack: closes the writer.
    """

    def __init__(
        self,
        schema: pa.Schema,
        order: list[tuple[str, str]],
        most: int,
        clips: int,
        target: BinaryIO,
        stack: ExitStack,
    ):
        self._schema, self._order, self._most = schema, order, most
        self._held: list[pa.Table] = []
        self._rows = 0
        bloom = {"ndv": clips, "fpp": _FALSE_ALARMS}
        self._writer = stack.enter_context(
            pq.ParquetWriter(
                target,
                schema,
                compression="zstd",
                write_statistics=True,
                bloom_filter_options=dict.fromkeys(_LOOKED_UP, bloom),
            )
        )

    def add(self, rows: pa.Table) -> None:
        """More rows; written when there are enough for a row group."""
        self._held.append(rows)
        self._rows += len(rows)
        if self._rows >= self._most:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if self._rows:
            rows = pa.concat_tables(self._held).sort_by(self._order)
            self._writer.write_table(rows.cast(self._schema))
        self._held, self._rows = [], 0


def _by_file(rows: pa.Table, count: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows by the number of their file."""
    if count == 1 or not len(rows):
        yield 0, rows
        return
    uris = rows["uri"].combine_chunks().dictionary_encode()
    of_uri = np.array([zlib.crc32(uri.encode()) % count for uri in uris.dictionary.to_pylist()])
    of_row = of_uri[uris.indices.to_numpy(zero_copy_only=False)]
    for number in np.unique(of_row):
        yield int(number), rows.filter(pa.array(of_row == number))


def _read_ahead(sources: list[str]) -> Iterator[pa.Table]:
    """Each source's rows; several are read while one is worked on."""
    with ThreadPoolExecutor(_READ_AHEAD) as pool:
        waiting: deque[Future[pa.Table]] = deque()
        for uri in sources:
            waiting.append(pool.submit(storage.read_parquet, [uri]))
            if len(waiting) > _READ_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
