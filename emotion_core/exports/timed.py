"""One file for each video: subtitles (pysubs2), tiers for ELAN (pympi) and Praat (praatio)."""

import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotion_core.errors import UsageError
from emotion_core.exports.labelled import LabelledVideo, Stretch
from emotion_core.media.suffixes import kind_of

_TYPES = {"video": "video/mp4", "audio": "audio/x-wav", "image": "image/jpeg"}


def joined(lane: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours that say the same as one stretch, as sure as they are over its seconds."""
    found: list[Stretch] = []
    for each in lane:
        last = found[-1] if found else None
        if (
            last is None
            or (last.emotion, last.unsure) != (each.emotion, each.unsure)
            or each.start_s - last.end_s > 1e-3
        ):
            found.append(each)
            continue
        weights = (last.end_s - last.start_s, each.end_s - each.start_s)
        pairs = (
            (last.confidence, each.confidence),
            *zip(last.probabilities, each.probabilities, strict=True),
        )
        mean = [(a * weights[0] + b * weights[1]) / sum(weights) for a, b in pairs]
        found[-1] = Stretch(last.lane, last.start_s, each.end_s, last.emotion, mean[0],
                            last.unsure, tuple(mean[1:]))  # fmt: skip
    return found


def said(stretch: Stretch) -> str:
    """The label, with a question mark where the model is unsure."""
    return f"{stretch.emotion}?" if stretch.unsure else stretch.emotion


def subtitles(video: LabelledVideo, kind: str) -> bytes:
    """WebVTT or SubRip: a line for each stretch, such as ``person 0: happy (72 %)``.

    Args:
        video: may have no stretch; then the file has none either.
        kind: ``vtt`` or ``srt``.

    Returns:
        The file, UTF-8.

    Raises:
        UsageError: the extra ``exports`` is not installed.
    """
    pysubs2 = _library("pysubs2")
    file = pysubs2.SSAFile()
    for lane in video.lanes.values():
        for each in joined(lane):
            text = f"{each.lane}: {said(each)} ({each.confidence:.0%})"
            start, end = (round(1000 * time) for time in (each.start_s, each.end_s))
            file.append(pysubs2.SSAEvent(start, end, text))
    file.sort()
    return str(file.to_string(kind)).encode()


def elan(video: LabelledVideo) -> bytes:
    """ELAN's annotation format: a tier a person and one of the sound, and their confidence.

    Returns:
        An EAF file, XML; times are whole milliseconds.

    Raises:
        UsageError: the extra ``exports`` is not installed.
    """
    elan_ = _library("pympi").Elan
    file = elan_.Eaf(author="emotion-core")
    file.remove_tier("default")
    kind = _TYPES.get(kind_of(video.row["uri"]) or "video", _TYPES["video"])
    name = video.row["uri"].rsplit("/", 1)[-1]
    file.add_linked_file(video.row["uri"], relpath=f"./{name}", mimetype=kind)
    for lane, stretches in video.lanes.items():
        for tier in (lane, f"{lane} confidence"):
            file.add_tier(tier)
        for each in joined(stretches):
            span = round(1000 * each.start_s), round(1000 * each.end_s)
            if span[0] == span[1]:
                continue  # ELAN counts milliseconds
            file.add_annotation(lane, *span, said(each))
            file.add_annotation(f"{lane} confidence", *span, f"{each.confidence:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.eaf"
        file.to_file(str(path))
        return path.read_bytes()


def praat(video: LabelledVideo) -> bytes:
    """Praat's TextGrid, with an interval tier for each lane; times in seconds.

    Args:
        video: has one lane at least.

    Raises:
        UsageError: the extra ``exports`` is not installed.
    """
    textgrid = _library("praatio").textgrid
    lanes = video.lanes
    end_s = max(video.row["duration_s"] or 0.0, *(lane[-1].end_s for lane in lanes.values()))
    grid = textgrid.Textgrid(0, end_s)
    for name, lane in lanes.items():
        entries = [(each.start_s, each.end_s, said(each)) for each in joined(lane)]
        grid.addTier(textgrid.IntervalTier(name, entries, 0, end_s))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.TextGrid"
        grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
        return path.read_bytes()


def _library(name: str) -> Any:
    """A package, and the module in it that is used here."""
    inner = {"pympi": "pympi.Elan", "praatio": "praatio.textgrid"}.get(name, name)
    try:
        importlib.import_module(inner)
        return sys.modules[name]
    except ImportError as error:
        way_out = "pip install 'emotion-core[exports]'"
        raise UsageError(f"this format needs {name}: {way_out}") from error
