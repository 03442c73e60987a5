"""The two tables that ``label`` publishes, made up, and what somebody sees who reads them."""

from collections import Counter
from pathlib import Path

import pyarrow as pa

from emotion_core import storage
from emotion_core.clips.clip import Clip, manifest_table
from emotion_core.storage.parts import parts
from emotion_core.storage.published import Published

VIDEOS = pa.schema(
    [
        ("clip_id", pa.string()),
        ("uri", pa.string()),
        ("version", pa.string()),
        ("status", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("n_segments", pa.int32()),
    ],
    {"schema_version": "x"},
)
SEGMENTS = pa.schema([("clip_id", pa.string()), ("uri", pa.string()), ("start_s", pa.float64())])
EACH = 2  # segments of a video


def tables(out: str) -> Published:
    return Published(out, "videos", "segments", "n_segments", ("uri", "start_s"))


def manifest(**versions: str) -> pa.Table:
    """One clip a name; another version is another content."""
    return manifest_table([Clip(f"/a/{name}.mp4", 1, text) for name, text in versions.items()])


def rows_of(pending: pa.Table, failing: str = "") -> tuple[pa.Table, pa.Table]:
    """What a worker makes of these clips; those named in ``failing`` fail."""
    videos, segments = [], []
    for row in pending.to_pylist():
        failed = Path(row["uri"]).stem in failing.split()
        count = 0 if failed else EACH
        status, reasons = ("failed", ["unreadable"]) if failed else ("ok", [])
        known = {name: row[name] for name in ("clip_id", "uri", "version")}
        videos.append({**known, "status": status, "reasons": reasons, "n_segments": count})
        segments += [
            {"clip_id": row["clip_id"], "uri": row["uri"], "start_s": float(number)}
            for number in range(count)
        ]
    return pa.Table.from_pylist(videos, VIDEOS), pa.Table.from_pylist(segments, SEGMENTS)


def run(
    held: Published,
    wanted: pa.Table,
    *,
    batch: int = 2,
    failing: str = "",
    retry: bool = False,
    prune: bool = False,
) -> list[str]:
    """A job; the names of what it had to do."""
    names: list[str] = []

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        for start in range(0, len(pending), batch):
            some = pending.slice(start, batch)
            names.extend(Path(uri).stem for uri in some["uri"].to_pylist())
            held.write(*rows_of(some, failing), changed)

    assert held.fill(wanted, work, retry, prune) == len(names)
    return sorted(names)


def seen(out: str) -> tuple[Counter[str], Counter[str], dict[str, str]]:
    """What somebody sees who knows nothing but the two globs: rows by video, and its version."""
    videos: Counter[str] = Counter()
    segments: Counter[str] = Counter()
    versions: dict[str, str] = {}
    for uri in parts(f"{out}/videos"):
        for row in storage.read_parquet([uri]).to_pylist():
            videos[row["uri"]] += 1
            versions[Path(row["uri"]).stem] = row["version"]
    for uri in parts(f"{out}/segments"):
        segments.update(storage.read_parquet([uri], ["uri"])["uri"].to_pylist())
    return videos, segments, versions


def check_seen(out: str, failing: str = "") -> None:
    """Each published video's rows are there once."""
    videos, segments, _ = seen(out)
    assert set(videos.values()) <= {1}, videos
    for uri in videos:
        expected = {0, EACH} if Path(uri).stem in failing.split() else {EACH}
        assert segments[uri] in expected, (uri, segments)
    assert set(segments.values()) <= {EACH}, segments


def holds(out: str, **versions: str) -> None:
    check_seen(out)
    videos, segments, found = seen(out)
    assert found == versions
    assert sum(segments.values()) == EACH * len(videos)
