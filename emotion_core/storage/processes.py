"""Which process something is, so that another one on the same machine can see whether it lives.

Process ids are used again, and mean something only within one start of one machine and one
namespace of processes (a container has its own). Linux tells all of that in ``/proc``; elsewhere
nobody is declared dead.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_STATE, _START = 0, 19  # fields of /proc/PID/stat, counted behind the program's name
_HIDDEN = -1  # of another user, on a machine that shows nobody else's processes
_ENDED = ("Z", "X")  # killed, and at most waiting for its parent to ask how it ended


@dataclass(frozen=True)
class Process:
    """One process.

    Attributes:
        host: name of its machine, for people.
        machine: this start of the machine, and the namespace of processes; None where it cannot be
            told.
        pid: process id.
        born: when it started, in ticks since the machine did; None where it cannot be told.
    """

    host: str
    machine: str | None
    pid: int
    born: int | None

    def is_dead(self) -> bool:
        """True only if this process is of this machine and certainly lives no more."""
        if self.machine is None or self.born is None or self.machine != _machine():
            return False
        return _born(self.pid) not in (self.born, _HIDDEN)


def this_process() -> Process:
    """The process that asks."""
    pid = os.getpid()
    return Process(socket.gethostname(), _machine(), pid, _born(pid))


def _machine() -> str | None:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:  # of another user
        return False
    return False


def _born(pid: int) -> int | None:
    """When the process started, ``_HIDDEN`` when that is not told, None when it lives no more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None if _ended(pid) else _HIDDEN
    fields = stat.rpartition(")")[2].split()  # the name before may hold spaces and parentheses
    return None if fields[_STATE] in _ENDED else int(fields[_START])
