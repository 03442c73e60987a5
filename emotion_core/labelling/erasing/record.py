"""``erased.json``: which inputs of some labels were erased, and must not come back by themselves.

It holds a hash of each URI, no name. Whoever knows a URI can find out that it was erased; nobody
can read out of it what was. It outlives ``--overwrite``; who wants the videos back removes it.
"""

import hashlib
from collections.abc import Iterable

from emotion_core import storage
from emotion_core.storage.outputs import KEPT

(ERASED,) = KEPT


def mark_of(uri: str) -> str:
    """What stands in the list for an input, 32 hex digits: whatever becomes of its content."""
    return hashlib.sha256(uri.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def erased(out: str) -> frozenset[str]:
    """The marks of what was erased from the labels at ``out``."""
    place = storage.join(out, ERASED)
    return frozenset(storage.read_json(place)["erased"] if storage.exists(place) else ())


def add_erased(out: str, uris: Iterable[str]) -> None:
    """Put inputs on the list, in one step."""
    marks = sorted(erased(out) | {mark_of(uri) for uri in uris})
    storage.write_json(storage.join(out, ERASED), {"erased": marks})
