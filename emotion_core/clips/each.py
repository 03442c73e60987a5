"""Running a step over clips so that one clip's trouble stays that clip's."""

import logging
import time
from collections.abc import Callable, Iterable

from emotion_core.clips.work import ClipWork
from emotion_core.errors import ClipError, StorageError

_log = logging.getLogger(__name__)


def each(
    works: Iterable[ClipWork], stage: str, step: Callable[[ClipWork], ClipWork]
) -> list[ClipWork]:
    """``step`` applied to every clip that has not failed, in order, with the time it took added.

    An exception becomes a failed row: a ``ClipError`` as it is, anything else also into the log
    with its traceback, because it is a fault of ours or of a library.

    Raises:
        StorageError: no clip can be fetched any more.
    """
    done = []
    for work in works:
        if work.failed:
            done.append(work)
            continue
        start = time.perf_counter()
        try:
            after = step(work)
        except ClipError as error:
            after = work.with_(outcome=work.outcome.fail_with(error, stage), media=None)
        except StorageError:
            raise
        except Exception as error:
            _log.warning("%s: %s failed", work.clip["uri"], stage, exc_info=True)
            after = work.with_(outcome=work.outcome.fail_with(error, stage), media=None)
        done.append(after.with_(seconds=work.seconds + time.perf_counter() - start))
    return done
