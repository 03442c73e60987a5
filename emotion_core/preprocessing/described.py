"""What a corpus says of clips that have features: labels are corrected, votes come later."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.storage.parts import AT_ONCE, parts
from emotion_core.storage.schemas import MANIFEST

# What decides neither a clip's identity nor its features. ``modality`` decides how it is decoded.
_OF_THE_FILE = ("clip_id", "uri", "size", "version", "member", "modality")
TOLD = pa.schema([field for field in MANIFEST if field.name not in _OF_THE_FILE])


def describe_anew(folder: str, manifest: pa.Table, check: storage.Check) -> int:
    """Give rows of features what the manifest says of their clips now, where that is another thing.

    A clip is the same when its file is: who corrects a label gets no new clip, and nothing is
    decoded again. Each file is replaced in one step.

    Args:
        folder: URI of ``features/``, whose rows have the manifest's ``clip_id``.
        manifest: schema ``MANIFEST``.
        check: the claim's.

    Returns:
        How many rows were changed.
    """
    files = parts(folder)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        held = pa.concat_tables([_nothing(), *pool.map(_described, files)])
    other = held.filter(_differs(held, manifest))
    for uri in pc.unique(other["file"]).to_pylist():
        rows = storage.read_parquet([uri])
        ids = other.filter(pc.equal(other["file"], uri))["clip_id"]
        check()
        storage.write_parquet(uri, _with_told(rows, pc.is_in(rows["clip_id"], ids), manifest))
    return len(other)


def _described(uri: str) -> pa.Table:
    rows = storage.read_parquet([uri], ["clip_id"], optional=TOLD.names)
    columns = {
        field.name: rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(len(rows), field.type)
        for field in TOLD
    }
    file = pa.array([uri] * len(rows), pa.string())
    return pa.table({"file": file, "clip_id": rows["clip_id"], **columns}, schema=_nothing().schema)


def _nothing() -> pa.Table:
    return pa.schema([("file", pa.string()), ("clip_id", pa.string()), *TOLD]).empty_table()


def _differs(held: pa.Table, manifest: pa.Table) -> pa.Array:
    """Which rows the manifest describes otherwise; none of what cannot be read at present."""
    at = pc.index_in(held["clip_id"], value_set=manifest["clip_id"].combine_chunks())
    known = pc.not_equal(manifest["version"].take(at), storage.UNREADABLE)
    differ = pa.array([False] * len(held), pa.bool_())
    for name in TOLD.names:
        differ = pc.or_(differ, _unlike(held[name], manifest[name].take(at)))
    return pc.and_(pc.fill_null(known, False), differ)


def _unlike(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.Array:
    if not pa.types.is_list(one.type):
        same = pc.fill_null(pc.equal(one, other), False)
        neither = pc.and_(pc.is_null(one), pc.is_null(other))
        return pc.invert(pc.or_(same, neither))
    pairs: Sequence[tuple] = list(zip(one.to_pylist(), other.to_pylist(), strict=True))
    return pa.array([first != second for first, second in pairs], pa.bool_())


def _with_told(rows: pa.Table, chosen: pa.Array, manifest: pa.Table) -> pa.Table:
    at = pc.index_in(rows["clip_id"], value_set=manifest["clip_id"].combine_chunks())
    for field in TOLD:
        new = manifest[field.name].take(at)
        if field.name in rows.column_names:
            place = rows.schema.get_field_index(field.name)
            mixed = pc.if_else(chosen, new, rows[field.name].cast(field.type))
            rows = rows.set_column(place, rows.schema.field(place), mixed)
        else:
            rows = rows.append_column(field, pc.if_else(chosen, new, pa.nulls(1, field.type)[0]))
    return rows
