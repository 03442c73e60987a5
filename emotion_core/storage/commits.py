"""Parquet parts that are whole or not there, and the knowledge of which clips they hold.

A job's tables grow part by part. Every part is written atomically under a name made from the clips
in it, so that work that Ray repeats after a fault writes the same name again instead of a second
copy. What is finished is read back from the parts themselves: there is no second book to disagree
with them.
"""

import hashlib
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage

SUFFIX = ".parquet"


def part_name(clip_ids: Iterable[str]) -> str:
    """File name of the part that holds exactly these clips."""
    digest = hashlib.sha256("\n".join(sorted(clip_ids)).encode()).hexdigest()
    return f"part-{digest[:20]}{SUFFIX}"


def write_part(folder: str, name: str, table: pa.Table, metadata: dict[str, str]) -> str:
    """Write one part and return its URI."""
    uri = storage.join(folder, name)
    storage.write_parquet(uri, table, metadata)
    return uri


def parts(folder: str) -> list[str]:
    """URIs of the parts in ``folder``, sorted; none when the folder does not exist yet."""
    if not storage.exists(folder):
        return []
    return [file.uri for file in storage.list_files(folder, frozenset({SUFFIX}))]


def committed(folder: str, columns: list[str] | None = None) -> pa.Table | None:
    """These columns (None: all) of all parts together, or None when there is no part."""
    found = parts(folder)
    return storage.read_parquet(found, columns) if found else None


def drop_stale(folder: str, current: pa.Array) -> int:
    """Rewrite the parts that hold clips not in ``current`` without them; how many rows went.

    A file that changed since has another ``clip_id``, a file that was removed has none: in either
    case the old row would count twice in the table.
    """
    dropped = 0
    for uri in parts(folder):
        ids = storage.read_parquet(uri, ["clip_id"])["clip_id"]
        keep = pc.is_in(ids, value_set=current)
        stale = len(ids) - (pc.sum(keep).as_py() or 0)
        if not stale:
            continue
        dropped += stale
        if stale < len(ids):
            table = storage.read_parquet(uri)
            kept = table.filter(keep)
            metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
            write_part(folder, part_name(kept["clip_id"].unique().to_pylist()), kept, metadata)
        storage.remove(uri)
    return dropped


def drop_failed(folder: str) -> int:
    """Drop the rows of failed clips, so that they count as not done; how many there were."""
    rows = committed(folder, ["clip_id", "status"])
    if rows is None:
        return 0
    return drop_stale(folder, rows.filter(pc.field("status") != "failed")["clip_id"])
