"""Decoding in a child process that may hang, crash or be killed without taking anybody along.

Decoders are C libraries fed with files of unknown origin: some never come back, some take their
process with them, decord leaks. A worker that decodes in its own process is lost with the file.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import multiprocessing
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TaskTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from pebble import ProcessExpired, ProcessPool

from emotion_core.errors import ClipError, UsageError
from emotion_core.media import decode as decoding
from emotion_core.media import stream as streaming
from emotion_core.media.limits import MOST_BYTES, MOST_WRITTEN
from emotion_core.media.spawning import BareContext
from emotion_core.media.types import DecodePlan, Media

Result = TypeVar("Result")

# The longest that a child may take to start: beyond it something else than a file is wrong.
_START_S = 120.0
# Bytes that go through the pipe at once.
_LARGE = 16 << 20


class IsolatedDecoder:
    """``decode`` and ``stream`` in a child process: same results, and no file can do harm.

    The child is started with the first file. After a time-out or a crash it is replaced, and the
    next file works as if nothing had been. It is started afresh (``spawn``), so that threads of
    this process (Ray's, for example) do no harm, and it ends when this process does, however that
    ends. Not to be shared between threads.

    Args:
        timeout_s: the longest that one call may take in the child: ``decode`` of a file, or one
            chunk of a ``stream``. Starting the child and the consumer's own time do not count.
        recycle_after: files after which the child is replaced, because decord leaks.
    """

    def __init__(self, timeout_s: float, recycle_after: int = 500):
        self.timeout_s = timeout_s
        self.recycle_after = recycle_after
        self._pool: ProcessPool | None = None
        self._files = 0  # that the present child has been given
        self._streams = 0  # open in the present child
        self._tokens = itertools.count()

    def __enter__(self) -> IsolatedDecoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child. Another file starts a new one."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            pool.join()

    def decode(self, path: str, plan: DecodePlan) -> Media:
        """``media.decode.decode`` in the child.

        Raises:
            ClipError: what ``decode`` raises; ``timeout: ...``; ``crash: ...`` with the signal that
                ended the child; ``error: ...`` for any other exception in it.
        """
        self._count_file()
        token = next(self._tokens)
        media, large = self._call(_decode, token, path, plan)
        if not large:
            return media
        # in pieces: as one message it would be in memory four times
        whole = {"frames": media.frames, "audio": media.audio}
        for name, (shape, kind) in large.items():
            whole[name] = self._fetch(token, name, np.empty(shape, kind))
        self._call(_forget, token, retry=False)
        return replace(media, frames=whole["frames"], audio=whole["audio"])

    def _fetch(self, token: int, name: str, into: np.ndarray) -> np.ndarray:
        rows = max(1, _LARGE // max(1, into[:1].nbytes))
        for start in range(0, len(into), rows):
            piece = self._call(_piece, token, name, start, start + rows, retry=False)
            into[start : start + rows] = piece
        return into

    def stream(self, path: str, plan: DecodePlan, chunk_s: float) -> Iterator[Media]:
        """``media.stream.stream`` in the child, which holds the file open between the chunks.

        Raises:
            ClipError: as ``decode``; also when the child had to be replaced, by another call on
                this decoder, while the file was open.
        """
        self._count_file()
        token = next(self._tokens)
        self._call(_open_stream, token, path, plan, chunk_s)
        pool = self._pool
        self._streams += 1
        try:
            while True:
                if pool is not self._pool:
                    raise ClipError("decode", "crash: the child that read this file is gone")
                chunk = self._call(_next_chunk, token, retry=False)
                if chunk is None:
                    return
                yield chunk
        finally:
            if pool is self._pool and pool is not None:  # else they went with the child
                self._streams -= 1
                with contextlib.suppress(ClipError):  # a child that is gone holds nothing open
                    self._call(_close_stream, token, retry=False)

    def _count_file(self) -> None:
        if self._files >= self.recycle_after and self._streams == 0:
            self.close()
        self._files += 1

    def _call(self, function: Callable[..., Result], *args: Any, retry: bool = True) -> Result:
        """``function(*args)`` in the child, within the time limit.

        A child that was found dead between two calls says nothing about this file: with ``retry``
        the call is made again in a new one.
        """
        pool = self._running_pool()
        try:
            future = pool.schedule(function, args=args, timeout=self.timeout_s)
            return future.result(self.timeout_s + _START_S)
        except (ClipError, UsageError):
            raise
        except TaskTimeout:
            self._abandon()
            message = f"timeout: decoding took longer than {self.timeout_s:g} s"
            raise ClipError("decode", message) from None
        except ProcessExpired as error:
            self._abandon()
            message = f"crash: the decoder's process died ({_cause(error.exitcode)})"
            raise ClipError("decode", message) from None
        except (BrokenProcessPool, RuntimeError, OSError) as error:  # pebble's, not the child's
            self._abandon()
            if retry:
                return self._call(function, *args, retry=False)
            message = f"crash: the decoder's process is gone ({error})"
            raise ClipError("decode", message) from error

    def _running_pool(self) -> ProcessPool:
        if self._pool is None:
            self._files, self._streams = 1, 0
            self._pool = ProcessPool(
                max_workers=1,
                initializer=prepare_child,
                context=BareContext(),
            )
        return self._pool

    def _abandon(self) -> None:
        """Drop a pool whose child has died or hangs, and its pipes with it.

        A child that dies in the middle of a message leaves the pipe and its lock in a state that
        nobody can use, and waiting for the pool's threads might then never end.
        """
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()
            threading.Thread(target=pool.join, daemon=True).start()


def _cause(exitcode: int) -> str:
    if exitcode >= 0:
        return f"exit status {exitcode}"
    try:
        return f"signal {-exitcode}, {signal.Signals(-exitcode).name}"
    except ValueError:
        return f"signal {-exitcode}"


# --- in the child ---

# Files held open between calls. With the arrays below the one piece of state at module level: it
# lives in the child only, where a call can find nothing but what its module holds.
_open_streams: dict[int, Iterator[Media]] = {}


def prepare_child() -> None:
    """A process that decodes what strangers made: bounded, easily ended, gone with its parent."""
    # pebble installs a handler in Python, which a decoder that hangs in C would never run
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit(resource.RLIMIT_AS, MOST_BYTES)
    _limit(resource.RLIMIT_FSIZE, MOST_WRITTEN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _limit(what: int, most: int) -> None:
    """A limit of this process: a lower one that somebody set for the machine stays."""
    _, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _end_with_parent() -> None:
    """End this process when its parent has, also while a decoder is at work or hangs."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


# Arrays of a decoded file that are waiting to be fetched: there as here.
_large_arrays: dict[int, dict[str, np.ndarray]] = {}


def _decode(token: int, path: str, plan: DecodePlan) -> tuple[Media, dict[str, tuple]]:
    """The file, and shape and type of those arrays that are too large to come along."""
    _large_arrays.clear()  # of a file that nobody came back for
    media = _guarded(lambda: decoding.decode(path, plan))
    arrays = {"frames": media.frames, "audio": media.audio}
    large = {name: array for name, array in arrays.items() if array.nbytes > _LARGE}
    if large:
        _large_arrays[token] = large
    few = {name: array[:0] if name in large else array for name, array in arrays.items()}
    told = {name: (array.shape, array.dtype) for name, array in large.items()}
    return replace(media, frames=few["frames"], audio=few["audio"]), told


def _piece(token: int, name: str, start: int, stop: int) -> np.ndarray:
    return _large_arrays[token][name][start:stop]


def _forget(token: int) -> None:
    _large_arrays.pop(token, None)


def _open_stream(token: int, path: str, plan: DecodePlan, chunk_s: float) -> None:
    _open_streams[token] = streaming.stream(path, plan, chunk_s)


def _next_chunk(token: int) -> Media | None:
    return _guarded(lambda: next(_open_streams[token], None))


def _close_stream(token: int) -> None:
    _open_streams.pop(token, None)


def _guarded(function: Callable[[], Result]) -> Result:
    """Only ``ClipError`` leaves the child: what else its parent sees is about the child itself."""
    try:
        return function()
    except (ClipError, UsageError):
        raise
    except MemoryError:
        text = f"unreadable: decoding it takes more than {MOST_BYTES >> 30} GB"
        raise ClipError("decode", text) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            text = f"unreadable: decoding it writes more than {MOST_WRITTEN >> 20} MB"
            raise ClipError("decode", text) from None
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ClipError("decode", f"error: {text}") from error
