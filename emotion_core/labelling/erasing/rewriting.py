"""Rows leave Parquet files, file by file: each is replaced in one step, or goes when it is empty.

What proves that a video is there goes before its details (``storage.published``). A kill leaves
files that are done and files that are not: the same command goes on with these.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.labelling.people.table import FILE, PEOPLE
from emotion_core.labelling.tables import SEGMENTS, VIDEOS
from emotion_core.storage.parts import AT_ONCE, parts
from emotion_core.storage.published import CHANGED, MANIFEST_FILE

# Which rows of a table go, bool (rows,).
Gone = Callable[[pa.Table], pa.Array]
FOLDERS = (VIDEOS, SEGMENTS, f"{CHANGED}/{VIDEOS}", f"{CHANGED}/{SEGMENTS}")
FEATURES_FOLDERS = ("features", f"{CHANGED}/features")
_PERSON = "speaker"


def of_videos(uris: Sequence[str]) -> Gone:
    """The rows of these inputs."""
    wanted = pa.array(uris, pa.string())
    return lambda rows: pc.is_in(rows["uri"], value_set=wanted)


def of_videos_and_speakers(uris: Sequence[str], speakers: Sequence[str]) -> Gone:
    """The rows of these inputs, and those of which a corpus says that these people speak."""
    videos, names = of_videos(uris), pa.array(speakers, pa.string())
    return lambda rows: pc.or_(videos(rows), pc.is_in(rows[_PERSON], value_set=names))


def drop_from_labels(out: str, gone: Gone, check: storage.Check, dry_run: bool) -> dict[str, int]:
    """Drop rows from every table of some labels; how many of each table go.

    Args:
        out: URI of the labels, whose claim is held.
        gone: looks at the column ``uri`` only.
        check: the claim's.
        dry_run: count only.
    """
    files = [uri for folder in FOLDERS for uri in _files(out, folder, dry_run)]
    files += _singles(out)
    _tidy(out, PEOPLE, dry_run)
    return _drop(out, files, ("uri",), gone, check, dry_run)


def in_labels(out: str, uris: Sequence[str]) -> set[str]:
    """Which of these inputs have a row in some labels, in whichever table."""
    wanted = pa.array(uris, pa.string())
    files = [u for f in FOLDERS for u in parts(storage.join(out, f))] + _singles(out)

    def held(uri: str) -> list[str]:
        if not storage.exists(uri):
            return []
        rows = storage.read_parquet([uri], ["uri"])["uri"]
        return rows.filter(pc.is_in(rows, value_set=wanted)).to_pylist()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return set(chain.from_iterable(pool.map(held, files)))


def _singles(out: str) -> list[str]:
    return [storage.join(out, name) for name in (FILE, MANIFEST_FILE)]


def drop_from_features(out: str, gone: Gone, check: storage.Check, dry_run: bool) -> dict[str, int]:
    """Drop rows, crops and all, from features; as ``drop_from_labels``.

    Args:
        out: URI of the features.
        gone: looks at the columns ``uri`` and ``speaker``.
        check, dry_run: see there.
    """
    files = [uri for folder in FEATURES_FOLDERS for uri in _files(out, folder, dry_run)]
    files.append(storage.join(out, MANIFEST_FILE))
    return _drop(out, files, ("uri", _PERSON), gone, check, dry_run)


def _files(out: str, folder: str, dry_run: bool) -> list[str]:
    _tidy(out, folder, dry_run)
    return parts(storage.join(out, folder))


def _tidy(out: str, folder: str, dry_run: bool) -> None:
    """What a killed writer began holds rows, too."""
    if not dry_run:
        storage.remove_unfinished(storage.join(out, folder))


def _drop(
    out: str,
    files: Sequence[str],
    columns: Sequence[str],
    gone: Gone,
    check: storage.Check,
    dry_run: bool,
) -> dict[str, int]:
    def rows_gone(uri: str) -> int:
        if not storage.exists(uri):
            return 0
        return pc.sum(gone(storage.read_parquet([uri], list(columns)))).as_py() or 0

    with ThreadPoolExecutor(AT_ONCE) as pool:  # most files hold none of them
        found = dict(zip(files, pool.map(rows_gone, files), strict=True))
    counts: dict[str, int] = {}
    for uri, count in found.items():
        if not count:
            continue
        table = uri.removeprefix(out.rstrip("/") + "/").rpartition("/")[0] or "manifest"
        counts[table] = counts.get(table, 0) + count
        if not dry_run:
            check()
            rows = storage.read_parquet([uri])
            replace_file(uri, rows.filter(pc.invert(gone(rows))))
    return counts


def replace_file(uri: str, rows: pa.Table) -> None:
    """These rows in place of a file's, with its metadata; no file without any row."""
    if len(rows) or uri.endswith(f"/{MANIFEST_FILE}"):
        storage.write_parquet(uri, rows)
    else:
        storage.remove(uri)
