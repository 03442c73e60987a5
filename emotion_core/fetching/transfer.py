"""One file from where it is published to where it shall be: resumed, checked, then named."""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emotion_core import storage
from emotion_core.errors import StorageError, UsageError
from emotion_core.fetching.listings import Wanted, is_web, stored_size
from emotion_core.fetching.partial import Partial, partial_of
from emotion_core.fetching.plan import human
from emotion_core.fetching.web import Cut, Patience, Stream, read_from
from emotion_core.storage.uris import explain

_CHUNK = 1 << 20
ALWAYS = "sha256"  # written down for every file, whatever its publisher states


@dataclass(frozen=True)
class Fetched:
    """A file that is there now.

    Attributes:
        name: relative to ``--out``.
        size: bytes.
        sha256: of all of them; None of a file that was there already.
        checked: its checksum is the published one.
        new: it was not there before.
    """

    name: str
    size: int
    sha256: str | None
    checked: bool
    new: bool


class _Sums:
    """Checksums of the bytes so far."""

    def __init__(self, wanted: Wanted):
        names = {ALWAYS} | ({wanted.checksum.algorithm} if wanted.checksum else set())
        self._sums = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        self.size += len(chunk)
        for each in self._sums.values():
            each.update(chunk)

    def value(self, algorithm: str) -> str:
        return self._sums[algorithm].hexdigest()


def fetch_file(
    wanted: Wanted,
    out: str,
    advance: Callable[[int], None],
    patience: Patience | None = None,
    check: storage.Check = storage.unclaimed,
) -> Fetched:
    """Bring one file to ``out``; what an interrupted call left is gone on with.

    Args:
        wanted: the file.
        out: URI of the folder.
        advance: told how many more bytes are there, those of an earlier call included; a negative
            number where bytes turned out to be worth nothing.
        patience: how cut connections are tried again.
        check: called before anything is written for good.

    Raises:
        UsageError: it is not there, access is refused, or it is not what was published.
        StorageError: it does not come, or cannot be written.
    """
    target = storage.join(out, wanted.name)
    if (size := _there(target, wanted)) is not None:
        advance(size)
        if (left := partial_of(target)).origin():  # killed between giving it its name and this
            check()
            left.forget()
        return Fetched(wanted.name, size, None, False, new=False)
    bringing = _Bringing(wanted, partial_of(target), advance, patience or Patience())
    try:
        fault = bringing.all()
        if fault and bringing.resumed:  # which half is wrong nobody knows: once more, as a whole
            bringing.start_over("")
            fault = bringing.all()
        if fault:
            bringing.partial.forget()
            raise UsageError(
                f"{wanted.place}: {fault}: not what was published, nothing of it is kept"
            )
        check()
        bringing.partial.finish()
    finally:
        bringing.partial.close()
    sums = bringing.sums
    return Fetched(wanted.name, sums.size, sums.value(ALWAYS), bool(wanted.checksum), new=True)


def _there(target: str, wanted: Wanted) -> int | None:
    """Bytes of the file at ``target`` if it is the wanted one: only whole files have that name."""
    if not storage.exists(target):
        return None
    size = stored_size(target)
    return size if wanted.size in (None, size) else None


class _Bringing:
    """The bytes of one file on their way into ``partial``, from one connection after the other.

    Attributes:
        sums: checksums of the bytes that are there.
        resumed: some of them are from an earlier connection.
    """

    def __init__(
        self,
        wanted: Wanted,
        partial: Partial,
        advance: Callable[[int], None],
        patience: Patience,
    ):
        self.partial = partial
        self.sums = _Sums(wanted)
        self.resumed = False
        self._wanted = wanted
        self._advance = advance
        self._patience = patience
        self._version = ""
        self._take_up()

    def all(self) -> str:
        """Everything that is missing; what is wrong with the file then, empty when nothing is."""
        attempt = 0
        while True:
            before = self.sums.size
            try:
                self._connect()
                return self._fault()
            except Cut as cut:
                attempt = 1 if self.sums.size > before else attempt + 1
                if attempt >= self._patience.tries:
                    raise StorageError(
                        f"{self._wanted.place}: {cut}, {attempt} times in a row"
                    ) from cut
                self._patience.pause(attempt - 1, cut)

    def start_over(self, version: str) -> None:
        """Forget what is there; what comes now is of this version of the file."""
        self._advance(-self.sums.size)
        self.sums, self.resumed, self._version = _Sums(self._wanted), False, version
        self.partial.begin({**self._identity(), "version": version})

    def _take_up(self) -> None:
        """What an earlier call left, where it is of the same file."""
        origin = self.partial.origin()
        self._version = str(origin.pop("version", ""))
        # without a checksum only the server can say that its file is still the same
        if origin == self._identity() and (self._wanted.checksum or self._version):
            self.partial.resume(self.sums.feed)
            self._advance(self.sums.size)

    def _identity(self) -> dict[str, Any]:
        if self._wanted.checksum:
            return {"checksum": self._wanted.checksum.value}
        return {"place": self._wanted.place}

    def _connect(self) -> None:
        offset = self.sums.size
        with _open(self._wanted.place, offset, self._version) as stream:
            if offset and stream.start == offset:
                self.resumed = True
            else:
                self.start_over(stream.version)
            for chunk in stream.chunks:
                self.partial.add(chunk)
                self.sums.feed(chunk)
                self._advance(len(chunk))
            if stream.total is not None and self.sums.size < stream.total:
                raise Cut(f"{self.sums.size:,} bytes came of {stream.total:,}")

    def _fault(self) -> str:
        wanted, size = self._wanted, self.sums.size
        if wanted.size is not None and size != wanted.size:
            return f"{size:,} bytes came instead of {wanted.size:,}"
        if wanted.checksum:
            found = self.sums.value(wanted.checksum.algorithm)
            if found != wanted.checksum.value:
                name = wanted.checksum.algorithm.upper()
                return f"its {name} is {found}, published is {wanted.checksum.value}"
        return ""


@contextmanager
def _open(place: str, offset: int, version: str) -> Iterator[Stream]:
    if is_web(place):
        with read_from(place, offset, version) as stream:
            yield stream
        return
    try:
        with storage.open_read(place) as file:
            file.seek(offset)
            yield Stream(offset, None, "", iter(lambda: file.read(_CHUNK), b""))
    except (StorageError, UsageError):
        raise
    except Exception as error:  # every filesystem has its own
        raise UsageError(explain(place, error)) from error


def refuse_without_room(files: Sequence[Wanted], out: str) -> None:
    """Before anything is fetched: a local disk that cannot take it is said in one line.

    Raises:
        StorageError: there is less room than the files need that are not there yet.
    """
    if not storage.is_local(out):
        return
    missing = [f for f in files if _there(storage.join(out, f.name), f) is None]
    needed = sum(file.size or 0 for file in missing)
    _, folder = storage.filesystem(out)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StorageError(
            f"{out}: {human(needed)} to fetch, {human(free)} free: choose another disk"
        )
