"""Temporary folders that do not outlive a process that was killed.

``tempfile`` removes a folder when its block ends; SIGKILL ends no block, and a worker that decodes
from a bucket has gigabytes there. So each folder holds a locked file: the kernel lets go of the
lock with the process, however that ends, and whoever comes next removes folders that nobody holds.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

from emotion_core.errors import StorageError

_PREFIX = "emotion-core-"
_HELD = "held"
# A folder without its lock is being made just now, or its maker died in between.
_MAKING_S = 3600.0


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder below ``TMPDIR``, removed on the way out, or by the next process after a kill.

    Raises:
        StorageError: it cannot be made.
    """
    try:
        root = tempfile.gettempdir()
        _remove_abandoned(root)
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=root)
    except OSError as error:
        raise StorageError(f"no folder for copies of inputs can be made: {error}") from error
    with made as folder, open(os.path.join(folder, ".new"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(lock.name, os.path.join(folder, _HELD))  # now others may try the lock
        yield folder


@lru_cache(maxsize=1)  # once a process is often enough
def _remove_abandoned(root: str) -> None:
    with os.scandir(root) as entries:
        ours = [entry for entry in entries if entry.name.startswith(_PREFIX)]
    for entry in ours:
        with suppress(OSError):  # another user's, or removed by another process meanwhile
            if entry.is_dir(follow_symlinks=False) and _abandoned(entry):
                shutil.rmtree(entry.path)


def _abandoned(entry: os.DirEntry[str]) -> bool:
    try:
        with open(os.path.join(entry.path, _HELD), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except BlockingIOError:
        return False
    except FileNotFoundError:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _MAKING_S
