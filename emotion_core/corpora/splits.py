"""Who trains, who validates, who tests: the published protocols, as data.

A spec names a protocol and, where it has folds, the fold: ``elte``, ``luna5:0`` to ``luna5:4``,
``emobox6:0`` to ``emobox6:5``, ``savee4:0`` to ``savee4:3``, ``cremad5:0`` to ``cremad5:4``,
``loso:05`` or ``loso:ravdess/05``, ``random`` or ``random:tess``, ``fer2013``, ``fer2013:private``,
``everybody`` or ``everybody:savee``, whose clips all train; ``A+B`` joins protocols of different
corpora. ``:all`` stands for every fold (``expand``). ``explained`` says when to use which.

Validation clips always come from the training side: for protocols with fixed speakers as
``protocols`` says, for the others by a fixed rule:

* ``loso``: of the other speakers of that corpus in the given clips, the next fifth (at least one)
  after the test speaker in order and around;
* ``random``: a tenth of the training side, at random; speakers are on every side;
* ``fer2013``: a tenth of the published training set, at random.

"At random" means by a hash of the seed and of what the clip is called, so that neither the order of
rows nor the place of the files on disk changes it.
"""

import hashlib

import numpy as np
import pyarrow as pa

from emotion_core.corpora.explained import EXPLAINED
from emotion_core.corpora.protocols import PROTOCOLS, Sides, speakers_after, with_rest
from emotion_core.errors import UsageError
from emotion_core.storage import path_of

TRAIN, VALIDATION, TEST = SIDES = ("train", "validation", "test")

# What ``assign_split`` reads of the manifest's or the features' columns.
COLUMNS = ("clip_id", "uri", "member", "corpus", "speaker", "emotion", "statement", "subset")


KNOWN = f"{', '.join(each.spec for each in EXPLAINED)}, or A+B"


def assign_split(spec: str, clips: pa.Table, seed: int = 0) -> np.ndarray:
    """The side of each clip under a protocol.

    Args:
        spec: see the module's docstring; one fold, not ``:all``.
        clips: rows with at least ``COLUMNS``.
        seed: for the sides that are drawn at random; the published speakers do not depend on it.

    Returns:
        str (rows,): ``train``, ``validation``, ``test``, or ``""`` outside the protocol.

    Raises:
        UsageError: unknown protocol or fold, a side without any clip (``everybody`` has one side),
            or two joined protocols that speak of the same clips.
    """
    sides = np.full(clips.num_rows, "", dtype=f"<U{max(map(len, SIDES))}")
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*_columns(clips), strict=True)]
    for term in _terms(spec):
        assigned = _assign_one(term, rows, seed)
        for side in SIDES:
            if side not in assigned and not (_everybody(term) and side != TRAIN):
                raise UsageError(
                    f"--split {term}: no clip on the {side} side; the features hold {_held(rows)}"
                )
        for row, side in enumerate(assigned):
            if side and sides[row]:
                raise UsageError(
                    f"--split {spec}: two of its protocols speak of corpus "
                    f"'{rows[row]['corpus']}': join protocols of different corpora"
                )
            sides[row] = side or sides[row]
    return sides


def expand(spec: str, clips: pa.Table | None = None) -> list[str]:
    """The specs of single folds that ``spec`` stands for: ``luna5:all`` is five, ``elte`` itself.

    Args:
        spec: at most one term of an ``A+B`` may be ``:all``.
        clips: needed for ``loso:all`` (every speaker of every corpus) and ``loso:CORPUS/all``.

    Raises:
        UsageError: unknown protocol, two terms with ``:all``, or ``loso:all`` without clips.
    """
    folds = [_folds(term, clips) for term in _terms(spec)]
    if sum(len(each) > 1 for each in folds) > 1:
        raise UsageError(f"--split {spec}: only one term may be ':all'")
    many = max(folds, key=len)
    return ["+".join(fold if each is many else each[0] for each in folds) for fold in many]


def plain(spec: str) -> str:
    """A spec as its one folder, or its folds, are called: without spaces."""
    return "+".join(_terms(spec))


def is_speaker_independent(spec: str) -> bool:
    """False when a speaker may be on two sides: ``random``, and ``fer2013``, which names nobody."""
    return not any(term.split(":")[0] in ("random", "fer2013") for term in _terms(spec))


def is_published(spec: str) -> bool:
    """True when a part of it is a protocol with fixed speakers; all of these are of speech."""
    return any(term.partition(":")[0] in PROTOCOLS for term in _terms(spec))


Row = dict[str, str | None]


def _columns(clips: pa.Table) -> list[list[str | None]]:
    missing = [name for name in COLUMNS if name not in clips.column_names]
    if missing:
        raise UsageError(f"cannot split: no column {', '.join(missing)} in the features")
    return [clips.column(name).to_pylist() for name in COLUMNS]


def _terms(spec: str) -> list[str]:
    return [term.strip() for term in spec.split("+")]


def _assign_one(term: str, rows: list[Row], seed: int) -> list[str]:
    name, _, argument = term.partition(":")
    if name == "random":
        return _random(term, argument, rows, seed)
    if name == "fer2013":
        return _fer2013(term, argument, rows, seed)
    if _everybody(term):
        return [TRAIN if argument in ("", row["corpus"]) else "" for row in rows]
    sides = _loso(term, argument, rows) if name == "loso" else _fixed(term)
    side_of = {
        speaker: side
        for side, speakers in zip(SIDES, (sides.train, sides.validation, sides.test), strict=True)
        for speaker in speakers
    }
    return [
        side_of.get(str(row["speaker"]), "") if row["corpus"] == sides.corpus else ""
        for row in rows
    ]


def _everybody(term: str) -> bool:
    return term.partition(":")[0] == "everybody"


def _fixed(term: str) -> Sides:
    name, separator, fold = term.partition(":")
    if name not in PROTOCOLS:
        raise UsageError(f"no split '{term}': choose one of {KNOWN}")
    folds = PROTOCOLS[name]
    if len(folds) == 1 and not separator:
        return folds[0]
    if len(folds) == 1 or fold not in map(str, range(len(folds))):
        ways = name if len(folds) == 1 else f"{name}:0 to {name}:{len(folds) - 1}, or {name}:all"
        raise UsageError(f"no split '{term}': choose {ways}")
    return folds[int(fold)]


def _speakers(rows: list[Row]) -> dict[str, tuple[str, ...]]:
    """Corpora of ``rows`` in order, each with its speakers in order."""
    found: dict[str, set[str]] = {}
    for row in rows:
        if row["corpus"]:
            speakers = found.setdefault(row["corpus"], set())
            if row["speaker"]:
                speakers.add(row["speaker"])
    return {corpus: tuple(sorted(found[corpus])) for corpus in sorted(found)}


def _held(rows: list[Row]) -> str:
    speakers = _speakers(rows)
    return "; ".join(f"{c} ({', '.join(s) or 'no speakers'})" for c, s in speakers.items()) or (
        "no clip of any corpus"
    )


def _loso(term: str, argument: str, rows: list[Row]) -> Sides:
    wanted_corpus, _, wanted = argument.rpartition("/")
    found = [
        (corpus, speaker)
        for corpus, speakers in _speakers(rows).items()
        for speaker in speakers
        if wanted_corpus in ("", corpus) and speaker.lstrip("0") == wanted.lstrip("0")
    ]
    if not found:
        raise UsageError(f"--split {term}: no such speaker; the features hold {_held(rows)}")
    if len(found) > 1:
        ways = " or ".join(f"loso:{corpus}/{speaker}" for corpus, speaker in found)
        raise UsageError(f"--split {term}: several corpora have this speaker: write {ways}")
    corpus, test = found[0]
    speakers = _speakers(rows)[corpus]
    if len(speakers) < len(SIDES):
        raise UsageError(
            f"--split {term}: {corpus} has {len(speakers)} speakers, and each side needs its own"
        )
    validation = speakers_after(speakers, test, max(1, (len(speakers) - 1) // 5))
    return with_rest(corpus, speakers, validation, (test,))


def _random(term: str, corpus: str, rows: list[Row], seed: int) -> list[str]:
    held = [row["corpus"] or "" for row in rows]
    if corpus and corpus not in held:
        raise UsageError(f"--split {term}: no such corpus; the features hold {_held(rows)}")
    sides = [""] * len(rows)
    for each in [corpus] if corpus else sorted(set(held)):
        # corpus by corpus, so that each is divided 80 to 20
        order = _shuffled([i for i, name in enumerate(held) if name == each], rows, seed)
        test = round(len(order) * 0.2)
        validation = round((len(order) - test) * 0.1)
        for place, row in enumerate(order):
            drawn = place - test  # the test side first, then validation, the rest trains
            sides[row] = TEST if drawn < 0 else VALIDATION if drawn < validation else TRAIN
    return sides


def _fer2013(term: str, argument: str, rows: list[Row], seed: int) -> list[str]:
    if argument not in ("", "private"):
        raise UsageError(f"no split '{term}': choose fer2013 or fer2013:private")
    tested = "PrivateTest" if argument else "PublicTest"
    subsets = [row["subset"] if row["corpus"] == "fer2013" else None for row in rows]
    if tested not in subsets:
        raise UsageError(f"--split {term}: the features hold no FER2013 picture of its {tested}")
    sides = [TEST if subset == tested else "" for subset in subsets]
    order = _shuffled([i for i, subset in enumerate(subsets) if subset == "train"], rows, seed)
    for place, row in enumerate(order):
        sides[row] = VALIDATION if place < round(len(order) * 0.1) else TRAIN
    return sides


def _shuffled(indices: list[int], rows: list[Row], seed: int) -> list[int]:
    return sorted(indices, key=lambda index: _draw(rows[index], seed))


def _draw(row: Row, seed: int) -> tuple[bytes, str]:
    # Not the clip_id alone: it holds the file's place and time, so that a second copy of a corpus
    # would be split in another way. It only parts clips of one name.
    name = path_of(row["uri"] or "").rsplit("/", 1)[-1]
    told = (row["corpus"], row["speaker"], row["emotion"], row["statement"], name, row["member"])
    text = "\n".join([str(seed), *(value or "" for value in told)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return digest, row["clip_id"] or ""


def _folds(term: str, clips: pa.Table | None) -> list[str]:
    name, _, argument = term.partition(":")
    if name == "loso" and argument.rpartition("/")[2] == "all":
        if clips is None:
            raise UsageError(f"--split {term}: needs the features to know their speakers")
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*_columns(clips), strict=True)]
        corpus = argument.rpartition("/")[0]
        found = {c: s for c, s in _speakers(rows).items() if s and corpus in ("", c)}
        if not found:
            raise UsageError(f"--split {term}: no such speakers; the features hold {_held(rows)}")
        return [f"loso:{each}/{speaker}" for each in found for speaker in found[each]]
    if argument == "all" and len(PROTOCOLS.get(name, ())) > 1:
        return [f"{name}:{fold}" for fold in range(len(PROTOCOLS[name]))]
    if name not in ("loso", "random", "fer2013", "everybody"):
        _fixed(term)
    return [term]
