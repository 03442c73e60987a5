"""Parquet files of a table, and what each says of the clips in it."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core.storage.listing import UNREADABLE, exists, list_files
from emotion_core.storage.reading import parquet_rows, read_parquet

SUFFIX = ".parquet"

# Requests under way at once: an object store answers many as fast as one.
AT_ONCE = 16

# A clip of which this is said may fare better another time.
_PASSING = pa.array(["timeout", "crash", "gone"])

INDEX = pa.schema(
    [
        ("file", pa.string()),
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("identity", pa.string()),  # the clip's place, whatever its content
        ("again", pa.bool_()),  # it may fare better another time
        ("n_details", pa.int64()),
    ]
)


# What it is made of, file by file.
_READ = pa.schema(
    [
        ("file", pa.string()),
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("status", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("n_details", pa.int64()),
        ("member", pa.string()),
    ]
)


def part_name(clip_ids: Iterable[str]) -> str:
    """File name of the part that holds exactly these clips: work that Ray repeats, repeats it."""
    digest = hashlib.sha256("\n".join(sorted(clip_ids)).encode()).hexdigest()
    return f"part-{digest[:20]}{SUFFIX}"


def parts(folder: str) -> list[str]:
    """URIs of the Parquet files in ``folder``, sorted; none where the folder does not exist."""
    if not exists(folder):
        return []
    return [file.uri for file in list_files(folder, frozenset({SUFFIX}))]


def read_parts(folder: str, columns: list[str] | None = None) -> pa.Table | None:
    """A table of a job, such as ``out/labels/segments``, in memory.

    Args:
        folder: URI; need not exist.
        columns: None reads all.

    Returns:
        The rows of all its files together; None when there is no file.

    Raises:
        UsageError: a file or a column cannot be read.
    """
    found = parts(folder)
    return read_parquet(found, columns) if found else None


def read_index(folder: str, n_details: str | None = None) -> pa.Table:
    """``INDEX`` of every row below ``folder``, files by name.

    Args:
        folder: URI; need not exist.
        n_details: the column that says how many rows a clip has elsewhere.

    Raises:
        UsageError: a file cannot be read, or lacks a column.
    """
    wanted = ["clip_id", "uri", "status", "reasons", *([n_details] if n_details else [])]

    def read(uri: str) -> pa.Table:
        rows = read_parquet([uri], wanted, optional=("member",))
        none = pa.nulls(len(rows), pa.string())
        columns = {"member": none, **dict(zip(rows.column_names, rows.columns, strict=True))}
        columns["file"] = pa.repeat(name_of(uri), len(rows))
        columns["n_details"] = rows[n_details] if n_details else none
        return pa.table({name: columns[name] for name in _READ.names}).cast(_READ)

    uris = parts(folder)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(read, uris))
    if not found:
        return INDEX.empty_table()
    rows = pa.concat_tables(found).combine_chunks()
    reasons = rows["reasons"].combine_chunks()
    passing = pc.is_in(pc.list_flatten(reasons), value_set=_PASSING)
    places = pc.list_parent_indices(reasons).filter(passing)
    again = pc.is_in(pa.array(range(len(rows)), pa.int64()), value_set=places.cast(pa.int64()))
    columns = {
        "file": rows["file"],
        "clip_id": rows["clip_id"],
        "uri": rows["uri"],
        "identity": identity(rows),
        "again": pc.or_(again, pc.equal(rows["status"], "failed")),
        "n_details": rows["n_details"],
    }
    return pa.table(columns, schema=INDEX)


def identity(rows: pa.Table) -> pa.ChunkedArray:
    """A clip's place: its URI, and the member of a file that holds several."""
    if "member" not in rows.column_names:
        return rows["uri"]
    return pc.binary_join_element_wise(rows["uri"], rows["member"], "\n", null_handling="skip")


def rows_of(rows: pa.Table, clip_ids: pa.ChunkedArray) -> pa.Table:
    """The rows of these clips."""
    return rows.filter(pc.is_in(rows["clip_id"], value_set=clip_ids))


def not_named(held: pa.Table, manifest: pa.Table) -> pa.Table:
    """Rows of an ``INDEX`` whose clips the manifest does not name."""
    return held.filter(pc.invert(pc.is_in(held["identity"], value_set=identity(manifest))))


def keeping(held: pa.Table, manifest: pa.Table) -> pa.Table:
    """The manifest, in which what cannot be read at present keeps the rows that it has.

    Such an input takes the ``clip_id`` of its row, and whatever has rows below a folder that cannot
    be read is named again: nobody can tell that these have changed or are gone.
    """
    unread = pc.equal(manifest["version"], UNREADABLE)
    at = pc.index_in(identity(manifest), value_set=held["identity"])
    known = pc.and_(unread, pc.is_valid(at))
    ids = pc.if_else(known, held["clip_id"].take(at), manifest["clip_id"])
    manifest = manifest.set_column(0, manifest.schema.field("clip_id"), ids)
    folders = [uri for uri in manifest["uri"].filter(unread).to_pylist() if uri.endswith("/")]
    named = [manifest]
    for folder in folders:
        below = held.filter(pc.starts_with(held["uri"], folder))
        rows = not_named(below, pa.concat_tables(named))  # one such folder may lie in another
        columns = {"size": pa.repeat(0, len(rows)), "version": pa.repeat(UNREADABLE, len(rows))}
        given = {"clip_id": rows["clip_id"], "uri": rows["uri"], **columns}
        empty = {name: pa.nulls(len(rows)) for name in manifest.column_names if name not in given}
        table = pa.table({**given, **empty}).select(manifest.column_names)
        named.append(table.cast(manifest.schema))
    return pa.concat_tables(named)


def same_ids(one: pa.Table, other: pa.Table) -> bool:
    """Whether two tables are about the same clips, each as often."""
    first, second = (
        rows["clip_id"].take(pc.sort_indices(rows["clip_id"])) for rows in (one, other)
    )
    return bool(first.equals(second))


def first_of_each(index: pa.Table) -> pa.Array:
    """Which rows are the first of their identity, bool (rows,)."""
    first = pc.index_in(index["identity"], value_set=index["identity"])
    return pc.equal(first, pa.array(range(len(index)), pa.int32()))


def disagreeing(held: pa.Table, details: str) -> list[str]:
    """Names of the files below ``details`` that do not hold as many rows as ``held`` says."""
    sums = held.group_by("file").aggregate([("n_details", "sum")]).to_pydict()
    there = {name_of(uri): uri for uri in parts(details)}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        counts = pool.map(lambda n: parquet_rows(there[n]) if n in there else 0, sums["file"])
        pairs = zip(sums["file"], sums["n_details_sum"], counts, strict=True)
        return [name for name, promised, count in pairs if promised != count]


def name_of(uri: str) -> str:
    """The file's name."""
    return uri.rsplit("/", 1)[-1]
