"""Files damaged in the ways that disks, networks and people damage them, the same on every run."""

from collections.abc import Callable, Iterator

import numpy as np

_HEADER = 512


def flipped_bits(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bits are the other way round, half of the time in the headers."""
    out = bytearray(data)
    reach = len(out) if rng.random() < 0.5 else min(len(out), _HEADER)
    for place in rng.integers(0, reach, rng.integers(1, 20)):
        out[place] ^= 1 << int(rng.integers(8))
    return bytes(out)


def random_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes are anything."""
    out = bytearray(data)
    for place in rng.integers(0, len(out), rng.integers(1, 30)):
        out[place] = int(rng.integers(256))
    return bytes(out)


def zeroed(data: bytes, rng: np.random.Generator) -> bytes:
    """A run of bytes is nothing, as in a sector that was never written."""
    start, end = _stretch(data, rng)
    return data[:start] + bytes(end - start) + data[end:]


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    """The end is missing."""
    return data[: int(rng.integers(1, len(data)))]


def duplicated(data: bytes, rng: np.random.Generator) -> bytes:
    """A stretch is there twice."""
    start, end = _stretch(data, rng)
    return data[:end] + data[start:]


def removed(data: bytes, rng: np.random.Generator) -> bytes:
    """A stretch is missing."""
    start, end = _stretch(data, rng)
    return data[:start] + data[end:] or data[:1]


def large_number(data: bytes, rng: np.random.Generator) -> bytes:
    """A number in the headers is as large, or as negative, as it can be."""
    place = int(rng.integers(0, min(len(data), 2 * _HEADER)))
    number = [b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"\x80\0\0\0"]
    value = number[int(rng.integers(len(number)))]
    return data[:place] + value + data[place + 4 :]


def _stretch(data: bytes, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(0, len(data)))
    length = int(2 ** rng.uniform(0, np.log2(len(data))))
    return start, min(start + length, len(data))


DAMAGES: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    flipped_bits, random_bytes, zeroed, truncated, duplicated, removed, large_number,
)  # fmt: skip


def mutants(files: dict[str, bytes], count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """``count`` damaged copies, the files in turn: ``mutant`` of 0, 1, 2, ..."""
    for number in range(count):
        yield mutant(files, number, seed)


def mutant(files: dict[str, bytes], number: int, seed: int = 0) -> tuple[str, bytes]:
    """One damaged copy, decided by ``seed`` and ``number`` alone.

    One in eight gets the head of another file, one in eight is damaged twice.

    Args:
        files: whole ones, by name.

    Returns:
        (name, content); the name says what was done: ``zeroed-17-h264.mp4``.
    """
    names = sorted(files)
    rng = np.random.default_rng([seed, number])
    name = names[number % len(names)]
    data = files[name]
    damage = DAMAGES[int(rng.integers(len(DAMAGES)))]
    kind = int(rng.integers(8))
    if kind == 0:
        other = names[int(rng.integers(len(names)))]
        place = int(rng.integers(1, min(_HEADER, len(data), len(files[other]))))
        made = files[other][:place] + data[place:]
        return f"head-of-{other.replace('.', '-')}-{number}-{name}", made
    made = damage(data, rng)
    if kind == 1:
        made = DAMAGES[int(rng.integers(len(DAMAGES)))](made, rng)
    return f"{damage.__name__}-{number}-{name}", made
