"""Damaged models of every kind: one line that names them, or a model that works.

A trial is some damaged copies of one kind of model, each loaded as ``label`` loads it and shown a
clip. They run in a child, for a native library that takes its process down would end the campaign.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from pebble import ProcessExpired, ProcessPool

from chaos.counted import Count
from chaos.trials import Faults, Run, Trial
from emotion_core.media.isolated import IsolatedDecoder
from emotion_core.models.shipped import bundle_uri
from tests.support.containers import write
from tests.support.encoders import spec_of, write_whisper
from tests.support.foreign import (
    colour_network,
    face_classifier,
    loudness_network,
    voice_classifier,
)
from tests.support.labelling import untrained
from tests.support.mutations import DAMAGES
from tests.support.small_recipes import small

COPIES = 10
_LONG_S = 300.0
_LABELS = ["neutral", "happy", "angry", "sad"]
_LINE = "damaged models"


def _encoded(folder: Path) -> str:
    """A bundle whose features are an encoder's, which lies beside it."""
    from dataclasses import replace

    from emotion_core.sound.pretrained import resolve

    encoder = write_whisper(folder / "encoder")
    audio = resolve(spec_of(encoder))
    untrained(folder / "bundle", ("audio",), replace(small("voice-encoder"), audio=audio))
    return str(folder / "bundle")


# kind -> makes a model in a folder, and says what ``--model`` is told
KINDS: Mapping[str, Callable[[Path], str]] = {
    "bundle": lambda folder: str(untrained(folder / "bundle", recipe=small("timedist-blstm"))),
    "shipped-voice": lambda folder: _copied("voice", folder),
    "shipped-face": lambda folder: _copied("face", folder),
    "encoder": _encoded,
    "onnx-face": lambda folder: f"onnx:{colour_network(folder, _LABELS)}",
    "onnx-voice": lambda folder: f"onnx:{loudness_network(folder, _LABELS)}",
    "hf-voice": lambda folder: f"hf:{voice_classifier(folder / 'hf', _LABELS)}",
    "hf-face": lambda folder: f"hf:{face_classifier(folder / 'hf', _LABELS)}",
}


def _copied(name: str, folder: Path) -> str:
    return str(shutil.copytree(bundle_uri(name), folder / name))


def names(count: int, seed: int) -> Sequence[str]:
    """``1:onnx-face:10-20`` is ten copies of it; ``count`` copies are shared by the kinds."""
    each = -(-count // len(KINDS))
    spans = [(start, min(start + COPIES, each)) for start in range(0, each, COPIES)]
    return [f"{seed}:{kind}:{start}-{stop}" for start, stop in spans for kind in KINDS]


@contextmanager
def ready(folder: Path) -> Iterator[Run]:
    """A model of each kind, whole, and a clip."""
    whole: dict[str, Path] = {}
    told: dict[str, str] = {}
    clip = write("h264.mp4", folder, 25)

    def made(kind: str) -> str:
        if kind not in told:
            whole[kind] = folder / f"whole-{kind}"
            whole[kind].mkdir()
            told[kind] = KINDS[kind](whole[kind])
            assert fate(told[kind], clip) == "works", "a whole model works"
        return told[kind]

    def run(name: str) -> Trial:
        seed, kind, span = name.split(":")
        start, stop = map(int, span.split("-"))
        count, model = Count(), made(kind)
        with _child() as call:
            for number in range(start, stop):
                rng = np.random.default_rng([int(seed), list(KINDS).index(kind), number])
                place = folder / "damaged"
                shutil.rmtree(place, ignore_errors=True)
                shutil.copytree(whole[kind], place)
                what = damage(place, rng)
                found = call(partial(fate, model.replace(str(whole[kind]), str(place)), clip))
                count.rows += 1
                count.expect(found in ("works", "one line"), f"{kind} {number}, {what}: {found}")
        return count.trial("models", name, _LINE, stop - start, {kind: stop - start})

    yield run


def damage(folder: Path, rng: np.random.Generator) -> str:
    """One file of these is damaged; says how."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = files[int(rng.integers(len(files)))]
    change = DAMAGES[int(rng.integers(len(DAMAGES)))]
    path.write_bytes(change(path.read_bytes(), rng))
    return f"{change.__name__} of {path.name}"


def fate(model: str, clip: Path) -> str:
    """``works``, ``one line``, or what else became of a model that ``label`` is given."""
    from emotion_core.errors import UsageError
    from emotion_core.labelling.job import Labelling
    from emotion_core.labelling.step import LabelOptions
    from tests.support.labelling import work_on

    try:
        how = Labelling((model,), LabelOptions(any_sound=True))
        how.check()
        step = how.step()
        step.decoder = _decoder()
        (done,) = step([work_on(clip)])
    except UsageError as error:
        return "one line" if "\n" not in str(error) else f"several lines: {error}"
    except BaseException as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return f"row: {done.outcome.error}" if "error" in done.outcome.reasons else "works"


@cache
def _decoder() -> IsolatedDecoder:
    """One for all models of a process: its child takes longer to start than a model to load."""
    return IsolatedDecoder(120)


def _end() -> str:
    """A process with a decoder does not end by itself."""
    _decoder().close()
    return ""


@contextmanager
def _child() -> Iterator[Callable[[Callable[[], str]], str]]:
    with ProcessPool(1, context=get_context("spawn")) as pool:

        def call(function: Callable[[], str]) -> str:
            try:
                return pool.schedule(function, timeout=_LONG_S).result()
            except ProcessExpired:
                return "its process died"
            except TimeoutError:
                return "it hangs"

        try:
            yield call
        finally:
            call(_end)


HAPPENS = "one line that ends the job before it begins, or a model that answers"
MODELS = Faults(HAPPENS, 400, names, ready)
