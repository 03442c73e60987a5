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
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import BinaryIO

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


@contextmanager
def shared_folder(name: str, make: Callable[[str], None]) -> Iterator[str]:
    """A folder below ``TMPDIR`` that this user's processes on this machine share.

    The first who asks for it makes it, others wait for that. What a maker leaves that fails or is
    killed is never used: a content gets its final name when it is whole. The last who leaves
    removes it, or the next process after a kill.

    Args:
        name: says what is in it; whoever gives the same name gets the same folder.
        make: fills the empty folder whose path it gets.

    Raises:
        StorageError: it cannot be written; what else ``make`` raises.
    """
    folder = os.path.join(tempfile.gettempdir(), f"{_PREFIX}{name}-{os.getuid()}")
    with _writing(folder):
        _refuse_another_root()
        _remove_abandoned(os.path.dirname(folder))
        lock = _hold(folder)
    with lock:
        try:
            with _writing(folder):
                content = _content(folder, make)
            yield content
        finally:
            with suppress(OSError):  # then the next process finds that nobody holds it
                _remove_unless_held(folder, lock)


@contextmanager
def _writing(folder: str) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        told = (error.strerror or str(error)).lower()
        raise StorageError(
            f"{folder}: cannot be written ({told}): free some room, or set TMPDIR to a folder on a "
            "larger disk"
        ) from error


def _refuse_another_root() -> None:
    """What is too large for one disk must not go to another one without a word."""
    wanted = os.environ.get("TMPDIR")
    if wanted and os.path.abspath(wanted) != tempfile.gettempdir():
        raise StorageError(f"TMPDIR={wanted}: no folder that can be written: set it to one")


def _hold(folder: str) -> BinaryIO:
    """The folder's lock, shared with whoever uses it too."""
    path = os.path.join(folder, _HELD)
    while True:
        with suppress(FileExistsError):
            os.mkdir(folder, mode=0o700)
        with suppress(FileNotFoundError):  # the last one who held it removes it just now
            if os.stat(folder).st_uid != os.getuid():
                raise PermissionError(f"{folder} is somebody else's")
            lock = open(path, "a+b")  # noqa: SIM115  # the caller closes it
            fcntl.flock(lock, fcntl.LOCK_SH)
            if _is_at(lock, path):
                return lock
            lock.close()


def _is_at(lock: BinaryIO, path: str) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(lock.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _content(folder: str, make: Callable[[str], None]) -> str:
    """What ``make`` made, in this process or in another one."""
    whole, unfinished = os.path.join(folder, "whole"), os.path.join(folder, "unfinished")
    with open(os.path.join(folder, "making"), "ab") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not os.path.exists(whole):
            shutil.rmtree(unfinished, ignore_errors=True)  # a killed maker's
            os.mkdir(unfinished)
            make(unfinished)
            os.rename(unfinished, whole)
    return whole


@lru_cache(maxsize=1)  # once a process is often enough
def _remove_abandoned(root: str) -> None:
    with os.scandir(root) as entries:
        ours = [entry for entry in entries if entry.name.startswith(_PREFIX)]
    for entry in ours:
        with suppress(OSError):  # another user's, or removed by another process meanwhile
            if entry.is_dir(follow_symlinks=False):
                _remove_if_abandoned(entry)


def _remove_if_abandoned(entry: os.DirEntry[str]) -> None:
    try:
        with open(os.path.join(entry.path, _HELD), "rb") as lock:
            _remove_unless_held(entry.path, lock)
    except FileNotFoundError:
        if time.time() - entry.stat(follow_symlinks=False).st_mtime > _MAKING_S:
            shutil.rmtree(entry.path)


def _remove_unless_held(folder: str, lock: BinaryIO) -> None:
    """Remove a folder that no other process holds, whose lock is open here."""
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(lock, os.path.join(folder, _HELD)):
            # under another name: who wants the folder from now on makes a new one
            aside = os.path.join(os.path.dirname(folder), f"{_PREFIX}{uuid.uuid4().hex}")
            os.rename(folder, aside)
            shutil.rmtree(aside)
