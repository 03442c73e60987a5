"""Processes started afresh that do not run their parent's main module again."""

import threading
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

# Set while this thread starts such a process: others may start ordinary ones at the same time.
_bare = threading.local()


def _told(name: str) -> dict[str, Any]:
    """What a new process is told, which a function of the standard library decides."""
    told = _preparation_data(name)
    if not getattr(_bare, "now", False):
        return told
    return {key: value for key, value in told.items() if not key.startswith("init_main")}


_preparation_data = spawn.get_preparation_data
spawn.get_preparation_data = _told


class BareProcess(SpawnProcess):
    """A spawned process that knows nothing of ``__main__``, so what it calls must not lie there.

    In a worker ``__main__`` is Ray's own: a second of imports for each child.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        _bare.now = True
        try:
            return SpawnProcess._Popen(process_obj)
        finally:
            _bare.now = False


class BareContext(SpawnContext):
    """``spawn`` with such processes."""

    Process = BareProcess
