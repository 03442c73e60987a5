"""Many small Parquet files become few large ones, in bounded memory."""

import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from emotion_core import storage

# Rows of one row group, all files that are written at once together, and the least of one file.
_ROWS_AT_ONCE = 400_000
_LEAST_ROWS = 20_000
_READ_AHEAD = 8
# What rows are looked up by. A Bloom filter in each row group tells a reader whether to open it:
# every row group holds URIs from A to Z, so their least and largest values tell nothing.
_LOOKED_UP = ("clip_id", "uri")
_FALSE_ALARMS = 0.01


def merge(
    sources: list[tuple[str, pa.Array]],
    targets: list[str],
    schema: pa.Schema,
    order: list[tuple[str, str]],
    clips: int,
) -> None:
    """Write the rows of the clips that each source stands for; all targets appear at the end.

    Args:
        sources: URI of a Parquet file, and the clip_ids whose rows are taken from it.
        targets: URIs. A row's depends on its URI only, so that a changed video stays in its file.
        schema: of the targets; has ``clip_id`` and ``uri``.
        order: rows are sorted by these columns (name, direction) within each row group.
        clips: how many there are; decides how large the Bloom filters are.

    Raises:
        UsageError: a source cannot be read.
        StorageError: a target cannot be written.
    """
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
    """Rows by the number of their file: by URI, so that a changed video stays in its file."""
    if count == 1 or not len(rows):
        yield 0, rows
        return
    uris = rows["uri"].combine_chunks().dictionary_encode()
    of_uri = np.array([zlib.crc32(uri.encode()) % count for uri in uris.dictionary.to_pylist()])
    of_row = of_uri[uris.indices.to_numpy(zero_copy_only=False)]
    for number in np.unique(of_row):
        yield int(number), rows.filter(pa.array(of_row == number))


def _read_ahead(sources: list[tuple[str, pa.Array]]) -> Iterator[pa.Table]:
    """Each source's rows of its clips; several are read while one is worked on."""

    def read(source: tuple[str, pa.Array]) -> pa.Table:
        uri, clip_ids = source
        rows = storage.read_parquet([uri])
        return rows.filter(pc.is_in(rows["clip_id"], value_set=clip_ids)).replace_schema_metadata()

    with ThreadPoolExecutor(_READ_AHEAD) as pool:
        waiting: list[Future[pa.Table]] = []
        for source in sources:
            waiting.append(pool.submit(read, source))
            if len(waiting) > _READ_AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
