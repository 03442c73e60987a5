"""Processes started afresh that do not run their parent's main module again."""

import threading
from multiprocessing import spawn
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

# What a process is told is decided in a function of the standard library, which is swapped.
_STARTING = threading.Lock()


class BareProcess(SpawnProcess):
    """A spawned process that knows nothing of ``__main__``, so what it calls must not lie there.

    In a worker ``__main__`` is Ray's own: a second of imports for each child.
    """

    @staticmethod
    def _Popen(process_obj: Any) -> Any:
        with _STARTING:
            told = spawn.get_preparation_data
            spawn.get_preparation_data = lambda name: {
                key: value for key, value in told(name).items() if not key.startswith("init_main")
            }
            try:
                return SpawnProcess._Popen(process_obj)
            finally:
                spawn.get_preparation_data = told


class BareContext(SpawnContext):
    """``spawn`` with such processes."""

    Process = BareProcess
