"""Videos to emotions: what ``jobs/label.py`` runs on Ray Data."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from emotion_core import storage
from emotion_core.engine.cluster import connect
from emotion_core.engine.patience import Patience
from emotion_core.engine.reach import Reach
from emotion_core.engine.run import Part, ShowProgress, Writer, follow, run_groups
from emotion_core.labelling.how import Labelling
from emotion_core.labelling.members import model_bytes
from emotion_core.labelling.placing import placed

# A part holds about this much of an archive, and so many videos at most: what a kill may cost. Of
# a collection that would be more parts than these it holds more videos, as far as bytes allow.
_BYTES_PER_PART = 1 << 30
_MOST_VIDEOS_PER_PART = 64
_ENOUGH_PARTS = 8_000
# One call of a worker handles about this much.
_BYTES_PER_CALL = 32 << 20
_MOST_VIDEOS_PER_CALL = 16


def label(
    manifest: pa.Table,
    how: Labelling,
    out: str,
    show: ShowProgress,
    retry_failed: bool = False,
    prune: bool = False,
    check: storage.Check = storage.unclaimed,
    patience: Patience = Patience(),  # noqa: B008 - frozen
) -> tuple[pa.Table, int]:
    """Label every video of the manifest: exactly one row each in ``videos/``.

    Videos that have their row already are left alone; those that changed are done again.

    Args:
        manifest: schema ``MANIFEST``.
        how: see there.
        out: URI of a folder that ``storage.hold_output`` holds.
        show: gives the progress bar.
        retry_failed: videos that failed, or were left unfinished, are done again.
        prune: rows of videos that are not in the manifest are dropped.
        check: the claim's.
        patience: how long it may go on without an input that is finished.

    Returns:
        ``videos/`` as a table, and how many videos had to be done.

    Raises:
        UsageError: what the folder holds cannot be read, or is more than the manifest names.
        StorageError: it cannot be written, or it or the inputs no longer be read, another job
            writes there now, or no input was finished for too long.
    """
    tables = how.tables(out)

    def work(pending: pa.Table, changed: frozenset[str]) -> None:
        write = partial(tables.write, changed=changed)
        parts = _parts(pending, how, write, connect(), patience)
        follow(parts, len(pending), show, check)
        check()

    done = tables.published.fill(manifest, work, retry_failed, prune)
    with storage.reading_back():
        videos = tables.videos()
    assert videos is not None
    return videos, done


def _parts(
    pending: pa.Table, how: Labelling, write: Writer, reach: Reach, patience: Patience
) -> Iterator[Part]:
    mean = max(1, (pc.sum(pending["size"]).as_py() or 0) // len(pending))
    most = max(_MOST_VIDEOS_PER_PART, len(pending) // _ENOUGH_PARTS)
    per_part = min(most, _BYTES_PER_PART // mean, len(pending) // 8)
    per_call = min(_MOST_VIDEOS_PER_CALL, _BYTES_PER_CALL // mean)
    held = model_bytes(how.together.models), how.identify.memory_bytes() if how.identify else 0
    # without the models, which are loaded where they are needed
    same = replace(how, model_id=how.together.model_id)
    with placed(same, reach, len(pending), *held) as group:
        yield from run_groups(pending, [group], write, max(1, per_part), max(1, per_call), patience)
